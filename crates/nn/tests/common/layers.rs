//! Every layer on its own, for the tests that hold for all of them.

use autograd::{Graph, Var};
use nn::{
    BasicBlock, Child, Embedding, GRU, LSTM, Layer, Parameter, RNN, Recurrent, RecurrentCell, Scope,
    Sequences, Sequential, State, TransformerDecoder, TransformerDecoderLayer,
};

/// The largest batch that the layers take: enough for the work of each to be split over threads.
pub(crate) const MOST_IMAGES: usize = 2048;

/// Layers as text, and the shape of one image, sequence or vector that they take.
const LAYERS: &[(&str, &[usize])] = &[
    ("Conv2d(4, 6, 3, stride=2, padding=1, groups=2)", &[6, 5, 4]),
    ("Conv2d(4, 6, 3, padding=same, padding_mode=reflect)", &[6, 5, 4]),
    ("Conv2d(4, 4, 3, padding=1, groups=4, bias=False)", &[6, 5, 4]),
    ("Conv2d(4, 6, 3, stride=2, padding=1, padding_mode=replicate)", &[6, 5, 4]),
    ("ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)", &[4, 3, 4]),
    ("Conv1d(4, 6, 3, stride=2, padding=1, groups=2)", &[7, 4]),
    ("Conv1d(4, 6, 3, padding=same, padding_mode=circular)", &[7, 4]),
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
    ("Upsample(size=(3, 7))", &[6, 5, 4]),
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
    ("MultiheadAttention(8, 2, batch_first=True)", &[5, 8]),
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
    ("PReLU()", &[8]),
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
    ("Parallel(\nLinear(8, 6)\nLinear(8, 6)\n)", &[8]),
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

/// A parameter that is added to each image.
#[derive(Clone, Debug)]
struct Shifted(Child<Parameter>);

impl Layer for Shifted {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.0);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.add(x, self.0.forward(g, ()))
    }
}

/// A recurrent layer over sequences `[n, 5, 4]` of their own lengths, from a first state, which both follow from the
/// input; its last state stands behind the steps.
#[derive(Clone, Debug)]
struct OfLengths<L> {
    layer: Child<L>,
    has_cell: bool,
}

impl<C: RecurrentCell> Layer for OfLengths<Recurrent<C>> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.layer);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let n = g.shape(x)[0];
        assert!(n <= MOST_IMAGES, "{n} sequences, at most {MOST_IMAGES} have a length here");
        // No vector, which would allocate.
        let mut lengths = [0; MOST_IMAGES];
        for (length, sequence) in lengths.iter_mut().zip(g.value(x).chunks_exact(5 * 4)) {
            *length = 1 + (sequence[0].abs() * 100.0) as u32 % 5;
        }
        let hidden = g.slice(g.slice(x, 1, 0..2), 2, 0..3);
        let state = State { hidden, cell: self.has_cell.then_some(hidden) };
        let sequences = Sequences { lengths: Some(g.indices(&lengths[..n])), state: Some(state) };
        let (y, last) = self.layer.run(g, |layer, g| layer.run(g, x, sequences));
        g.concat(&[y, g.reshape(last.hidden, [n, 1, 6])], 1)
    }
}

fn of_lengths<C: RecurrentCell>(layer: Recurrent<C>, has_cell: bool) -> Sequential {
    Sequential::new().add(OfLengths { layer: Child::new("layer", layer.bidirectional(true)), has_cell })
}

/// All layers: those of the table, and those that are not read from text for one tensor.
pub(crate) fn layers() -> Vec<(Sequential, &'static [usize])> {
    let read = |text: &str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut layers: Vec<_> = LAYERS.iter().map(|&(text, dims)| (read(text), dims)).collect();
    let decoder_layer = || TransformerDecoderLayer::new(8, 2).dim_feedforward(12);
    let decoder = TransformerDecoder::new(decoder_layer().causal(true), 2);
    let mut add = |net, dims| layers.push((net, dims));
    add(of_lengths(RNN::new(4, 3), false), &[5, 4]);
    add(of_lengths(GRU::new(4, 3), false), &[5, 4]);
    add(of_lengths(LSTM::new(4, 3), true), &[5, 4]);
    add(Sequential::new().add(Shifted(Child::new("shift", Parameter::new([5, 4])))), &[5, 4]);
    add(Sequential::new().add(BasicBlock::new(4, 6, 2)), &[6, 5, 4]);
    add(Sequential::new().add(OfLargest(Child::new("embedding", Embedding::new(10, 3)))), &[10, 4]);
    add(Sequential::new().add(OfBoth(Child::new("layer", decoder_layer()))), &[5, 8]);
    add(Sequential::new().add(OfBoth(Child::new("decoder", decoder))), &[5, 8]);
    layers
}
