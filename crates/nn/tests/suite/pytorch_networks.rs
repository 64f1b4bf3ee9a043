//! The same networks, weights and batches as in PyTorch: logits, losses and training steps must agree
//! with what `pytorch/record.py` recorded.

use std::fs;
use std::path::Path;

use crate::common::uniform;
use crate::fill::fill;
use crate::pytorch::{assert_close, numbers, path, recorded};
use autograd::{CrossEntropyOptions, Graph, Indices, Mode, Params, Tape, Var};
use nn::weights::{self, Archive};
use nn::{
    AvgPool2d, BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, ConvTranspose1d, Embedding, Flatten, GELU, GRU,
    GroupNorm, LSTM, Layer, LayerNorm, LeakyReLU, Linear, Masks, MaxPool2d, MultiheadAttention, PReLU,
    RMSNorm, RNN, Sequential, Tanh, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, models,
};

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
    let expected = numbers(&recorded("recorded.json")["cnn"]["logits"]);
    for fuse in [true, false] {
        let (net, mut params) = cnn(fuse);
        assert_close("logits", &logits(&net, &mut params), &expected, 0.0, 1e-4);
    }
}

#[test]
fn the_cnn_trains_as_in_pytorch() {
    let options = CrossEntropyOptions::default();
    for (lr, name, rtol) in [(5e-3, "losses_lr_5e-3", 1e-4), (5e-4, "losses_lr_5e-4", 1e-3)] {
        let expected = numbers(&recorded("recorded.json")["cnn"][name]);
        let (net, mut params) = cnn(true);
        let losses = train(&net, &mut params, expected.len() as u32, tiled_batch, options, adam(lr, 1e-4));
        assert_close("losses", &losses, &expected, rtol, 0.0);
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
    weights::load(path("small.safetensors"), &mut params).unwrap();
    assert_close(
        "logits",
        &logits(&net, &mut params),
        &numbers(&recorded("recorded.json")["small"]["logits"]),
        0.0,
        1e-5,
    );
}

#[test]
fn our_file_has_the_names_and_shapes_of_pytorch() {
    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours.safetensors");
    weights::save(&ours, &small().1, &[]).unwrap();
    let (ours, theirs) = (Archive::open(&ours).unwrap(), Archive::open(path("small.safetensors")).unwrap());
    // The counts of batches are integers; PyTorch takes a missing one for 0.
    let theirs = theirs.tensors().filter(|tensor| tensor.dtype() == "F32");
    assert!(ours.tensors().map(|tensor| tensor.to_string()).eq(theirs.map(|tensor| tensor.to_string())));
}

#[test]
fn batch_norm_and_label_smoothing_train_as_in_pytorch() {
    let (net, mut params) = small();
    fill(&mut params);
    let expected = numbers(&recorded("recorded.json")["small"]["losses"]);
    let options = CrossEntropyOptions { label_smoothing: 0.2, ..CrossEntropyOptions::default() };
    let sgd =
        |values: &mut [f32], grads: &[f32]| values.iter_mut().zip(grads).for_each(|(w, g)| *w -= 0.1 * g);
    let batch = |step| (uniform(200 + step, 16 * IMAGE), labels(step, 16));
    let losses = train(&net, &mut params, expected.len() as u32, batch, options, sgd);
    assert_close("losses", &losses, &expected, 1e-5, 0.0);
    // Weights and running statistics after the last step are the file's.
    let (_net, mut after) = small();
    weights::load(path("small.safetensors"), &mut after).unwrap();
    assert_close("parameters", params.values(), after.values(), 1e-4, 1e-5);
}

nn::layer! {
    /// Every kind of layer with weights, as `pytorch/read_ours.py` has it.
    struct Network(width: usize) {
        tokens: Embedding = Embedding::new(7, width).padding_idx(0),
        encoder: TransformerEncoder =
            TransformerEncoder::new(TransformerEncoderLayer::new(width, 2).dim_feedforward(12), 2)
                .norm(LayerNorm::new([width])),
        lstm: LSTM = LSTM::new(width, 4).num_layers(2).bidirectional(true),
        gru: GRU = GRU::new(8, 4).bidirectional(true),
        rnn: RNN = RNN::new(8, width).bias(false),
        decoder: TransformerDecoder =
            TransformerDecoder::new(TransformerDecoderLayer::new(width, 2).dim_feedforward(12), 1),
        attention: MultiheadAttention = MultiheadAttention::new(width, 2).bias(false),
        conv1d: Conv1d = Conv1d::new(width, 6, 3).padding(1),
        batch_norm: BatchNorm1d = BatchNorm1d::new(6),
        prelu: PReLU = PReLU::new(6),
        conv2d: Conv2d = Conv2d::new(6, 6, [3, 1]).padding([1, 0]).groups(2),
        group_norm: GroupNorm = GroupNorm::new(2, 6),
        conv_transpose1d: ConvTranspose1d = ConvTranspose1d::new(6, 4, 3).stride(2).groups(2),
        rms_norm: RMSNorm = RMSNorm::new([4]),
        head: Linear = Linear::new(4, 3),
    }

    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        let memory = self.encoder.forward(g, self.tokens.forward(g, tokens));
        let x = self.lstm.forward(g, memory);
        let x = self.rnn.forward(g, self.gru.forward(g, x));
        let x = self.decoder.forward(g, (x, memory));
        let attend = |layer: &MultiheadAttention, g: &Graph<'_>| layer.attend(g, [x, memory, memory], Masks::default());
        let x = self.conv1d.forward(g, self.attention.run(g, attend));
        let x = self.prelu.forward(g, self.batch_norm.forward(g, x));
        let [n, t] = [0, 1].map(|axis| g.shape(x)[axis]);
        let x = self.conv2d.forward(g, g.reshape(x, [n, t, 1, 6]));
        let x = g.reshape(self.group_norm.forward(g, x), [n, t, 6]);
        let x = self.rms_norm.forward(g, self.conv_transpose1d.forward(g, x));
        self.head.forward(g, x)
    }
}

/// The other direction: PyTorch has read the file that is written here.
#[test]
fn pytorch_reads_a_file_of_ours() {
    let (net, mut params) = nn::build(Network::new(8), 0);
    for (stream, id) in params.ids().enumerate() {
        let is_variance = params.entry(id).name.ends_with("running_var");
        let values = uniform(stream as u32, params.value(id).len());
        params.value_mut(id).iter_mut().zip(values).for_each(|(value, u)| {
            *value = if is_variance { 1.5 + u } else { u };
        });
    }
    let (ours, read) =
        (Path::new(env!("CARGO_TARGET_TMPDIR")).join("ours.safetensors"), path("ours.safetensors"));
    weights::save(&ours, &params, &[]).unwrap();
    assert!(
        fs::read(&ours).ok() == fs::read(&read).ok(),
        "{} is not what PyTorch read, {}: copy it there and run read_ours.py beside it",
        ours.display(),
        read.display()
    );
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let y = net.forward(&g, g.tokens([2, 5], &[1, 2, 6, 0, 3, 5, 5, 4, 1, 0]));
    assert_close("y", g.value(y), &numbers(&recorded("ours.json")["y"]), 2e-5, 2e-5);
}
