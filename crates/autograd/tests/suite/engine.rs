//! What the tape promises: sharing, freezing, detaching, accumulating, and gradients that are never stale.

use crate::numbers::numbers;
use crate::weights::weight;
use autograd::{Mode, ParamId, Params, Reduction, Role, Tape, Var};
use proptest::prelude::*;
use tensor::activation::Activation;

fn params_of(values: &[f32]) -> (Params, ParamId) {
    let mut params = Params::new();
    let id = params.add("w", [values.len()], Role::Trainable);
    params.value_mut(id).copy_from_slice(values);
    (params, id)
}

#[test]
fn a_value_used_several_times_gets_the_sum_of_the_gradients() {
    let (mut params, w) = params_of(&[3.0]);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    // y = w² + 5w + w·w² by three ways, so dy = 2w + 5 + 3w².
    let w_var = g.param(w);
    let square = g.retain_grad(g.mul(w_var, w_var));
    let five = g.scale(w_var, 5.0);
    let cube = g.mul(square, w_var);
    let y = g.add(square, five);
    let y = g.add(y, cube);
    let loss = g.sum(y);
    g.backward(loss);
    assert_eq!(g.grad(w_var), Some(&[38.0][..]));
    assert_eq!(g.grad(square), Some(&[4.0][..]), "1 + w");
}

#[test]
fn a_parameter_recorded_twice_is_shared() {
    let (mut params, w) = params_of(&[3.0, 4.0]);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (a, b) = (g.param(w), g.param(w));
    let y = g.mul(a, b);
    let loss = g.sum(y);
    g.backward(loss);
    drop(g);
    assert_eq!(params.grad(w), &[6.0, 8.0]);
}

#[test]
fn frozen_entries_and_statistics_get_no_gradient() {
    for role in [Role::Trainable, Role::Statistic] {
        let (mut params, w) = params_of(&[3.0]);
        let frozen = params.add("frozen", [1], role);
        params.value_mut(frozen)[0] = 2.0;
        if role == Role::Trainable {
            params.grads_mut().fill(7.0);
            params.freeze("frozen").unwrap();
        }
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let (a, b) = (g.param(w), g.param(frozen));
        let loss = g.mul(a, b);
        g.backward(loss);
        assert_eq!((g.grad(a), g.grad(b)), (Some(&[2.0][..]), None));
        drop(g);
        assert_eq!(params.grads(), &[2.0, 0.0]);
    }
}

#[test]
fn no_gradient_flows_through_detach() {
    let (mut params, w) = params_of(&[3.0]);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let w = g.param(w);
    let square = g.mul(w, w);
    let constant = g.detach(square);
    assert_eq!(g.value(constant), &[9.0]);
    let loss = g.mul(constant, w);
    g.backward(loss);
    assert_eq!((g.grad(w), g.grad(square), g.grad(constant)), (Some(&[9.0][..]), None, None));
}

#[test]
fn without_gradients_values_are_the_same_and_nothing_is_differentiated() {
    let (mut params, w) = params_of(&[3.0, -1.0]);
    params.grads_mut().fill(7.0);
    let mut tape = Tape::new();
    let modes =
        [Mode::train(0, 0), Mode::train(0, 0).with_grad(false), Mode::eval(), Mode::eval().with_grad(true)];
    for mode in modes {
        let mut g = tape.begin(&mut params, mode);
        let (w, x) = (g.param(w), g.variable([2], &[2.0, 5.0]));
        let y = g.mul(w, x);
        let loss = g.sum(y);
        assert_eq!(g.scalar(loss), 1.0);
        if mode.grad {
            g.backward(loss);
            assert_eq!((g.grad(w), g.grad(x)), (Some(&[2.0, 5.0][..]), Some(&[3.0, -1.0][..])));
        }
    }
    assert_eq!(params.grads(), &[2.0, 5.0], "the last step with gradients");
}

