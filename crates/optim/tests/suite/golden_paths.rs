//! The lecture's descent paths on one parameter, items 20 to 27 of its checklist, to 1e-6 in f64.

use std::f64::consts::PI;

use optim::schedule::{Schedule, StepLr};
use optim::{Adam, Elementwise, RmsProp, Sgd};

const SLOPE: f64 = 0.15 * PI;

/// d/dx x·cos(0.15πx).
fn wave(x: f64) -> f64 {
    (SLOPE * x).cos() - SLOPE * x * (SLOPE * x).sin()
}

/// The points after each of `n_steps` steps from `x`.
fn path(rule: impl Elementwise<f64>, mut x: f64, n_steps: usize, gradient: fn(f64) -> f64) -> Vec<f64> {
    let mut state = rule.state(1).unwrap();
    (0..n_steps)
        .map(|_| {
            let mut values = [x];
            rule.update(&mut values, &[gradient(x)], &mut state);
            x = values[0];
            x
        })
        .collect()
}

#[track_caller]
fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-6, "{actual} should be {expected}");
    }
}

#[test]
fn item_20_step_decay_is_exact() {
    let schedule = StepLr { lr: 1.0, step_size: 4, gamma: 0.1 };
    let lrs: Vec<f64> = (0..9).map(|epoch| schedule.lr(epoch)).collect();
    assert_eq!(lrs, [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1 * 0.1]);
}

#[test]
fn item_21_descent_on_a_parabola_is_geometric() {
    for lr in [0.1f64, 0.3, 0.9, 1.0] {
        let expected: Vec<f64> = (1..=10).map(|t| 1.5 * (1.0 - 2.0 * lr).powi(t)).collect();
        assert_close(&path(Sgd { lr, ..Sgd::default() }, 1.5, 10, |x| 2.0 * x), &expected);
    }
}

#[test]
fn items_22_and_23_descent_on_the_wave() {
    let from_10 = [
        (
            0.3,
            [
                8.586283, 7.817377, 7.504000, 7.373129, 7.316020, 7.290510, 7.278989, 7.273759, 7.271380,
                7.270296,
            ],
        ),
        (
            1.3,
            [
                3.873894, 6.498085, 8.109896, 5.996271, 8.373210, 5.580382, 8.388290, 5.556894, 8.383383,
                5.564532,
            ],
        ),
        (
            2.0,
            [
                0.575222, -1.206588, -2.279598, -1.343416, -2.206769, -1.425789, -2.154634, -1.483876,
                -2.114354, -1.528166,
            ],
        ),
    ];
    for (lr, expected) in from_10 {
        assert_close(&path(Sgd { lr, ..Sgd::default() }, 10.0, 10, wave), &expected);
    }
    let from_minus_7 = [
        (0.5, [-6.764169, -6.337899, -5.613454, -4.543957, -3.372841]),
        (2.7, [-5.726512, -0.163740, -2.839647, 0.053542, -2.643880]),
        (3.5, [-5.349182, 2.630005, 5.592787, 13.125443, 7.524817]),
    ];
    for (lr, expected) in from_minus_7 {
        assert_close(&path(Sgd { lr, ..Sgd::default() }, -7.0, 5, wave), &expected);
    }
}

#[test]
fn item_24_momentum_averaged_and_classical() {
    for (averaged, ends) in
        [(true, [-1.825685, -1.824706, 9.158892]), (false, [-1.825685, -1.825427, -0.233587])]
    {
        for (momentum, end) in [0.0, 0.6, 0.9].into_iter().zip(ends) {
            let sgd = Sgd { lr: 1.1, momentum, averaged, ..Sgd::default() };
            assert_close(&path(sgd, -7.0, 35, wave)[34..], &[end]);
        }
    }
}

#[test]
fn item_25_rmsprop() {
    let paths = [
        (0.0, [11.5, 11.0, 10.5, 10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0]),
        (
            0.7,
            [
                11.087129, 10.334187, 9.698374, 9.157932, 8.699778, 8.315666, 8.000200, 7.749456, 7.559699,
                7.426066,
            ],
        ),
        (
            0.9,
            [
                10.418861, 9.173644, 8.360446, 7.881293, 7.606956, 7.451278, 7.364248, 7.316857, 7.291993,
                7.279548,
            ],
        ),
    ];
    for (alpha, expected) in paths {
        assert_close(&path(RmsProp { lr: 0.5, alpha, ..RmsProp::default() }, 12.0, 10, wave), &expected);
    }
}

// ANCHOR: adam_grid
#[test]
fn item_26_the_adam_grid_raw_and_corrected() {
    // β₁, β₂; raw x after steps 1, 10 and 20; corrected x after steps 10 and 20.
    let grid = [
        (0.0, 0.0, [15.7, 20.6, 20.6], [20.6, 20.6]),
        (0.0, 0.6, [16.106797, 20.221029, 20.026817], [20.224167, 20.423826]),
        (0.0, 0.9, [17.213594, 20.221880, 20.221880], [20.200017, 20.221876]),
        (0.6, 0.0, [15.28, 22.773843, 19.924088], [21.351336, 21.013527]),
        (0.6, 0.6, [15.442719, 20.863707, 20.132181], [20.858113, 20.286828]),
        (0.6, 0.9, [15.885438, 20.245906, 20.187412], [20.707652, 20.268340]),
        (0.9, 0.0, [15.07, 17.440671, 22.708852], [22.130906, 18.566777]),
        (0.9, 0.6, [15.110680, 17.768772, 22.214710], [21.789065, 19.548538]),
        (0.9, 0.9, [15.221359, 19.315886, 21.497050], [21.469099, 19.886523]),
    ];
    for (beta1, beta2, raw, corrected) in grid {
        let adam = Adam { lr: 0.7, betas: (beta1, beta2), ..Adam::default() };
        let points = path(Adam { bias_correction: false, ..adam }, 15.0, 20, wave);
        assert_close(&[points[0], points[9], points[19]], &raw);
        let points = path(adam, 15.0, 20, wave);
        assert_close(&[points[9], points[19]], &corrected);
    }
}
// ANCHOR_END: adam_grid

#[test]
fn item_27_bias_correction_is_what_makes_the_first_means_the_gradient() {
    // 1/(1 − βᵗ) for β = 0.9 and 0.999 at t = 1, 2, read off Adam's own steps: under a constant gradient g
    // the corrected step is lr, the raw one lr·(1 − β₁ᵗ)/√(1 − β₂ᵗ).
    for (beta, factors) in [(0.9, [10.0, 5.263158]), (0.999, [1000.0, 500.250125])] {
        let adam = Adam { lr: 1.0, betas: (beta, 0.0), eps: 0.0, ..Adam::default() };
        let corrected = path(adam, 0.0, 2, |_| -1.0);
        let raw = path(Adam { bias_correction: false, ..adam }, 0.0, 2, |_| -1.0);
        let steps = |points: &[f64]| [points[0], points[1] - points[0]];
        let ratios: Vec<f64> = steps(&corrected).iter().zip(steps(&raw)).map(|(c, r)| c / r).collect();
        assert_close(&ratios, &factors);
    }
}

#[test]
fn the_paths_end_at_the_stationary_points() {
    for (start, end) in [(-14.0, -13.660371), (-3.0, -1.825685), (6.0, 7.269388), (19.0, 20.221876)] {
        assert_close(&path(Sgd { lr: 0.05, ..Sgd::default() }, start, 2000, wave)[1999..], &[end]);
    }
}
