//! L-BFGS against PyTorch 2.15, and by its properties.
//!
//! `tests/pytorch/record_lbfgs.py` made the record and says how to make it again. Both sides compute the
//! functions themselves and the steps amplify rounding: 1e-7 relative is held over ten calls (measured: 4e-9
//! at worst), and the number of evaluations exactly.

use optim::{Error, Lbfgs, LineSearch, Minimizer, Stop};
use proptest::prelude::*;
use serde_json::Value;

fn rosenbrock(w: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut loss = 0.0;
    for i in 0..w.len() - 1 {
        let (curve, offset) = (w[i + 1] - w[i] * w[i], 1.0 - w[i]);
        loss += 100.0 * curve * curve + offset * offset;
        g[i] += -400.0 * curve * w[i] - 2.0 * offset;
        g[i + 1] += 200.0 * curve;
    }
    loss
}

fn ripples(w: &[f64], g: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    for i in 0..w.len() {
        loss += 0.5 * w[i] * w[i] + (2.0 * w[i]).cos();
        g[i] = w[i] - 2.0 * (2.0 * w[i]).sin();
    }
    for i in 1..w.len() {
        loss += 0.1 * w[i] * w[i - 1];
        g[i] += 0.1 * w[i - 1];
        g[i - 1] += 0.1 * w[i];
    }
    loss
}

fn lbfgs(options: &Value) -> Lbfgs {
    let default = Lbfgs::default();
    let count = |name: &str| options[name].as_u64().map(|n| n as usize);
    let number = |name: &str, otherwise: f64| options[name].as_f64().unwrap_or(otherwise);
    Lbfgs {
        lr: number("lr", default.lr),
        max_iter: count("max_iter").unwrap_or(default.max_iter),
        max_eval: count("max_eval"),
        tolerance_grad: number("tolerance_grad", default.tolerance_grad),
        tolerance_change: number("tolerance_change", default.tolerance_change),
        history_size: count("history_size").unwrap_or(default.history_size),
        line_search: options["line_search_fn"].as_str().map(|_| LineSearch::StrongWolfe),
        maximize: options["maximize"] == true,
    }
}

#[test]
fn every_call_repeats_pytorch() {
    let record: Value = serde_json::from_str(include_str!("../pytorch/lbfgs.json")).unwrap();
    for case in record["cases"].as_array().unwrap() {
        let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
        let rule = lbfgs(&case["options"]);
        let function = if case["function"] == "rosenbrock" { rosenbrock } else { ripples };
        let mut w = numbers(&case["start"]);
        let mut state = rule.state(w.len()).unwrap();
        let mut n_evals = 0;
        for (call, point) in case["points"].as_array().unwrap().iter().enumerate() {
            let outcome = rule.minimize(&mut w, &mut state, |w, g| {
                n_evals += 1;
                let loss = function(w, g);
                if rule.maximize {
                    g.iter_mut().for_each(|g| *g = -*g);
                    return -loss;
                }
                loss
            });
            assert!(outcome.n_evals <= n_evals && outcome.n_iters <= rule.max_iter);
            let label = format!("{} {} call {call}", case["function"], case["options"]);
            assert_eq!(n_evals as u64, case["evals"][call].as_u64().unwrap(), "{label}: evaluations");
            for (w, expected) in w.iter().zip(numbers(point)) {
                assert!(
                    (w - expected).abs() < 1e-7 * (1.0 + expected.abs()),
                    "{label}: {w} should be {expected}"
                );
            }
        }
    }
}

#[test]
fn stops_say_why() {
    let minimize = |rule: Lbfgs, start: &[f64]| {
        let mut w = start.to_vec();
        let mut state = rule.state(w.len()).unwrap();
        rule.minimize(&mut w, &mut state, rosenbrock)
    };
    let searching = Lbfgs { line_search: Some(LineSearch::StrongWolfe), max_iter: 200, ..Lbfgs::default() };
    let optimum = minimize(searching, &[1.0, 1.0]);
    assert_eq!((optimum.stop, optimum.n_iters, optimum.n_evals), (Stop::Optimal, 0, 1));
    let converged = minimize(searching, &[-1.2, 1.0]);
    assert!(matches!(converged.stop, Stop::Optimal | Stop::NoProgress), "{converged:?}");
    assert!(converged.loss < 1e-8 && converged.initial_loss > 24.0, "{converged:?}");
    assert_eq!(
        minimize(Lbfgs { max_iter: 3, max_eval: Some(50), ..searching }, &[-1.2, 1.0]).stop,
        Stop::MaxIter
    );
    assert_eq!(minimize(Lbfgs { max_iter: 0, ..searching }, &[-1.2, 1.0]).stop, Stop::MaxIter);
    assert_eq!(minimize(Lbfgs { max_eval: Some(4), ..searching }, &[-1.2, 1.0]).stop, Stop::MaxEval);
    assert_eq!(minimize(Lbfgs { tolerance_change: 1e9, ..searching }, &[-1.2, 1.0]).stop, Stop::NoProgress);
}

