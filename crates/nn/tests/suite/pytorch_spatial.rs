//! The layers of images and sequences against what `pytorch/record_spatial.py` recorded: outputs, and the gradients of
//! inputs and parameters.

use crate::common::uniform;
use crate::fill::fill;
use crate::pytorch::{path, recorded};
use autograd::{Mode, Tape};
use nn::weights::{self, Archive};
use nn::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d,
    CircularPad1d, CircularPad2d, ConstantPad1d, ConstantPad2d, Conv1d, Conv2d, ConvTranspose1d,
    ConvTranspose2d, Dropout, Dropout2d, Interpolation, Layer, MaxPool1d, MaxPool2d, PReLU, PaddingMode,
    Parallel, PixelShuffle, PixelUnshuffle, ReflectionPad1d, ReflectionPad2d, ReplicationPad1d,
    ReplicationPad2d, Residual, Sequential, Unflatten, Upsample, ZeroPad1d, ZeroPad2d,
};
use serde_json::Value;

/// The layers by the names that the script gives them, and the shapes of their inputs.
#[rustfmt::skip]
fn cases() -> Vec<(&'static str, Vec<usize>, Box<dyn Layer>)> {
    let bilinear = |align_corners| Interpolation::Bilinear { align_corners };
    let mut table: Vec<(&'static str, Vec<usize>, Box<dyn Layer>)> = Vec::new();
    let mut case = |name, shape: &[usize], layer| table.push((name, shape.to_vec(), layer));
    case("conv_transpose2d", &[2, 3, 2, 3], Box::new(ConvTranspose2d::new(3, 2, 3)));
    case("conv_transpose2d_general", &[1, 3, 2, 4], Box::new(ConvTranspose2d::new(4, 6, [3, 2])
        .stride([2, 3]).padding([1, 0]).output_padding([1, 2]).groups(2).bias(false).dilation([2, 1])));
    case("conv_transpose2d_depthwise", &[1, 4, 3, 18], Box::new(ConvTranspose2d::new(18, 18, 3)
        .stride(2).padding(1).output_padding(1).groups(18)));
    case("conv_transpose2d_beyond", &[2, 2, 3, 4], Box::new(ConvTranspose2d::new(4, 6, [3, 2])
        .stride([1, 2]).padding([1, 0]).output_padding([2, 3]).groups(2).dilation([3, 4])));
    case("conv1d", &[2, 7, 3], Box::new(Conv1d::new(3, 4, 3).padding(1)));
    case("conv1d_general", &[2, 9, 4],
        Box::new(Conv1d::new(4, 6, 3).stride(2).padding(2).dilation(2).groups(2).bias(false)));
    let even = || Conv1d::new(3, 4, 4).padding_same();
    let around = |mode| Conv1d::new(3, 4, 3).padding(2).padding_mode(mode);
    case("conv1d_same", &[2, 7, 3], Box::new(even().dilation(3)));
    case("conv1d_same_reflect", &[2, 7, 3], Box::new(even().padding_mode(PaddingMode::Reflect)));
    case("conv1d_reflect", &[2, 7, 3], Box::new(around(PaddingMode::Reflect).stride(2)));
    case("conv1d_replicate", &[2, 7, 3], Box::new(around(PaddingMode::Replicate)));
    case("conv1d_circular", &[2, 7, 3], Box::new(around(PaddingMode::Circular)));
    case("conv_transpose1d", &[2, 5, 4],
        Box::new(ConvTranspose1d::new(4, 6, 3).stride(3).padding(1).output_padding(2).groups(2)));
    case("conv_transpose1d_beyond", &[2, 5, 3],
        Box::new(ConvTranspose1d::new(3, 2, 3).stride(2).padding(2).output_padding(4).dilation(5)));
    case("conv2d_depthwise", &[1, 5, 4, 17], Box::new(Conv2d::new(17, 17, 3).padding(1).groups(17)));
    case("conv2d_depthwise_stride", &[2, 6, 5, 3], Box::new(Conv2d::new(3, 3, 3).stride(2).padding(1).groups(3)));
    case("max_pool1d", &[2, 9, 3], Box::new(MaxPool1d::new(3).stride(2).padding(1).dilation(2).ceil_mode(true)));
    case("avg_pool1d", &[2, 8, 3],
        Box::new(AvgPool1d::new(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false)));
    case("max_pool2d_dilated", &[1, 8, 7, 2],
        Box::new(MaxPool2d::new([3, 2]).stride([2, 1]).padding([1, 1]).dilation([2, 3])));
    case("max_pool2d_ceil", &[1, 6, 5, 2], Box::new(MaxPool2d::new(3).stride(2).ceil_mode(true)));
    case("max_pool2d_ceil_padded", &[1, 6, 5, 2],
        Box::new(MaxPool2d::new(2).stride(3).padding(1).ceil_mode(true)));
    case("max_pool2d_larger_than_the_image", &[1, 2, 1, 2],
        Box::new(MaxPool2d::new(3).stride(3).ceil_mode(true)));
    case("avg_pool2d_ceil", &[1, 6, 7, 2], Box::new(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true)));
    case("avg_pool2d_ceil_inside", &[1, 6, 7, 2],
        Box::new(AvgPool2d::new([3, 2]).stride(2).padding(1).ceil_mode(true).count_include_pad(false)));
    case("adaptive_avg_pool2d", &[2, 7, 5, 2], Box::new(AdaptiveAvgPool2d::new([3, 4])));
    case("adaptive_avg_pool2d_larger", &[1, 2, 3, 2], Box::new(AdaptiveAvgPool2d::new([5, 2])));
    case("adaptive_max_pool2d", &[2, 7, 5, 2], Box::new(AdaptiveMaxPool2d::new([3, 4])));
    case("adaptive_avg_pool1d", &[2, 7, 3], Box::new(AdaptiveAvgPool1d::new(4)));
    case("adaptive_avg_pool1d_larger", &[2, 3, 2], Box::new(AdaptiveAvgPool1d::new(5)));
    case("adaptive_max_pool1d", &[2, 7, 3], Box::new(AdaptiveMaxPool1d::new(3)));
    case("upsample_nearest", &[1, 2, 3, 2], Box::new(Upsample::scale_factor(2.0)));
    case("upsample_nearest_factor", &[1, 4, 3, 2], Box::new(Upsample::scale_factor(1.7)));
    case("upsample_nearest_size", &[1, 5, 7, 2], Box::new(Upsample::size([8, 3])));
    case("upsample_bilinear", &[1, 3, 4, 2], Box::new(Upsample::scale_factor(2.0).mode(bilinear(false))));
    case("upsample_bilinear_factor", &[1, 4, 3, 2], Box::new(Upsample::scale_factor(1.7).mode(bilinear(false))));
    case("upsample_bilinear_size", &[1, 5, 7, 2], Box::new(Upsample::size([8, 3]).mode(bilinear(false))));
    case("upsample_bilinear_corners", &[1, 3, 4, 2], Box::new(Upsample::size([5, 1]).mode(bilinear(true))));
    case("pixel_shuffle", &[1, 2, 3, 18], Box::new(PixelShuffle::new(3)));
    case("pixel_unshuffle", &[1, 4, 6, 3], Box::new(PixelUnshuffle::new(2)));
    case("unflatten", &[2, 12], Box::new(Unflatten::new(1, &[2, 3, 2])));
    let even = || Conv2d::new(2, 3, [4, 3]).padding_same();
    let around = |padding: [usize; 2], mode| Conv2d::new(2, 3, 3).padding(padding).padding_mode(mode);
    case("conv2d_same", &[1, 5, 6, 2], Box::new(even().dilation([1, 2])));
    case("conv2d_same_reflect", &[1, 5, 6, 2], Box::new(even().padding_mode(PaddingMode::Reflect)));
    case("conv2d_reflect", &[1, 4, 5, 2], Box::new(around([1, 2], PaddingMode::Reflect).stride(2)));
    case("conv2d_replicate", &[1, 4, 5, 2], Box::new(around([1, 2], PaddingMode::Replicate)));
    case("conv2d_circular", &[1, 4, 5, 2], Box::new(around([2, 1], PaddingMode::Circular)));
    case("zero_pad2d", &[1, 2, 3, 2], Box::new(ZeroPad2d::new([1, 2, 0, 3])));
    case("constant_pad2d", &[1, 2, 3, 2], Box::new(ConstantPad2d::new(1, 0.5)));
    case("constant_pad1d", &[2, 3, 2], Box::new(ConstantPad1d::new([2, 1], -1.5)));
    case("zero_pad1d", &[2, 3, 2], Box::new(ZeroPad1d::new([2, 1])));
    case("reflection_pad1d", &[2, 4, 2], Box::new(ReflectionPad1d::new([3, 1])));
    case("replication_pad1d", &[2, 3, 2], Box::new(ReplicationPad1d::new([4, 1])));
    case("circular_pad1d", &[2, 4, 2], Box::new(CircularPad1d::new([3, 1])));
    case("reflection_pad2d", &[1, 3, 4, 2], Box::new(ReflectionPad2d::new([3, 1, 2, 0])));
    case("replication_pad2d", &[1, 3, 2, 2], Box::new(ReplicationPad2d::new([3, 1, 2, 0])));
    case("circular_pad2d", &[1, 3, 4, 2], Box::new(CircularPad2d::new([3, 1, 2, 0])));
    case("prelu", &[2, 3, 4], Box::new(PReLU::new(4)));
    case("residual", &[1, 4, 5, 3], Box::new(Residual::new(Conv2d::new(3, 3, 3).padding(1))));
    case("residual_shortcut", &[1, 4, 5, 3],
        Box::new(Residual::new(Conv2d::new(3, 2, 3).padding(1)).shortcut(Conv2d::new(3, 2, 1))));
    case("dropout_of_nothing", &[2, 3, 4], Box::new(Dropout::new(0.0)));
    case("dropout_of_all", &[2, 3, 4], Box::new(Dropout::new(1.0)));
    case("dropout_evaluation", &[2, 3, 4], Box::new(Dropout::new(0.5)));
    case("dropout2d_of_nothing", &[2, 2, 3, 4], Box::new(Dropout2d::new(0.0)));
    case("dropout2d_of_all", &[2, 2, 3, 4], Box::new(Dropout2d::new(1.0)));
    case("dropout2d_evaluation", &[2, 2, 3, 4], Box::new(Dropout2d::new(0.5)));
    case("parallel_sum", &[1, 4, 5, 3], Box::new(branches(Parallel::sum())));
    case("parallel_concat", &[1, 4, 5, 3], Box::new(branches(Parallel::concat(3))));
    table
}

