//! The running statistics of batch normalisation: when they move, and how far.

use crate::numbers::numbers;
use autograd::{BatchNormOptions, Mode, ParamId, Params, Role, Tape};
use proptest::prelude::*;

/// A network of one batch normalisation, whose statistics are as PyTorch starts them.
fn statistics(params: &mut Params, channels: usize) -> [ParamId; 2] {
    let [mean, var] =
        ["running_mean", "running_var"].map(|name| params.add(name, [channels], Role::Statistic));
    params.value_mut(var).fill(1.0);
    [mean, var]
}

/// One step on `x[rows, channels]`; the number of times that the layer is used is free.
fn step(
    (tape, params): (&mut Tape, &mut Params),
    ids: [ParamId; 2],
    (x, channels): (&[f32], usize),
    options: BatchNormOptions,
    mode: Mode,
    n_uses: usize,
) -> Vec<f32> {
    let mut g = tape.begin(params, mode);
    let mut y = g.variable([x.len() / channels, channels], x);
    for _ in 0..n_uses {
        let running = ids.map(|id| g.param(id));
        y = g.batch_norm(y, &running, [None, None], options);
    }
    let (output, loss) = (g.value(y).to_vec(), g.sum(y));
    if mode.grad {
        g.backward(loss);
    }
    output
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// running = (1 − momentum) · running + momentum · batch, with the unbiased variance.
    #[test]
    fn statistics_move_towards_the_batch(
        rows in 2..20usize, channels in 1..4usize, momentum in 0.0..1.0f32, seed in 0..1000u64,
    ) {
        let x = numbers(rows * channels, seed);
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let ids = statistics(&mut params, channels);
        let options = BatchNormOptions { momentum: Some(momentum), ..Default::default() };
        let (mut mean, mut var) = (vec![0.0; channels], vec![1.0; channels]);
        for n in 0..3 {
            step((&mut tape, &mut params), ids, (&x, channels), options, Mode::train(0, n), 1);
            for c in 0..channels {
                let column: Vec<f64> = x.iter().skip(c).step_by(channels).map(|&v| f64::from(v)).collect();
                let batch_mean = column.iter().sum::<f64>() / rows as f64;
                let squares = column.iter().map(|v| (v - batch_mean).powi(2)).sum::<f64>();
                let keep = 1.0 - f64::from(momentum);
                mean[c] = keep * mean[c] + f64::from(momentum) * batch_mean;
                var[c] = keep * var[c] + f64::from(momentum) * squares / (rows - 1) as f64;
            }
            for (id, expected) in ids.into_iter().zip([&mean, &var]) {
                for (actual, expected) in params.value(id).iter().zip(expected) {
                    prop_assert!((f64::from(*actual) - expected).abs() < 1e-6, "{actual} {expected}");
                }
            }
        }
    }
}

#[test]
fn they_move_with_backward_in_training_and_not_otherwise() {
    let x = [1.0, 2.0, 3.0, 6.0];
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let ids = statistics(&mut params, 2);
    let before = params.values().to_vec();
    let mut run = |mode, n_uses| {
        let output = step((&mut tape, &mut params), ids, (&x, 2), BatchNormOptions::default(), mode, n_uses);
        (output, params.values().to_vec())
    };
    let (in_training, after) = run(Mode::train(0, 0).with_grad(false), 1);
    assert_eq!(after, before, "there was no backward");
    for mode in [Mode::eval(), Mode::eval().with_grad(true)] {
        let (output, after) = run(mode, 1);
        assert_eq!(after, before, "evaluation");
        assert_ne!(output, in_training);
    }
    let (output, after) = run(Mode::train(0, 0), 1);
    assert_eq!(output, in_training, "the batch's own statistics");
    assert_ne!(after, before);
}

#[test]
fn a_layer_used_twice_learns_from_both() {
    let options = BatchNormOptions { momentum: Some(0.5), eps: 0.0 };
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let ids = statistics(&mut params, 1);
    // The first use sees mean 2 and unbiased variance 2, the second mean 0 and unbiased variance 2.
    step((&mut tape, &mut params), ids, (&[1.0, 3.0], 1), options, Mode::train(0, 0), 2);
    assert_eq!(params.value(ids[0]), &[0.5]);
    assert_eq!(params.value(ids[1]), &[1.75]);
}