#[test]
fn a_single_iteration_with_a_search_moves_or_says_why_not() {
    let one = Lbfgs { line_search: Some(LineSearch::StrongWolfe), max_iter: 1, ..Lbfgs::default() };
    let (mut w, mut state) = ([-1.2, 1.0], one.state(2).unwrap());
    let outcomes: Vec<_> = (0..60).map(|_| one.minimize(&mut w, &mut state, rosenbrock)).collect();
    assert!(w.iter().all(|w| (w - 1.0).abs() < 1e-4), "{w:?}");
    assert_eq!(outcomes[0].stop, Stop::MaxIter);

    let starved = Lbfgs { max_eval: Some(1), ..one };
    let (mut w, mut state) = ([-1.2, 1.0], starved.state(2).unwrap());
    let outcome = starved.minimize(&mut w, &mut state, rosenbrock);
    assert_eq!((w, outcome.stop), ([-1.2, 1.0], Stop::MaxEval));
}

/// The first trial lies where the logarithm is undefined.
#[test]
fn a_search_turns_back_from_where_the_function_is_undefined() {
    let rule = Lbfgs {
        lr: 10.0,
        line_search: Some(LineSearch::StrongWolfe),
        max_iter: usize::MAX, // until it converges
        ..Lbfgs::default()
    };
    let (mut w, mut state) = ([3.0f64], rule.state(1).unwrap());
    let outcome = rule.minimize(&mut w, &mut state, |w, g| {
        g[0] = 1.0 - 1.0 / w[0];
        w[0] - w[0].ln()
    });
    assert!((w[0] - 1.0).abs() < 1e-3, "{w:?} {outcome:?}");

    // Undefined everywhere but at the start.
    let rule = Lbfgs { max_iter: 3, ..rule };
    let (mut w, mut state) = ([3.0f64], rule.state(1).unwrap());
    let outcome = rule.minimize(&mut w, &mut state, |w, g| {
        g[0] = 1.0;
        if w[0] == 3.0 { 5.0 } else { f64::NAN }
    });
    assert_eq!((w, outcome.loss), ([3.0], 5.0));
}

/// Each of the two reasons for which there is no progress, without the other.
#[test]
fn a_short_step_and_a_loss_that_stays_both_end_it() {
    let minimize = |rule: Lbfgs, slope: f64, loss: fn(f64) -> f64| {
        let (mut w, mut state) = ([1.0], rule.state(1).unwrap());
        let outcome = rule.minimize(&mut w, &mut state, |w, g| {
            g[0] = slope;
            loss(w[0])
        });
        (outcome.stop, outcome.n_iters)
    };
    // Steps of lr/1e6·1e6 along a steep slope: the loss changes by a thousand.
    let short = Lbfgs { lr: 1e-3, tolerance_change: 2e-3, ..Lbfgs::default() };
    assert_eq!(minimize(short, 1e6, |w| 1e6 * w), (Stop::NoProgress, 1));
    let flat = Lbfgs::default();
    assert_eq!(minimize(flat, 1.0, |_| 5.0), (Stop::NoProgress, 1));
    // A change has to be less than the tolerance.
    assert_eq!(minimize(Lbfgs { tolerance_change: 0.0, ..flat }, 1.0, |_| 5.0), (Stop::MaxIter, 20));
}

#[test]
fn climbing_tells_the_functions_own_values() {
    let rule = Lbfgs {
        maximize: true,
        line_search: Some(LineSearch::StrongWolfe),
        max_iter: 200,
        ..Lbfgs::default()
    };
    let mut w = [-1.2, 1.0];
    let mut state = rule.state(2).unwrap();
    let outcome = rule.minimize(&mut w, &mut state, |w, g| {
        let loss = rosenbrock(w, g);
        g.iter_mut().for_each(|g| *g = -*g);
        -loss
    });
    assert!((outcome.initial_loss + 24.2).abs() < 1e-12, "{outcome:?}");
    assert!(outcome.loss <= 0.0 && outcome.loss > -1e-8, "{outcome:?}");
}

#[test]
fn rosenbrock_in_fifty_dimensions_is_solved_in_500_evaluations_in_both_types() {
    let rule = Lbfgs {
        line_search: Some(LineSearch::StrongWolfe),
        max_iter: 400,
        max_eval: Some(500),
        ..Lbfgs::default()
    };
    let mut w = vec![-0.5; 50];
    let mut state = rule.state(50).unwrap();
    let outcome = rule.minimize(&mut w, &mut state, rosenbrock);
    assert!(w.iter().all(|w| (w - 1.0).abs() < 1e-5), "{outcome:?} {w:?}");

    let mut w = vec![-0.5f32; 10];
    let mut state = rule.state(10).unwrap();
    rule.minimize(&mut w, &mut state, |w, g| {
        let w: Vec<f64> = w.iter().map(|&w| w.into()).collect();
        let mut wide = vec![0.0; w.len()];
        let loss = rosenbrock(&w, &mut wide);
        g.iter_mut().zip(&wide).for_each(|(g, &wide)| *g = wide as f32);
        loss as f32
    });
    assert!(w.iter().all(|w| (w - 1.0).abs() < 1e-2), "{w:?}");
}

