//! The same networks, weights and batches as in PyTorch: logits, losses and training steps must agree
//! with what `pytorch/record.py` recorded.

use std::path::{Path, PathBuf};

use crate::common::uniform;
use crate::fill::fill;
use autograd::{CrossEntropyOptions, Mode, Params, Tape};
use nn::weights::{self, Archive};
use nn::{
    AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Flatten, GELU, Layer, LeakyReLU, Linear, MaxPool2d,
    Sequential, Tanh, models,
};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch")
}

fn recorded() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("recorded.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], rtol: f32, atol: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let bound = atol + rtol * y.abs();
        assert!(
            (x - y).abs() <= bound,
            "number {i}: {x}, PyTorch has {y}; they differ by more than {bound:e}"
        );
    }
}

const IMAGE: usize = 32 * 32 * 3;

fn labels(step: u32, n: u32) -> Vec<u32> {
    (0..n).map(|i| (i * 7 + step * 3) % 10).collect()
}

/// Eight images, eight times over, each of 8 × 8 tiles; the script says why.
fn tiled_batch(step: u32) -> (Vec<f32>, Vec<u32>) {
    const TILE: usize = 8 * 8 * 3;
    let labels = labels(step, 8);
    let mut tiles = uniform(300 + step, 8 * TILE);
    for (tile, label) in tiles.chunks_mut(TILE).zip(&labels) {
        tile.iter_mut().zip(uniform(1000 + label, TILE)).for_each(|(x, p)| *x = *x * 0.5 + p * 0.5);
    }
    let pixel = |i: usize| {
        let (image, row, col, channel) = (i / IMAGE % 8, i / 96 % 32, i / 3 % 32, i % 3);
        tiles[image * TILE + (row % 8 * 8 + col % 8) * 3 + channel]
    };
    ((0..64 * IMAGE).map(pixel).collect(), labels.repeat(8))
}

/// The logits of eight images of noise.
fn logits(net: &impl Layer, params: &mut Params) -> Vec<f32> {
    let mut tape = Tape::new();
    let g = tape.begin(params, Mode::eval());
    let x = g.input([8, 32, 32, 3], &uniform(50, 8 * IMAGE));
    let y = net.forward(&g, x);
    g.value(y).to_vec()
}

/// Trains for some steps and returns their losses; `update` moves the parameters.
fn train(
    net: &impl Layer,
    params: &mut Params,
    n_steps: u32,
    batch: impl Fn(u32) -> (Vec<f32>, Vec<u32>),
    options: CrossEntropyOptions,
    mut update: impl FnMut(&mut [f32], &[f32]),
) -> Vec<f32> {
    let mut tape = Tape::new();
    let step = |step| {
        let (images, labels) = batch(step);
        let mut g = tape.begin(params, Mode::train(0, step.into()));
        let x = g.input([labels.len(), 32, 32, 3], &images);
        let targets = g.indices(&labels);
        let logits = net.forward(&g, x);
        let loss = g.cross_entropy_with(logits, targets, options);
        g.backward(loss);
        let value = g.scalar(loss);
        drop(g);
        let (values, grads) = params.values_mut_and_grads();
        update(values, grads);
        value
    };
    (0..n_steps).map(step).collect()
}

/// Adam with coupled weight decay, as Kingma and Ba write it, in f64 between the steps' f32.
fn adam(lr: f64, weight_decay: f64) -> impl FnMut(&mut [f32], &[f32]) {
    let (beta1, beta2, eps) = (0.9_f64, 0.999_f64, 1e-8);
    let mut moments: Vec<[f64; 2]> = Vec::new();
    let mut t = 0;
    move |values, grads| {
        moments.resize(values.len(), [0.0; 2]);
        t += 1;
        for ((w, &g), [m, v]) in values.iter_mut().zip(grads).zip(&mut moments) {
            let g = f64::from(g) + weight_decay * f64::from(*w);
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            let (m, v) = (*m / (1.0 - beta1.powi(t)), *v / (1.0 - beta2.powi(t)));
            *w -= (lr * m / (v.sqrt() + eps)) as f32;
        }
    }
}