fn branches(parallel: Parallel) -> Parallel {
    let pool = MaxPool2d::new(3).stride(1).padding(1);
    parallel
        .add(Conv2d::new(3, 2, 1))
        .add(Conv2d::new(3, 2, 3).padding(1))
        .add(Sequential::new().add(pool).add(Conv2d::new(3, 2, 1)))
}

#[track_caller]
fn assert_close(name: &str, what: &str, found: &[f32], expected: &Value) {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{name}: {what}");
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let x = f64::from(*x);
        assert!((x - y).abs() <= 2e-6 + 1e-5 * y.abs(), "{name}: {what}[{i}] is {x}, PyTorch has {y}");
    }
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let recorded = recorded("spatial.json");
    let mut names: Vec<&str> = cases().iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    let in_file: Vec<&str> = recorded.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, in_file, "left: the table here; right: what was recorded");
    for (name, dims, layer) in cases() {
        let expected = &recorded[name];
        let (layer, mut params) = nn::build(layer, 0);
        fill(&mut params);
        let mut tape = Tape::new();
        let is_trained = !name.ends_with("_evaluation");
        let mode = if is_trained { Mode::train(0, 0) } else { Mode::eval().with_grad(true) };
        let mut g = tape.begin(&mut params, mode);
        let x = g.variable(&dims[..], &uniform(50, dims.iter().product()));
        let y = layer.forward(&g, x);
        let shape: Vec<u64> = g.shape(y).iter().map(|&size| size as u64).collect();
        assert_eq!(Value::from(shape), expected["shape"], "{name}");
        assert_close(name, "y", g.value(y), &expected["y"]);
        let dy = g.input(g.shape(y), &uniform(60, g.shape(y).numel()));
        let loss = g.sum(g.mul(y, dy));
        g.backward(loss);
        assert_close(name, "dx", g.grad(x).unwrap(), &expected["dx"]);
        drop(g);
        let grads = expected["grads"].as_array().unwrap();
        assert_eq!(params.ids().count(), grads.len(), "{name}");
        for (id, expected) in params.ids().zip(grads) {
            assert_close(name, &params.entry(id).name, params.grad(id), expected);
        }
    }
}