#[test]
fn only_variables_among_the_leaves_get_a_gradient() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (x, c) = (g.variable([2], &[1.0, 2.0]), g.input([2], &[3.0, 4.0]));
    let unused = g.variable([1], &[1.0]);
    let y = g.mul(x, c);
    let loss = g.sum(y);
    g.backward(loss);
    assert_eq!(g.grad(x), Some(&[3.0, 4.0][..]));
    assert_eq!((g.grad(c), g.grad(unused)), (None, None));
}

#[test]
fn a_view_shares_value_and_gradient() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let x = g.variable([2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let rows = g.reshape(x, [3, 2]);
    let left = g.sum(rows);
    let right = g.mul(x, x);
    let right = g.sum(right);
    let y = g.add(left, right);
    let loss = g.reshape(y, [1, 1]);
    g.backward(loss);
    assert_eq!(g.shape(rows).dims(), [3, 2]);
    assert_eq!(g.grad(x), Some(&[3.0, 5.0, 7.0, 9.0, 11.0, 13.0][..]));
    assert_eq!(g.grad(rows), g.grad(x));
}

#[test]
fn the_gradient_of_a_skipped_branch_is_zero_and_not_last_steps() {
    let mut params = Params::new();
    let (a, b) = (params.add("a", [2], Role::Trainable), params.add("b", [2], Role::Trainable));
    params.values_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    let mut tape = Tape::new();
    for (step, take_b) in [true, false, true].into_iter().enumerate() {
        let mut g = tape.begin(&mut params, Mode::train(0, step as u64));
        let mut y = g.param(a);
        if take_b {
            let b = g.param(b);
            y = g.mul(y, b);
        }
        let loss = g.sum(y);
        g.backward(loss);
        drop(g);
        let expected = if take_b { [3.0, 4.0, 1.0, 2.0] } else { [1.0, 1.0, 0.0, 0.0] };
        assert_eq!(params.grads(), &expected, "step {step}");
    }
}

#[test]
fn what_does_not_lead_to_the_loss_is_not_differentiated() {
    let (mut params, w) = params_of(&[-1.0]);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let w = g.param(w);
    let loss = g.scale(w, 2.0);
    // NaN, and recorded after the loss as well as beside it.
    let root = g.sqrt(w);
    let beside = g.mul(root, w);
    g.backward(loss);
    assert_eq!((g.grad(w), g.grad(root), g.grad(beside)), (Some(&[2.0][..]), None, None));
}

#[test]
fn one_tape_takes_graphs_of_changing_size() {
    let (mut params, w) = params_of(&[1.0, 2.0, 3.0, 4.0]);
    let mut tape = Tape::new();
    for n in [4, 1, 3, 2, 4] {
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let w = g.param(w);
        let mut y = g.slice(w, 0, 0..n);
        for _ in 0..n {
            y = g.mul(y, y);
        }
        let loss = g.sum(y);
        g.backward(loss);
        drop(g);
        // d x^(2ⁿ) = 2ⁿ · x^(2ⁿ − 1) in the slice, and 0 behind it.
        let power = 1 << n;
        let expected =
            |x: i32| if x as usize <= n { (power as f32) * (x as f32).powi(power - 1) } else { 0.0 };
        let expected: Vec<f32> = (1..=4).map(expected).collect();
        for (actual, expected) in params.grads().iter().zip(&expected) {
            assert!((actual - expected).abs() <= 1e-5 * expected.abs(), "{:?}, {expected:?}", params.grads());
        }
    }
}

#[test]
fn what_was_made_under_a_path_is_named_and_random_by_it() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let drops =
        |tape: &mut Tape, params: &mut Params, seed: u64, step: u64, path: &[&str], n_before: usize| {
            let g = tape.begin(params, Mode::train(seed, step));
            let x = g.input([64], &[1.0; 64]);
            fn within(g: &autograd::Graph<'_>, path: &[&str], x: Var, n_before: usize) -> Var {
                match path {
                    [] => {
                        (0..n_before).for_each(|_| _ = g.dropout(x, 0.5));
                        g.dropout(x, 0.5)
                    }
                    [first, rest @ ..] => g.scope(first, |g| within(g, rest, x, n_before)),
                }
            }
            let y = within(&g, path, x, n_before);
            g.value(y).to_vec()
        };
    let mut draw = |seed, step, path: &[&str], n| drops(&mut tape, &mut params, seed, step, path, n);
    let first = draw(1, 1, &["a", "b"], 0);
    assert_eq!(first, draw(1, 1, &["a", "b"], 0), "the same seed, step, path and count");
    let others = [
        draw(2, 1, &["a", "b"], 0),
        draw(1, 2, &["a", "b"], 0),
        draw(1, 1, &["a", "c"], 0),
        draw(1, 1, &["ab"], 0),
        draw(1, 1, &["b", "a"], 0),
        draw(1, 1, &[], 0),
        draw(1, 1, &["a", "b"], 1),
    ];
    for (i, other) in others.iter().enumerate() {
        assert_ne!(&first, other, "case {i}");
        assert!(others[..i].iter().all(|earlier| earlier != other), "case {i} repeats an earlier one");
    }
}