fn cnn(fuse: bool) -> (Sequential, Params) {
    let (net, mut params) = nn::build(models::lecture_cnn(0.0).fuse(fuse), 0);
    fill(&mut params);
    (net, params)
}

#[test]
fn the_cnn_has_the_logits_of_pytorch() {
    let expected = numbers(&recorded()["cnn"]["logits"]);
    for fuse in [true, false] {
        let (net, mut params) = cnn(fuse);
        assert_close(&logits(&net, &mut params), &expected, 0.0, 1e-4);
    }
}

#[test]
fn the_cnn_trains_as_in_pytorch() {
    let options = CrossEntropyOptions::default();
    for (lr, name, rtol) in [(5e-3, "losses_lr_5e-3", 1e-4), (5e-4, "losses_lr_5e-4", 1e-3)] {
        let expected = numbers(&recorded()["cnn"][name]);
        let (net, mut params) = cnn(true);
        let losses = train(&net, &mut params, expected.len() as u32, tiled_batch, options, adam(lr, 1e-4));
        assert_close(&losses, &expected, rtol, 0.0);
    }
}

/// The network of `small.safetensors`, written as the script writes it.
fn small() -> (Sequential, Params) {
    let net = Sequential::new()
        .add(Conv2d::new(3, 4, [3, 5]).padding([1, 2]))
        .add(BatchNorm2d::new(4))
        .add(LeakyReLU::new(0.1))
        .add(MaxPool2d::new(3).stride(2).padding(1))
        .add(Conv2d::new(4, 6, 3).stride(2).dilation(2).groups(2).padding(1).bias(false))
        .add(GELU::default())
        .add(AvgPool2d::new(2).padding(1))
        .add(Flatten)
        .add(Linear::new(96, 8))
        .add(BatchNorm1d::new(8).eps(1e-3).momentum(0.3))
        .add(Tanh)
        .add(Linear::new(8, 10).bias(false));
    nn::build(net, 0)
}

#[test]
fn a_file_of_pytorch_loads_and_gives_its_logits() {
    let (net, mut params) = small();
    weights::load(folder().join("small.safetensors"), &mut params).unwrap();
    assert_close(&logits(&net, &mut params), &numbers(&recorded()["small"]["logits"]), 0.0, 1e-5);
}

#[test]
fn our_file_has_the_names_and_shapes_of_pytorch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ours.safetensors");
    weights::save(&path, &small().1, &[]).unwrap();
    let (ours, theirs) =
        (Archive::open(&path).unwrap(), Archive::open(folder().join("small.safetensors")).unwrap());
    // The counts of batches are integers; PyTorch takes a missing one for 0.
    let theirs = theirs.tensors().filter(|tensor| tensor.dtype() == "F32");
    assert!(ours.tensors().map(|tensor| tensor.to_string()).eq(theirs.map(|tensor| tensor.to_string())));
}

#[test]
fn batch_norm_and_label_smoothing_train_as_in_pytorch() {
    let (net, mut params) = small();
    fill(&mut params);
    let expected = numbers(&recorded()["small"]["losses"]);
    let options = CrossEntropyOptions { label_smoothing: 0.2, ..CrossEntropyOptions::default() };
    let sgd =
        |values: &mut [f32], grads: &[f32]| values.iter_mut().zip(grads).for_each(|(w, g)| *w -= 0.1 * g);
    let batch = |step| (uniform(200 + step, 16 * IMAGE), labels(step, 16));
    let losses = train(&net, &mut params, expected.len() as u32, batch, options, sgd);
    assert_close(&losses, &expected, 1e-5, 0.0);
    // Weights and running statistics after the last step are the file's.
    let (_net, mut after) = small();
    weights::load(folder().join("small.safetensors"), &mut after).unwrap();
    assert_close(params.values(), after.values(), 1e-4, 1e-5);
}
