//! Every layer gives the same bits on any number of threads, and for a batch whole and in parts.

use std::sync::Arc;

use autograd::{Graph, Mode, Tape, Var};
use collective::{Joined, on_threads};
use nn::config::Registry;
use nn::{
    BasicBlock, Child, Embedding, Layer, Scope, Sequential, TransformerDecoder, TransformerDecoderLayer,
};
use tensor::parallel::{Exchange, Shards};

use crate::common::uniform;

/// Layers as text, and the shape of one image, sequence or vector that they take.
const LAYERS: &[(&str, &[usize])] = &[
    ("Conv2d(4, 6, 3, stride=2, padding=1, groups=2)", &[6, 5, 4]),
    ("Conv2d(4, 6, 3, padding=same, padding_mode=reflect)", &[6, 5, 4]),
    ("Conv2d(4, 4, 3, padding=1, groups=4, bias=False)", &[6, 5, 4]),
    ("ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)", &[4, 3, 4]),
    ("Conv1d(4, 6, 3, stride=2, padding=1, groups=2)", &[7, 4]),
    ("ConvTranspose1d(4, 6, 3, stride=2)", &[7, 4]),
    ("MaxPool2d(3, stride=2, padding=1)", &[6, 5, 4]),
    ("AvgPool2d(2)", &[6, 5, 4]),
    ("MaxPool1d(3, stride=2)", &[7, 4]),
    ("AvgPool1d(2)", &[7, 4]),
    ("AdaptiveAvgPool2d(2)", &[6, 5, 4]),
    ("AdaptiveMaxPool2d(2)", &[6, 5, 4]),
    ("AdaptiveAvgPool1d(3)", &[7, 4]),
    ("AdaptiveMaxPool1d(3)", &[7, 4]),
    ("GlobalAvgPool2d()", &[6, 5, 4]),
    ("Upsample(scale_factor=1.5, mode='bilinear')", &[6, 5, 4]),
    ("PixelShuffle(2)", &[3, 2, 8]),
    ("PixelUnshuffle(2)", &[6, 4, 2]),
    ("ZeroPad2d((1, 2, 1, 0))", &[6, 5, 4]),
    ("ReflectionPad2d((1, 2, 1, 0))", &[6, 5, 4]),
    ("ReplicationPad2d((1, 2, 1, 0))", &[6, 5, 4]),
    ("CircularPad2d((1, 2, 1, 0))", &[6, 5, 4]),
    ("ConstantPad2d(padding=(1, 2, 1, 0), value=0.5)", &[6, 5, 4]),
    ("ZeroPad1d((1, 2))", &[7, 4]),
    ("ReflectionPad1d((1, 2))", &[7, 4]),
    ("ReplicationPad1d((1, 2))", &[7, 4]),
    ("CircularPad1d((1, 2))", &[7, 4]),
    ("ConstantPad1d(padding=(1, 2), value=0.5)", &[7, 4]),
    ("Flatten()", &[6, 5, 4]),
    ("Unflatten(dim=1, unflattened_size=(2, 4))", &[8]),
    ("Scale(0.5)", &[8]),
    ("Linear(8, 6)", &[8]),
    ("BatchNorm1d(8)", &[8]),
    ("BatchNorm2d(4, momentum=None)", &[6, 5, 4]),
    ("BatchNorm2d(4, scale=False)", &[6, 5, 4]),
    ("GroupNorm(2, 4)", &[6, 5, 4]),
    ("InstanceNorm2d(4, affine=True, track_running_stats=True)", &[6, 5, 4]),
    ("LayerNorm((5, 4))", &[6, 5, 4]),
    ("RMSNorm((4,))", &[6, 5, 4]),
    ("LocalResponseNorm(3)", &[6, 5, 4]),
    ("Dropout(p=0.25)", &[8]),
    ("Dropout2d(p=0.25)", &[6, 5, 4]),
    ("StochasticDepth(p=0.25, mode=row)", &[6, 5, 4]),
    ("StochasticDepth(p=0.25, mode=batch)", &[6, 5, 4]),
    ("RNN(4, 3, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True)", &[5, 4]),
    ("GRU(4, 3, batch_first=True)", &[5, 4]),
    ("LSTM(4, 3, batch_first=True)", &[5, 4]),
    ("MultiheadAttention(8, 2, dropout=0.25, causal=True, rotary_head_dim=4, batch_first=True)", &[5, 8]),
    ("TransformerEncoderLayer(8, 2, dim_feedforward=12, batch_first=True)", &[5, 8]),
    (
        "TransformerEncoder(recompute=True\n(layers.0): TransformerEncoderLayer(8, 2, dim_feedforward=12))",
        &[5, 8],
    ),
    ("SinusoidalPositions()", &[5, 8]),
    ("RotaryPositions(4)", &[5, 8]),
    ("LearnedPositions(5, 8)", &[5, 8]),
    ("CELU()", &[8]),
    ("ELU()", &[8]),
    ("GELU()", &[8]),
    ("GLU()", &[8]),
    ("Hardsigmoid()", &[8]),
    ("Hardswish()", &[8]),
    ("Hardtanh()", &[8]),
    ("Identity()", &[8]),
    ("LeakyReLU()", &[8]),
    ("LogSigmoid()", &[8]),
    ("LogSoftmax(dim=-1)", &[8]),
    ("Mish()", &[8]),
    ("PReLU(8)", &[8]),
    ("ReLU()", &[8]),
    ("ReLU6()", &[8]),
    ("SELU()", &[8]),
    ("SiLU()", &[8]),
    ("Sigmoid()", &[8]),
    ("Softmax(dim=-1)", &[8]),
    ("Softplus()", &[8]),
    ("Tanh()", &[8]),
    // Containers, the first with layers that run as one op.
    ("Conv2d(4, 6, 3, padding=1)\nReLU()\nMaxPool2d(2)\nConv2d(6, 4, 3)\nBatchNorm2d(4)\nReLU()", &[6, 6, 4]),
    ("Residual(\n(body): Linear(8, 8)\n)\nReLU()", &[8]),
    ("Recompute(Sequential(\nLinear(8, 6)\nDropout(p=0.5)\nTanh()\n))", &[8]),
    ("Parallel(\nconcat_axis=1\nLinear(8, 2)\nLinear(8, 3)\n)", &[8]),
];