#[test]
fn a_layer_that_runs_twice_draws_twice() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(1, 1));
    let x = g.input([64], &[1.0; 64]);
    let layer = || g.scope("a", |g| g.dropout(x, 0.5));
    let (first, second) = (layer(), layer());
    assert_ne!(g.value(first), g.value(second));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Σ over micro-batches of the gradient of each one's share of the loss is the gradient of the whole.
    #[test]
    fn accumulated_micro_batches_equal_the_whole(n_first in 1..7usize, n_second in 1..7usize, seed in 0..1000u64) {
        let (n, n_in, n_out) = (n_first + n_second, 5, 3);
        let (x, t) = (numbers(n * n_in, seed), numbers(n * n_out, seed + 1));
        let mut params = Params::new();
        let (w, b) = (weight(&mut params, "w", &[n_out, n_in]), weight(&mut params, "b", &[n_out]));
        let unused = weight(&mut params, "unused", &[2]);
        let mut tape = Tape::new();
        let mut step = |params: &mut Params, rows: std::ops::Range<usize>, mode: Mode| {
            let mut g = tape.begin(params, mode);
            let inputs = g.input([rows.len(), n_in], &x[rows.start * n_in..rows.end * n_in]);
            let targets = g.input([rows.len(), n_out], &t[rows.start * n_out..rows.end * n_out]);
            let (w, b) = (g.param(w), g.param(b));
            let y = g.linear_activation(inputs, w, Some(b), Activation::Relu);
            let loss = g.mse_loss(y, targets, Reduction::Sum);
            let loss = g.scale(loss, 1.0 / n as f32);
            g.backward(loss);
        };
        let mode = Mode::train(0, 0);
        params.grads_mut().fill(f32::NAN);
        step(&mut params, 0..n, mode);
        let whole = params.grads().to_vec();
        params.grads_mut().fill(f32::NAN);
        step(&mut params, 0..n_first, mode);
        step(&mut params, n_first..n, mode.accumulate());
        for (sum, whole) in params.grads().iter().zip(&whole) {
            prop_assert!((sum - whole).abs() <= 1e-5, "{sum} and {whole}");
        }
        prop_assert_eq!(params.grad(unused), &[0.0, 0.0]);
    }
}

#[test]
fn calls_nest_and_a_value_can_be_read_while_more_is_recorded() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let x = g.variable([2], &[-1.0, 2.0]);
    let read = g.value(x);
    let y = (0..100).fold(x, |y, _| g.relu(g.add(y, x)));
    assert_eq!((read, g.value(y)), (&[-1.0, 2.0][..], &[0.0, 202.0][..]));
    let loss = g.sum(y);
    g.backward(loss);
    assert_eq!(g.grad(x), Some(&[0.0, 101.0][..]));
}
