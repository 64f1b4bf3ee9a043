//! How models print: as PyTorch writes them, and as a table.

use autograd::{RnnNonlinearity, StochasticDepthMode};
use nn::{
    AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, ConstantPad1d,
    Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Dropout, Dropout2d, Flatten, GELU, GRU,
    GlobalAvgPool2d, GroupNorm, InstanceNorm2d, Interpolation, LSTM, Layer, LayerNorm, LeakyReLU, Linear,
    LocalResponseNorm, MaxPool1d, MaxPool2d, PaddingMode, Parallel, PixelShuffle, PixelUnshuffle, RMSNorm,
    RNN, ReLU, Residual, Sequential, Sigmoid, StochasticDepth, Tanh, Unflatten, Upsample, ZeroPad2d, models,
};

#[test]
fn the_cnn_as_a_table() {
    let (net, params) = nn::build(models::lecture_cnn(0.5), 0);
    insta::assert_snapshot!(net.summary(&params, [1, 32, 32, 3]));
}

#[test]
fn the_dropout_perceptron_as_a_table() {
    let (net, params) = nn::build(models::dropout_mlp(), 0);
    insta::assert_snapshot!(net.summary(&params, [64, 32, 32, 3]));
}

fn every_layer() -> Sequential {
    let body =
        Sequential::new().add(Conv2d::new(4, 4, 3).padding(1).groups(2).bias(false)).add(BatchNorm2d::new(4));
    Sequential::new()
        .add(Conv2d::new(3, 4, [3, 5]).stride(2).padding([1, 2]).dilation([1, 1]))
        .add(LeakyReLU::default())
        .add(Residual::new(body))
        .add(Residual::new(GELU::default()).shortcut(Sequential::new()))
        .add(MaxPool2d::new(3).stride(2).padding(1))
        .add(AvgPool2d::new([2, 1]))
        .add(Sequential::new().add(Sigmoid).add(Tanh).add(ReLU))
        .add(GroupNorm::new(2, 4))
        .add(InstanceNorm2d::new(4).affine(true).bias(false).track_running_stats(true))
        .add(LocalResponseNorm::new(5))
        .add(BatchNorm2d::new(4).momentum(None).affine(false))
        .add(BatchNorm2d::new(4).scale(false).track_running_stats(false))
        .add(Dropout2d::new(0.25))
        .add(StochasticDepth::new(0.25, StochasticDepthMode::Row))
        .add(GlobalAvgPool2d)
        .add(Flatten)
        .add(BatchNorm1d::new(4).eps(1e-3).momentum(0.25))
        .add(LayerNorm::new([4]))
        .add(RMSNorm::new([4]).eps(1e-6))
        .add(Dropout::new(0.25))
        .add(Linear::new(4, 2).bias(false))
}

#[test]
fn every_layer_as_pytorch_writes_it() {
    insta::assert_snapshot!(format!("{:?}", every_layer()));
}

#[test]
fn every_layer_as_a_table() {
    let (net, params) = nn::build(every_layer(), 0);
    insta::assert_snapshot!(net.summary(&params, [2, 16, 16, 3]));
}

#[test]
fn recurrent_layers_as_pytorch_writes_them() {
    let relu = RNN::new(3, 4).nonlinearity(RnnNonlinearity::Relu).bias(false);
    assert_eq!(format!("{relu:?}"), "RNN(3, 4, nonlinearity=relu, bias=False, batch_first=True)");
    let lstm = LSTM::new(3, 4).num_layers(2).dropout(0.5).bidirectional(true);
    let expected = "LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)";
    assert_eq!(format!("{lstm:?}"), expected);
    let (net, params) = nn::build(Sequential::new().add(GRU::new(3, 4)).add(Linear::new(4, 2)), 0);
    let summary = net.summary(&params, [2, 5, 3]);
    assert_eq!(summary.rows[0].output.dims(), [2, 5, 4]);
    assert_eq!(summary.rows[1].output.dims(), [2, 5, 2]);
    assert_eq!(summary.rows[0].n_params, 3 * 4 * (3 + 4 + 2));
}

#[test]
fn an_empty_model() {
    let (net, params) = nn::build(Sequential::new(), 0);
    assert_eq!(format!("{net:?}"), "Sequential()");
    assert_eq!(net.summary(&params, [1]).to_string().lines().last(), Some("0 parameters"));
}

/// The layers of images and sequences with options, and the shapes that they make one after the other.
fn spatial_layers() -> Sequential {
    let bilinear = Interpolation::Bilinear { align_corners: true };
    let branches = Parallel::concat(3)
        .add(Conv2d::new(4, 2, [4, 3]).padding_same().padding_mode(PaddingMode::Reflect))
        .add_named("pool", AvgPool2d::new(3).stride(1).padding(1).count_include_pad(false));
    Sequential::new()
        .add(ZeroPad2d::new([1, 2, 3, 4]))
        .add(ConvTranspose2d::new(3, 4, [3, 2]).stride(2).output_padding([1, 0]).bias(false))
        .add(branches)
        .add(Parallel::sum().add(ReLU).add(Sequential::new()))
        .add(MaxPool2d::new(3).dilation(2).ceil_mode(true))
        .add(Upsample::scale_factor(2.0))
        .add(Upsample::size([6, 8]).mode(bilinear))
        .add(PixelUnshuffle::new(2))
        .add(PixelShuffle::new(2))
        .add(AdaptiveMaxPool2d::new([4, 2]))
        .add(Flatten.start_dim(2))
        .add(ConstantPad1d::new([0, 5], 1.5))
        .add(Conv1d::new(12, 8, 3).dilation(2).groups(4))
        .add(ConvTranspose1d::new(8, 6, 3).stride(2).output_padding(1))
        .add(MaxPool1d::new(2))
        .add(AvgPool1d::new(2).stride(1))
        .add(Flatten)
        .add(Unflatten::new(1, &[1, 5, 6]))
        .add(AdaptiveAvgPool2d::new(1))
}

#[test]
fn layers_of_images_and_sequences_as_pytorch_writes_them() {
    insta::assert_snapshot!(format!("{:?}", spatial_layers()));
}

#[test]
fn layers_of_images_and_sequences_as_a_table() {
    let (net, params) = nn::build(spatial_layers(), 0);
    insta::assert_snapshot!(net.summary(&params, [2, 8, 8, 3]));
}