/// PyTorch's weights give its outputs, and a file of ours has the same tensors.
#[test]
fn files_go_both_ways() {
    const STORED: &[&str] = &[
        "conv1d",
        "conv1d_general",
        "conv2d_same",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose2d_general",
        "prelu",
    ];
    let (recorded, theirs) = (recorded("spatial.json"), path("spatial.safetensors"));
    let stored = || cases().into_iter().filter(|(name, ..)| STORED.contains(name));
    let net = stored().fold(Sequential::new(), |net, (name, _, layer)| net.add_named(name, layer));
    let (net, mut params) = nn::build(net, 0);
    weights::load(&theirs, &mut params).unwrap();
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    for (name, dims, _) in stored() {
        let x = g.input(&dims[..], &uniform(50, dims.iter().product()));
        let y = net.get(name).unwrap().forward(&g, x);
        assert_close(name, "y", g.value(y), &recorded[name]["y"]);
    }
    drop(g);

    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours.safetensors");
    weights::save(&ours, &params, &[]).unwrap();
    let [ours, theirs] = [ours, theirs].map(|path| Archive::open(path).unwrap());
    let tensors = |archive: &Archive| {
        let mut tensors: Vec<_> = archive.tensors().map(|tensor| tensor.to_string()).collect();
        tensors.sort_unstable();
        tensors
    };
    assert_eq!(tensors(&ours), tensors(&theirs));
}
