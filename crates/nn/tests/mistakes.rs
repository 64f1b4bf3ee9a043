//! Mistakes in a model and what is said about them: the op, the layer's path, the shapes, what to change.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{Graph, Mode, Params, StochasticDepthMode, Tape, Var};
use nn::{
    BatchNorm2d, Child, Conv1d, Conv2d, ConvTranspose2d, Dropout, Embedding, Flatten, GRU, GlobalAvgPool2d,
    GroupNorm, InstanceNorm2d, LSTM, Layer, LayerNorm, Linear, Masks, MaxPool2d, MultiheadAttention,
    Parallel, ReLU, ReflectionPad2d, Residual, RotaryPositions, Sequences, Sequential, State,
    StochasticDepth, TransformerDecoderLayer, TransformerEncoderLayer, Upsample, ZeroPad2d,
};

/// The message of the panic within.
fn message<R>(run: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { panic!("no panic") };
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a panic with a message")
}

/// What a model says to zeros of this shape.
fn says(net: Sequential, shape: &[usize]) -> String {
    let (net, mut params) = nn::build(net, 0);
    let (mut tape, zeros) = (Tape::new(), vec![0.0; shape.iter().product()]);
    message(|| {
        let g = tape.begin(&mut params, Mode::train(0, 0));
        let x = g.input(shape, &zeros);
        net.forward(&g, x)
    })
}

/// Conv2d(3, 8), ReLU, MaxPool2d(2), Flatten, then this.
fn cnn(head: impl Layer) -> Sequential {
    let conv = Conv2d::new(3, 8, 3).padding(1);
    Sequential::new().add(conv).add(ReLU).add(MaxPool2d::new(2)).add(Flatten).add(head)
}