#[test]
fn counts_of_zero_are_refused() {
    let refused = |rule: Lbfgs| Minimizer::<f64>::state(&rule, 3).unwrap_err().to_string();
    assert_eq!(
        refused(Lbfgs { history_size: 0, ..Lbfgs::default() }),
        "lbfgs: history_size = 0 is outside [1, ∞)"
    );
    assert_eq!(
        refused(Lbfgs { max_eval: Some(0), ..Lbfgs::default() }),
        "lbfgs: max_eval = 0 is outside [1, ∞)"
    );
    assert!(matches!(
        Minimizer::<f64>::state(&Lbfgs { tolerance_grad: f64::NAN, ..Lbfgs::default() }, 3),
        Err(Error::Hyperparameter { field: "tolerance_grad", .. })
    ));
}

#[test]
#[should_panic(expected = "lbfgs: values has 3 elements, state 2")]
fn a_state_of_another_length_panics() {
    let rule = Lbfgs::default();
    let mut state = rule.state(2).unwrap();
    rule.minimize(&mut [0.0f64; 3], &mut state, |_, _| 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_line_search_never_climbs(start in proptest::collection::vec(-3.0..3.0f64, 2..7), lr in 0.01..30.0f64) {
        let rule = Lbfgs { lr, line_search: Some(LineSearch::StrongWolfe), max_iter: 1, max_eval: Some(30), ..Lbfgs::default() };
        let mut w = start;
        let mut state = rule.state(w.len()).unwrap();
        let mut scratch = vec![0.0; w.len()];
        for _ in 0..20 {
            let before = ripples(&w, &mut scratch);
            rule.minimize(&mut w, &mut state, ripples);
            prop_assert!(ripples(&w, &mut scratch) <= before + 1e-12 * before.abs());
        }
    }

    #[test]
    fn a_line_search_ends_where_the_strong_wolfe_conditions_hold(
        start in proptest::collection::vec(0.1..3.0f64, 1..6), curvatures in proptest::collection::vec(0.1..10.0f64, 6), lr in 0.01..100.0f64,
    ) {
        let objective = |w: &[f64], g: &mut [f64]| {
            g.iter_mut().zip(w.iter().zip(&curvatures)).for_each(|(g, (w, c))| *g = c * w);
            w.iter().zip(&curvatures).map(|(w, c)| c * w * w / 2.0).sum()
        };
        let rule = Lbfgs { lr, line_search: Some(LineSearch::StrongWolfe), max_iter: 1, max_eval: Some(40), ..Lbfgs::default() };
        let (mut w, mut grads) = (start.clone(), (vec![0.0; start.len()], vec![0.0; start.len()]));
        let mut state = rule.state(w.len()).unwrap();
        let outcome = rule.minimize(&mut w, &mut state, objective);
        let losses: (f64, f64) = (objective(&start, &mut grads.0), objective(&w, &mut grads.1));
        prop_assert_eq!(losses, (outcome.initial_loss, outcome.loss));
        // The first direction is −g.
        let along = |g: &[f64]| -grads.0.iter().zip(g).map(|(d, g)| d * g).sum::<f64>();
        let (slope_before, slope) = (along(&grads.0), along(&grads.1));
        let t = (start[0] - w[0]) / grads.0[0];
        prop_assert!(losses.1 <= losses.0 + 1e-4 * t * slope_before, "{:?} at {}", outcome, t);
        prop_assert!(slope.abs() <= 0.9 * slope_before.abs(), "slope {} after {}", slope, slope_before);
    }

    #[test]
    fn a_restored_state_continues_bit_for_bit(start in proptest::collection::vec(-2.0..2.0f64, 2..6), history_size in 1usize..4) {
        let rule = Lbfgs { line_search: Some(LineSearch::StrongWolfe), max_iter: 3, history_size, ..Lbfgs::default() };
        let mut w = start;
        let mut state = rule.state(w.len()).unwrap();
        rule.minimize(&mut w, &mut state, ripples);
        rule.minimize(&mut w, &mut state, ripples);
        let saved: Vec<(String, Vec<f64>)> = state.slots().map(|(name, x)| (name.into(), x.to_vec())).collect();
        let (mut other_w, mut other) = (w.clone(), rule.state(w.len()).unwrap());
        other.restore(state.n_steps(), saved.iter().map(|(name, x)| (name.as_str(), x.as_slice()))).unwrap();
        rule.minimize(&mut w, &mut state, ripples);
        rule.minimize(&mut other_w, &mut other, ripples);
        let bits = |w: &[f64]| w.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&w), bits(&other_w));
    }
}
