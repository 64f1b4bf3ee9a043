//! How models print: as PyTorch writes them, and as a table.

use nn::{
    AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Flatten, GELU, GlobalAvgPool2d, Layer, LeakyReLU,
    Linear, MaxPool2d, ReLU, Residual, Sequential, Sigmoid, Tanh, models,
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
        .add(Residual::new(GELU).shortcut(Sequential::new()))
        .add(MaxPool2d::new(3).stride(2).padding(1))
        .add(AvgPool2d::new([2, 1]))
        .add(Sequential::new().add(Sigmoid).add(Tanh).add(ReLU))
        .add(GlobalAvgPool2d)
        .add(Flatten)
        .add(BatchNorm1d::new(4).eps(1e-3).momentum(0.25))
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
fn an_empty_model() {
    let (net, params) = nn::build(Sequential::new(), 0);
    assert_eq!(format!("{net:?}"), "Sequential()");
    assert_eq!(net.summary(&params, [1]).to_string().lines().last(), Some("0 parameters"));
}