#[test]
fn shapes_that_do_not_fit() {
    let block = |shortcut: bool| {
        let block = Residual::new(Sequential::new().add(Conv2d::new(3, 8, 1)));
        Sequential::new().add(if shortcut { block.shortcut(Conv2d::new(3, 8, 3)) } else { block })
    };
    let table: [(&str, Sequential, &[usize]); 26] = [
        ("the Linear behind Flatten has the wrong size", cnn(Linear::new(512, 10)), &[2, 32, 32, 3]),
        (
            "the same, fused with a ReLU",
            cnn(Sequential::new().add(Linear::new(512, 10)).add(ReLU)),
            &[2, 32, 32, 3],
        ),
        ("images in PyTorch's order", cnn(Linear::new(2048, 10)), &[2, 3, 32, 32]),
        ("an image without a batch", cnn(Linear::new(2048, 10)), &[32, 32, 3]),
        ("flat images", cnn(Linear::new(2048, 10)), &[2, 3072]),
        ("too small for the pool", cnn(Linear::new(8, 10)), &[2, 1, 1, 3]),
        ("too small for the kernel", Sequential::new().add(Conv2d::new(3, 8, 5)), &[2, 4, 4, 3]),
        ("no Flatten", Sequential::new().add(Conv2d::new(3, 8, 1)).add(Linear::new(128, 10)), &[2, 4, 4, 3]),
        ("pooled twice", Sequential::new().add(GlobalAvgPool2d).add(GlobalAvgPool2d), &[2, 4, 4, 3]),
        ("another number of channels", Sequential::new().add(BatchNorm2d::new(8)), &[2, 4, 4, 3]),
        ("PyTorch's order, a pool", Sequential::new().add(MaxPool2d::new(2)), &[2, 1, 28, 28]),
        ("PyTorch's order, batch norm", Sequential::new().add(BatchNorm2d::new(3)), &[2, 3, 8, 8]),
        ("PyTorch's order, a sequence", Sequential::new().add(Conv1d::new(3, 8, 3)), &[2, 3, 9]),
        ("PyTorch's order, a mirror", Sequential::new().add(ReflectionPad2d::new(4)), &[2, 3, 8, 8]),
        (
            "PyTorch's order, a smaller image",
            Sequential::new().add(Upsample::scale_factor(0.2)),
            &[2, 3, 32, 32],
        ),
        (
            "PyTorch's order, each image normalised",
            Sequential::new().add(InstanceNorm2d::new(3)),
            &[2, 3, 8, 8],
        ),
        (
            "PyTorch's order, groups without parameters",
            Sequential::new().add(GroupNorm::new(2, 6).affine(false)),
            &[2, 6, 4, 4],
        ),
        (
            "PyTorch's order, batch norm without parameters",
            Sequential::new().add(BatchNorm2d::new(3).affine(false).track_running_stats(false)),
            &[2, 3, 8, 8],
        ),
        ("tokens of another size", Sequential::new().add(MultiheadAttention::new(8, 2)), &[2, 5, 7]),
        (
            "the same, in a transformer",
            Sequential::new().add(TransformerEncoderLayer::new(8, 2).norm_first(true)),
            &[2, 5, 7],
        ),
        ("a border around a sequence", Sequential::new().add(ZeroPad2d::new(1)), &[2, 9, 3]),
        ("a mirror that is too small", Sequential::new().add(ReflectionPad2d::new(2)), &[2, 2, 9, 3]),
        (
            "branches of different shapes",
            Sequential::new().add(Parallel::sum().add(ReLU).add_named("pool", MaxPool2d::new(2))),
            &[2, 4, 4, 3],
        ),
        (
            "the same, one after the other",
            Sequential::new().add(Parallel::concat(3).add(ReLU).add(MaxPool2d::new(2))),
            &[2, 4, 4, 3],
        ),
        ("a body that changes the shape", block(false), &[2, 4, 4, 3]),
        ("a shortcut that makes another shape", block(true), &[2, 4, 4, 3]),
    ];
    let report: Vec<String> =
        table.into_iter().map(|(what, net, shape)| format!("{what}:\n    {}", says(net, shape))).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn options_that_cannot_be() {
    let within =
        |layer: Box<dyn Layer>| Sequential::new().add_named("body", Sequential::new().add(ReLU).add(layer));
    let report = [
        message(|| Dropout::new(1.5)),
        message(|| StochasticDepth::new(-0.5, StochasticDepthMode::Row)),
        message(|| nn::build(GroupNorm::new(4, 6), 0)),
        says(Sequential::new().add(InstanceNorm2d::new(8)), &[2, 8, 4, 4]),
        says(Sequential::new().add(LayerNorm::new([4])), &[2, 4, 8]),
        message(|| nn::build(Conv2d::new(4, 6, 3).groups(4), 0)),
        message(|| nn::build(within(Box::new(Conv2d::new(4, 6, 3).groups(4))), 0)),
        message(|| nn::build(within(Box::new(GroupNorm::new(4, 6))), 0)),
        message(|| nn::build(Conv2d::new(4, 6, 3).groups(0), 0)),
        says(Sequential::new().add(Conv2d::new(3, 8, 3).stride(0)), &[2, 4, 4, 3]),
        says(Sequential::new().add(MaxPool2d::new(2).padding(2)), &[2, 4, 4, 3]),
        message(|| nn::build(Conv2d::new(3, 8, 3).padding_same().stride(2), 0)),
        message(|| nn::build(ConvTranspose2d::new(4, 6, 3).groups(4), 0)),
        message(|| nn::build(Conv1d::new(4, 6, 3).groups(4), 0)),
        says(Sequential::new().add(ConvTranspose2d::new(3, 8, 3).output_padding(1)), &[2, 4, 4, 3]),
        says(Sequential::new().add(Parallel::sum()), &[2, 4, 4, 3]),
        message(|| (0..33).fold(Parallel::sum(), |parallel, _| parallel.add(ReLU))),
        message(|| MultiheadAttention::new(8, 3)),
        message(|| MultiheadAttention::new(8, 2).dropout(1.5)),
        message(|| TransformerEncoderLayer::new(8, 3)),
        message(|| TransformerDecoderLayer::new(8, 2).dropout(-1.0)),
        message(|| Embedding::new(5, 2).padding_idx(5)),
        message(|| MultiheadAttention::new(8, 2).rotary(RotaryPositions::new(2))),
    ];
    insta::assert_snapshot!(report.join("\n"));
}

/// What an LSTM of two layers says to sequences of this shape with these lengths, given an h of some layers and perhaps a
/// c of some.
fn lstm_says(shape: &[usize], lengths: &[u32], n_layers: [Option<usize>; 2]) -> String {
    let (net, mut params) = nn::build(LSTM::new(3, 4).num_layers(2), 0);
    let mut tape = Tape::new();
    message(|| {
        let g = tape.begin(&mut params, Mode::train(0, 0));
        let zeros = |dims: &[usize]| g.input(dims, &vec![0.0; dims.iter().product()]);
        let [h, cell] = n_layers.map(|n| n.map(|n| zeros(&[2, n, 4])));
        let state = h.map(|hidden| State { hidden, cell });
        let lengths = Some(g.indices(lengths));
        g.scope("rnn", |g| net.run(g, zeros(shape), Sequences { lengths, state }))
    })
}

#[test]
fn sequences_that_do_not_fit() {
    let report = [
        message(|| LSTM::new(3, 0)),
        message(|| GRU::new(3, 4).num_layers(0)),
        message(|| GRU::new(3, 4).dropout(2.0)),
        lstm_says(&[5, 3], &[], [None, None]),
        lstm_says(&[2, 5, 4], &[5, 5], [None, None]),
        lstm_says(&[2, 3, 5], &[5, 5], [None, None]),
        lstm_says(&[2, 5, 3], &[5, 0], [None, None]),
        lstm_says(&[2, 5, 3], &[6, 5], [None, None]),
        lstm_says(&[2, 5, 3], &[5], [None, None]),
        lstm_says(&[2, 5, 3], &[5, 5], [Some(2), None]),
        lstm_says(&[2, 5, 3], &[5, 5], [Some(2), Some(1)]),
    ];
    insta::assert_snapshot!(report.join("\n"));
}

/// What this says to a graph with zeros of these shapes.
fn of_zeros(
    params: &mut Params,
    shapes: [[usize; 3]; 3],
    run: impl FnOnce(&Graph<'_>, [Var; 3]) -> Var,
) -> String {
    let mut tape = Tape::new();
    message(|| {
        let g = tape.begin(params, Mode::train(0, 0));
        let inputs = shapes.map(|shape| g.input(shape, &vec![0.0; shape.iter().product()]));
        g.scope("body", |g| run(g, inputs))
    })
}

#[test]
fn queries_keys_values_and_memories_that_do_not_fit() {
    let (attention, mut params) = nn::build(MultiheadAttention::new(8, 2).kdim(6).vdim(3), 0);
    let mut attends =
        |shapes| of_zeros(&mut params, shapes, |g, inputs| attention.attend(g, inputs, Masks::default()));
    let mut report = vec![
        attends([[2, 5, 7], [2, 4, 6], [2, 4, 3]]),
        attends([[2, 5, 8], [2, 4, 8], [2, 4, 3]]),
        attends([[2, 5, 8], [2, 4, 6], [2, 4, 8]]),
        attends([[2, 5, 8], [2, 6, 4], [2, 3, 4]]),
        attends([[2, 5, 8], [2, 4, 6], [2, 5, 3]]),
    ];
    let (decoder, mut params) = nn::build(TransformerDecoderLayer::new(8, 2), 0);
    let mut decodes =
        |shapes| of_zeros(&mut params, shapes, |g, [x, memory, _]| decoder.forward(g, (x, memory)));
    report.push(decodes([[2, 5, 1], [2, 4, 8], [0; 3]]));
    report.push(decodes([[2, 5, 8], [2, 4, 6], [0; 3]]));
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn a_model_that_was_never_built() {
    let net = Sequential::new().add(Linear::new(2, 3));
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::eval());
    let x = g.input([1, 2], &[0.0; 2]);
    assert_eq!(
        message(|| net.forward(&g, x)),
        "Linear(in_features=2, out_features=3, bias=True) has no parameters yet: pass the model through nn::build \
         before it is run"
    );
}

#[test]
fn two_children_of_one_name() {
    #[derive(Clone, Debug)]
    struct Twins(Child<Linear>, Child<Linear>);
    impl Layer for Twins {
        fn register(&mut self, scope: &mut nn::Scope<'_>) {
            scope.layer(&mut self.0);
            scope.layer(&mut self.1);
        }
        fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
            let y = self.0.forward(g, x);
            self.1.forward(g, y)
        }
    }
    let child = || Child::new("fc", Linear::new(2, 2));
    let twins = Twins(child(), child());
    assert_eq!(
        message(|| nn::build(twins, 0)),
        "Params::add: there is already a parameter named \"fc.weight\"; give each a name of its own"
    );
}
