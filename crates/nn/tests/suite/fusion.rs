//! Fused and unfused, a network computes the same to rounding: outputs, input gradients and parameter
//! gradients, on random shapes, options and weights.

use crate::common::uniform;
use autograd::{Mode, Params, Role, Tape};
use nn::{
    Approximate, BasicBlock, BatchNorm1d, BatchNorm2d, Conv2d, Flatten, GELU, GlobalAvgPool2d, Layer, Linear,
    MaxPool2d, PaddingMode, ReLU, Residual, Sequential, SiLU,
};
use proptest::prelude::*;

/// What one step computes: the output, the gradient of the input, those of the parameters, and the parameters, among
/// which are running statistics.
fn step(
    tape: &mut Tape,
    net: &impl Layer,
    params: &mut Params,
    mode: Mode,
    shape: &[usize],
    x: &[f32],
) -> [Vec<f32>; 4] {
    let mut g = tape.begin(params, mode);
    let x = g.variable(shape, x);
    let y = net.forward(&g, x);
    // A weighted sum, so that every output has a gradient of its own.
    let weights = uniform(77, g.shape(y).numel());
    let weights = g.input(g.shape(y), &weights);
    let weighted = g.mul(y, weights);
    let loss = g.sum(weighted);
    g.backward(loss);
    let (output, dx) = (g.value(y).to_vec(), g.grad(x).map(<[f32]>::to_vec).unwrap_or_default());
    drop(g);
    [output, dx, params.grads().to_vec(), params.values().to_vec()]
}

/// In training, fused and unfused agree to `tolerance` times the largest number of each kind.
fn assert_fusion_is_unseen(net: impl Fn() -> Sequential, shape: &[usize], x: &[f32], tolerance: f32) {
    assert_fusion_is_unseen_in(Mode::train(0, 0), net, shape, x, tolerance);
}