/// An embedding of the largest of some numbers for each token.
#[derive(Clone, Debug)]
struct OfLargest(Child<Embedding>);

impl Layer for OfLargest {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.0);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.0.forward(g, g.argmax(x, 1))
    }
}

/// A layer over two tensors, which are the same here.
#[derive(Clone, Debug)]
struct OfBoth<L>(Child<L>);

impl<L: Layer<(Var, Var)> + Clone> Layer for OfBoth<L> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.0);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.0.forward(g, (x, x))
    }
}

/// All layers: those of the table, and those that are not read from text for one tensor.
fn layers() -> Vec<(Sequential, &'static [usize])> {
    let read = |text: &str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut layers: Vec<_> = LAYERS.iter().map(|&(text, dims)| (read(text), dims)).collect();
    let decoder_layer = || TransformerDecoderLayer::new(8, 2).dim_feedforward(12);
    let decoder = TransformerDecoder::new(decoder_layer().causal(true), 2);
    let mut add = |net, dims| layers.push((net, dims));
    add(Sequential::new().add(BasicBlock::new(4, 6, 2)), &[6, 5, 4]);
    add(Sequential::new().add(OfLargest(Child::new("embedding", Embedding::new(10, 3)))), &[10, 4]);
    add(Sequential::new().add(OfBoth(Child::new("layer", decoder_layer()))), &[5, 8]);
    add(Sequential::new().add(OfBoth(Child::new("decoder", decoder))), &[5, 8]);
    layers
}

/// The bits of a value, and whether they are those of the images that are here.
type Spread = (bool, Vec<u32>);

/// Two steps on a batch of which a part may be here: outputs, their sums, the gradients of inputs and parameters, and
/// the statistics.
fn run(
    net: &Sequential,
    image: &[usize],
    n_images: usize,
    exchange: Option<Arc<dyn Exchange>>,
) -> Vec<Spread> {
    let whole = Shards::whole(n_images);
    let here = exchange.as_ref().map_or(whole.images(), |exchange| whole.exchanging(&**exchange).images());
    let (net, mut params) = nn::build(net.clone(), 3);
    let mut tape = exchange.into_iter().fold(Tape::new(), Tape::exchange);
    let len: usize = image.iter().product();
    let dims: Vec<usize> = [here.len()].iter().chain(image).copied().collect();
    let mut values = Vec::new();
    for step in 0..2 {
        let images = uniform(step, n_images * len);
        let mut g = tape.begin(&mut params, Mode::train(7, step.into()).of_images(n_images));
        let x = g.variable(&dims[..], &images[here.start * len..here.end * len]);
        let y = net.forward(&g, x);
        values.push((g.has_images(y), bits(g.value(y))));
        // The cotangent is a function of the output, so that it is the same wherever that is.
        let loss = g.sum(g.mul(y, g.add_scalar(g.scale(g.detach(y), 0.37), 1.0)));
        values.push((false, bits(g.value(loss))));
        g.backward(loss);
        values.push((true, bits(g.grad(x).unwrap_or_default())));
        drop(g);
        values.push((false, bits(params.grads())));
    }
    values.push((false, bits(params.values())));
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    assert!(values.iter().all(|value| value.is_finite()));
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_layer_has_a_row() {
    let printed: String = layers().iter().map(|(net, _)| format!("{net:?}\n")).collect();
    let has_row =
        |name: &&str| printed.contains(&format!(" {name}(")) || printed.contains(&format!("({name}("));
    let missing: Vec<&str> =
        Registry::new().names().filter(|name| !has_row(name) && *name != "Sequential").collect();
    assert!(missing.is_empty(), "add {missing:?} to the table of tests/suite/same_bits.rs");
}

/// Batches large enough that their work is split.
#[test]
fn threads_give_the_bits_of_one() {
    for (net, image) in layers() {
        let on = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
            pool.expect("threads can be started").install(|| run(&net, image, 2048, None))
        };
        let one = on(1);
        for n_threads in [2, 3] {
            assert!(on(n_threads) == one, "{net:?}: 1 and {n_threads} threads");
        }
    }
}

#[test]
fn parts_of_a_batch_give_the_bits_of_the_whole() {
    for (net, image) in layers() {
        for n_images in [3, 41] {
            let whole = run(&net, image, n_images, None);
            for n_parts in [2, 4] {
                let parts =
                    on_threads(n_parts, |rank| run(&net, image, n_images, Some(Arc::new(Joined::new(rank)))));
                let what = || format!("{net:?}: {n_images} images in {n_parts} parts");
                for (idx, (is_spread, whole)) in whole.iter().enumerate() {
                    if *is_spread {
                        let joined: Vec<u32> = parts.iter().flat_map(|part| part[idx].1.clone()).collect();
                        assert!(joined == *whole, "value {idx} of {}", what());
                    } else {
                        assert!(parts.iter().all(|part| part[idx].1 == *whole), "value {idx} of {}", what());
                    }
                }
            }
        }
    }
}