fn assert_fusion_is_unseen_in(
    mode: Mode,
    net: impl Fn() -> Sequential,
    shape: &[usize],
    x: &[f32],
    tolerance: f32,
) {
    let run = |fuse| {
        let (net, mut params) = nn::build(net().fuse(fuse), 3);
        for id in params.ids().filter(|&id| params.entry(id).role == Role::Statistic).collect::<Vec<_>>() {
            let values = params.value_mut(id);
            let numbers = uniform(11, values.len());
            values.iter_mut().zip(numbers).for_each(|(value, number)| *value = 1.0 + 0.5 * number);
        }
        step(&mut Tape::new(), &net, &mut params, mode, shape, x)
    };
    let (fused, unfused) = (run(true), run(false));
    for (what, (a, b)) in
        ["output", "dx", "parameter gradients", "parameters"].iter().zip(fused.iter().zip(&unfused))
    {
        assert_eq!(a.len(), b.len(), "{what}");
        let scale = b.iter().fold(1e-3_f32, |max, v| max.max(v.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: {a} fused, {b} unfused, scale {scale}");
        }
    }
}

/// Whether no maximum of a 2 × 2 window is nearly shared and no activation is nearly 0: there a
/// rounding decides where the gradient goes.
fn is_far_from_kinks(conv: Conv2d, relu: bool, shape: [usize; 4], x: &[f32]) -> bool {
    const MARGIN: f32 = 1e-4;
    let (conv, mut params) = nn::build(Sequential::new().add(conv), 3);
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let x = g.input(shape, x);
    let y = conv.forward(&g, x);
    let (dims, y) = (g.shape(y), g.value(y));
    let [n, h, w, c] = [dims[0], dims[1], dims[2], dims[3]];
    let window = |i: usize| {
        let (image, row, col, channel) =
            (i / (h / 2 * (w / 2) * c), i / (w / 2 * c) % (h / 2), i / c % (w / 2), i % c);
        let at = |r, s| y[((image * h + 2 * row + r) * w + 2 * col + s) * c + channel];
        let mut values = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
        values.sort_by(f32::total_cmp);
        values
    };
    (0..n * (h / 2) * (w / 2) * c)
        .map(window)
        .all(|v| v[3].abs() > MARGIN && ((relu && v[3] < 0.0) || v[3] - v[2] > MARGIN))
}

/// Appends one of the four activations that are fused.
fn add_activation(net: Sequential, activation: usize) -> Sequential {
    match activation {
        0 => net.add(ReLU),
        1 => net.add(GELU::default()),
        2 => net.add(GELU::new(Approximate::Tanh)),
        _ => net.add(SiLU),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn conv_pool(
        [n, h, w] in [1_usize..4, 2_usize..13, 2_usize..13],
        [c_in, c_out] in [1_usize..20, 1_usize..36],
        kernel_size in prop::sample::select(vec![1_usize, 3, 5]),
        [relu, bias] in [any::<bool>(); 2],
        stream in 0_u32..1000,
    ) {
        let conv = || Conv2d::new(c_in, c_out, kernel_size).padding(kernel_size / 2).bias(bias);
        let shape = [n, h, w, c_in];
        let x = uniform(stream, n * h * w * c_in);
        prop_assume!(is_far_from_kinks(conv(), relu, shape, &x));
        let net = || {
            let net = Sequential::new().add(conv());
            let net = if relu { net.add(ReLU) } else { net };
            net.add(MaxPool2d::new(2)).add(GlobalAvgPool2d)
        };
        assert_fusion_is_unseen(net, &shape, &x, 1e-5);
    }

    /// In training and evaluation: the same bits.
    #[test]
    fn linear_activation(
        [n, i, o] in [1_usize..40, 1_usize..70, 1_usize..70],
        [bias, training] in [any::<bool>(); 2],
        activation in 0_usize..4,
        stream in 0_u32..1000,
    ) {
        let x = uniform(stream, n * i);
        let net = || {
            let net = Sequential::new().add(Linear::new(i, o).bias(bias));
            add_activation(net, activation).add(Linear::new(o, 3))
        };
        let mode = if training { Mode::train(0, 0) } else { Mode::eval().with_grad(true) };
        assert_fusion_is_unseen_in(mode, net, &[n, i], &x, 0.0);
    }

    /// With every option that there is, in training and evaluation: the same bits.
    #[test]
    fn batch_norm_activation(
        [n, i, o] in [2_usize..40, 1_usize..20, 1_usize..90],
        [scale, bias, tracks, counts, training] in [any::<bool>(); 5],
        activation in 0_usize..4,
        eps in 1e-6_f32..1e-2,
        stream in 0_u32..1000,
    ) {
        let x = uniform(stream, n * i);
        let momentum = (!counts).then_some(0.3);
        let norm = || {
            let norm = BatchNorm1d::new(o).scale(scale).bias(bias).eps(eps);
            norm.track_running_stats(tracks).momentum(momentum)
        };
        let net = || add_activation(Sequential::new().add(Linear::new(i, o)).add(norm()), activation);
        let mode = if training { Mode::train(0, 0) } else { Mode::eval().with_grad(true) };
        assert_fusion_is_unseen_in(mode, net, &[n, i], &x, 0.0);
    }
}

/// In evaluation a batch norm goes into the convolution before it; in training it does not.
#[test]
fn conv_batch_norm() {
    let x = uniform(6, 3 * 13 * 11 * 4);
    for (case, (bias, affine)) in
        [(false, true), (true, true), (false, false), (true, false)].into_iter().enumerate()
    {
        let options = |conv: Conv2d| match case {
            0 => conv.padding(1),
            1 => conv.stride(2).groups(2),
            2 => conv.padding_same().padding_mode(PaddingMode::Reflect),
            _ => conv.dilation(2),
        };
        let net = || {
            let conv = options(Conv2d::new(4, 6, 3).bias(bias));
            Sequential::new().add(conv).add(BatchNorm2d::new(6).affine(affine).eps(1e-3)).add(ReLU)
        };
        for mode in [Mode::eval().with_grad(true), Mode::train(0, 0)] {
            let tolerance = if mode.training { 0.0 } else { 1e-5 };
            assert_fusion_is_unseen_in(mode, net, &[3, 13, 11, 4], &x, tolerance);
        }
    }
}

/// A layer that `eval_under` names runs in its own mode, and the others in theirs: the same bits.
#[test]
fn a_layer_that_evaluates_alone() {
    let x = uniform(7, 2 * 8 * 8 * 3);
    let nets: [fn() -> Sequential; 2] = [
        || Sequential::new().add(Conv2d::new(3, 7, 3)).add(BatchNorm2d::new(7)).add(ReLU),
        || Sequential::new().add(Conv2d::new(3, 7, 3)).add(ReLU).add(MaxPool2d::new(2)),
    ];
    for (net, path) in nets.into_iter().flat_map(|net| ["0", "1", "2"].map(|path| (net, path))) {
        let run = |fuse| {
            let (net, mut params) = nn::build(net().fuse(fuse), 3);
            let mut tape = Tape::new();
            tape.eval_under(path);
            step(&mut tape, &net, &mut params, Mode::train(0, 0), &[2, 8, 8, 3], &x)
        };
        assert_eq!(run(true), run(false), "eval_under({path:?})");
    }
}

/// The sum and the ReLU behind it: the same bits.
#[test]
fn residual_relu() {
    let x = uniform(3, 40 * 12);
    let block = || Residual::new(Linear::new(12, 12)).shortcut(Linear::new(12, 12));
    let net = || Sequential::new().add(Residual::new(Linear::new(12, 12))).add(ReLU).add(block()).add(ReLU);
    assert_fusion_is_unseen(net, &[40, 12], &x, 0.0);

    let x = uniform(4, 3 * 7 * 7 * 8);
    let net = || Sequential::new().add(BasicBlock::new(8, 12, 2)).add(BasicBlock::new(12, 12, 1));
    assert_fusion_is_unseen(net, &[3, 7, 7, 8], &x, 0.0);
}

#[test]
fn containers_within_follow_the_switch_and_nothing_shows() {
    let net = || {
        let block = Sequential::new().add(Conv2d::new(3, 16, 3).padding(1)).add(ReLU).add(MaxPool2d::new(2));
        Sequential::new().add(block).add(Flatten).add(Linear::new(256, 8)).add(ReLU)
    };
    let x = uniform(5, 2 * 8 * 8 * 3);
    assert_fusion_is_unseen(net, &[2, 8, 8, 3], &x, 1e-5);
    let ((fused, a), (unfused, b)) = (nn::build(net(), 0), nn::build(net().fuse(false), 0));
    assert_eq!(a.entries(), b.entries());
    assert_eq!(a.values(), b.values());
    assert_eq!(format!("{fused:?}"), format!("{unfused:?}"));
    assert_eq!(fused.summary(&a, [1, 8, 8, 3]), unfused.summary(&b, [1, 8, 8, 3]));
    let over = Sequential::over(net()).add(Linear::new(8, 2)).fuse(false);
    let unfused = nn::build(over, 0).0.config();
    assert_eq!(unfused.matches("fuse=False").count(), 3, "not all containers:\n{unfused}");
}
