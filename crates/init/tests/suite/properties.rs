//! What each initialisation promises, on random shapes.

use init::*;
use proptest::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn filled(n: usize, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut weights = vec![f32::NAN; n];
    fill(&mut weights);
    weights
}

fn std_of(weights: &[f32]) -> f64 {
    let n = weights.len() as f64;
    let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
    (weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// The bound, rounded as the weights are.
fn within(weights: &[f32], bound: f64) -> bool {
    weights.iter().all(|w| w.abs() <= bound as f32)
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..6, 2..5)
}

fn nonlinearities() -> impl Strategy<Value = Nonlinearity> {
    prop_oneof![
        Just(Nonlinearity::Linear),
        Just(Nonlinearity::Sigmoid),
        Just(Nonlinearity::Tanh),
        Just(Nonlinearity::Relu),
        Just(Nonlinearity::Selu),
        (0.0..2.0f64).prop_map(Nonlinearity::LeakyRelu),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fans_count_the_window(shape in shapes()) {
        let window: usize = shape[2..].iter().product();
        prop_assert_eq!(fans(&shape), (shape[1] * window, shape[0] * window));
        prop_assert_eq!((FanMode::FanIn.of(&shape), FanMode::FanOut.of(&shape)), fans(&shape));
    }

    #[test]
    fn uniform_draws_stay_within_the_formulas_bound(shape in shapes(), f in nonlinearities(), gain in 0.0..3.0f64, seed: u64) {
        let n = shape.iter().product();
        let (fan_in, fan_out) = fans(&shape);
        let xavier = filled(n, |w| xavier_uniform(w, &shape, gain, &mut rng(seed)));
        prop_assert!(within(&xavier, gain * (6.0 / (fan_in + fan_out) as f64).sqrt() * (1.0 + 1e-15)));
        for (mode, fan) in [(FanMode::FanIn, fan_in), (FanMode::FanOut, fan_out)] {
            let kaiming = filled(n, |w| kaiming_uniform(w, &shape, mode, f, &mut rng(seed)));
            prop_assert!(within(&kaiming, f.gain() * (3.0 / fan as f64).sqrt() * (1.0 + 1e-15)));
        }
        let default = filled(n, |w| default_weight(w, &shape, &mut rng(seed)));
        prop_assert!(within(&default, (1.0 / fan_in as f64).sqrt() * (1.0 + 1e-15)));
        let bias = filled(7, |w| default_bias(w, &shape, &mut rng(seed)));
        prop_assert!(within(&bias, (1.0 / fan_in as f64).sqrt()));
    }

    #[test]
    fn the_same_seed_gives_the_same_weights_and_another_seed_others(shape in shapes(), seed: u64) {
        let n: usize = shape.iter().product::<usize>() + 8;
        let draw = |seed: u64| {
            let mut rng = rng(seed);
            filled(n, |w| uniform(w, -1.0, 1.0, &mut rng))
                .into_iter()
                .chain(filled(n, |w| normal(w, 0.0, 1.0, &mut rng)))
                .chain(filled(n, |w| truncated_normal(w, 0.0, 1.0, -1.0, 2.0, &mut rng)))
                .map(f32::to_bits)
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(draw(seed), draw(seed));
        prop_assert_ne!(draw(seed), draw(seed ^ 1));
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal(shape in shapes(), gain in 0.1..3.0f64, seed: u64) {
        let n: usize = shape.iter().product();
        let (rows, cols) = (shape[0], n / shape[0]);
        let weights = filled(n, |w| orthogonal(w, &shape, gain, &mut rng(seed)));
        let at = |row: usize, col: usize| f64::from(weights[row * cols + col]);
        let dot = |i: usize, j: usize| -> f64 {
            if rows <= cols { (0..cols).map(|k| at(i, k) * at(j, k)).sum() } else { (0..rows).map(|k| at(k, i) * at(k, j)).sum() }
        };
        for i in 0..rows.min(cols) {
            for j in 0..rows.min(cols) {
                let expected = if i == j { gain * gain } else { 0.0 };
                prop_assert!((dot(i, j) - expected).abs() < 1e-5 * gain * gain, "{} at {}, {}", dot(i, j), i, j);
            }
        }
    }

    #[test]
    fn truncated_draws_stay_inside(mean in -3.0..3.0f64, std in 0.01..3.0f64, low in -4.0..4.0f64, width in 0.01..5.0f64, seed: u64) {
        let high = low + width;
        let weights = filled(100, |w| truncated_normal(w, mean, std, low, high, &mut rng(seed)));
        prop_assert!(weights.iter().all(|&w| f64::from(w) >= low && f64::from(w) <= high));
    }

    #[test]
    fn sparse_columns_have_exactly_their_zeros(rows in 0usize..12, cols in 0usize..8, sparsity in 0.0..=1.0f64, seed: u64) {
        let weights = filled(rows * cols, |w| sparse(w, &[rows, cols], sparsity, 1.0, &mut rng(seed)));
        for col in 0..cols {
            let n_zeros = (0..rows).filter(|row| weights[row * cols + col] == 0.0).count();
            prop_assert_eq!(n_zeros, (sparsity * rows as f64).ceil() as usize);
        }
    }

    #[test]
    fn dirac_hands_channels_on(groups in 1usize..4, out_per_group in 1usize..4, in_channels in 1usize..4, window in prop::collection::vec(1usize..4, 1..4)) {
        let shape: Vec<usize> = [vec![groups * out_per_group, in_channels], window.clone()].concat();
        let window_len: usize = window.iter().product();
        let weights = filled(shape.iter().product(), |w| dirac(w, &shape, groups));
        for (out, kernels) in weights.chunks(in_channels * window_len).enumerate() {
            let channel = out % out_per_group;
            let ones: Vec<usize> = (0..kernels.len()).filter(|&i| kernels[i] != 0.0).collect();
            if channel < in_channels {
                prop_assert_eq!(ones.len(), 1);
                prop_assert_eq!((kernels[ones[0]], ones[0] / window_len), (1.0, channel));
                // The place within the window, dimension by dimension: the middle.
                let mut place = ones[0] % window_len;
                for size in window.iter().rev() {
                    prop_assert_eq!(place % size, size / 2);
                    place /= size;
                }
            } else {
                prop_assert!(ones.is_empty());
            }
        }
    }

    #[test]
    fn eye_is_the_identity(rows in 0usize..6, cols in 0usize..6) {
        let weights = filled(rows * cols, |w| eye(w, &[rows, cols]));
        for (idx, &w) in weights.iter().enumerate() {
            prop_assert_eq!(w, if idx / cols == idx % cols { 1.0 } else { 0.0 });
        }
    }
}

/// (mean, std, low, high), and the mean of the distribution cut there, from φ and Φ.
#[test]
fn a_truncated_draw_takes_a_few_draws_wherever_the_interval_lies() {
    const INF: f64 = f64::INFINITY;
    let cuts = [
        (0.0, 1.0, -2.0, 2.0, 0.0),
        (0.0, 1.0, -INF, INF, 0.0),
        (3.0, 2.0, -INF, 3.0, 3.0 - 2.0 * 0.797885),
        (0.0, 1.0, 0.5, 3.4e38, 1.141078),
        (0.0, 1.0, 1.0, 1e6, 1.525135),
        (0.0, 1.0, 2.0, 3.4e38, 2.373216),
        (0.0, 1.0, 2.0, INF, 2.373216),
        (0.0, 1.0, -INF, -2.0, -2.373216),
        (0.0, 1.0, 5.25, 1e6, 5.428734),
        (0.0, 1e-3, 2e-3, 2.0, 2.373216e-3),
        (0.0, 1.0, 10.0, 11.0, 10.098093),
        (0.0, 1.0, -101.0, -100.0, -100.009998),
        (0.0, 1.0, 1e20, 1e30, 1e20),
        (-1e3, 5e-324, 7.0, INF, 7.0),
        (-1e300, 1.0, -1.0, 3.0, -1.0),
        (1e300, 1.0, -INF, INF, f64::from(f32::MAX)),
        (0.0, 1.0, 7.0, 7.0 + 1e-12, 7.0),
        // The draws round to 1, which lies outside.
        (1.0, 1e-12, 1.0 + 1e-8, 2.0, f64::from(1f32.next_up())),
        (0.0, 1e-3, 1.0 + 1e-8, INF, f64::from(1f32.next_up())),
    ];
    for (mean, std, low, high, expected) in cuts {
        let (n, mut rng) = (20_000, rng(3));
        let weights = filled(n, |w| truncated_normal(w, mean, std, low, high, &mut rng));
        assert!(weights.iter().all(|&w| f64::from(w) >= low && f64::from(w) <= high && w.is_finite()));
        let actual = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n as f64;
        let noise = 5.0 * std / (n as f64).sqrt() + 1e-7 * expected.abs();
        assert!((actual - expected).abs() <= noise, "[{low}, {high}]: mean {actual} should be {expected}");
        // Words of 32 bits; a uniform number takes two of them.
        let n_words = rng.get_word_pos() as f64 / n as f64;
        assert!(n_words <= 12.0, "[{low}, {high}]: {n_words} random words a weight");
    }
}

/// The lecture's items 17 and 32.
#[test]
fn the_lectures_spreads_and_bounds() {
    let (rows, cols) = (800, 1250);
    let shape = [rows, cols];
    let n = rows * cols;
    let xavier = (2.0 / (rows + cols) as f64).sqrt();
    let he = (2.0 / cols as f64).sqrt();
    let relu = |w: &mut [f32]| kaiming_uniform(w, &shape, FanMode::FanIn, Nonlinearity::Relu, &mut rng(1));
    for (std, weights) in [
        (xavier, filled(n, |w| xavier_normal(w, &shape, 1.0, &mut rng(1)))),
        (xavier, filled(n, |w| xavier_uniform(w, &shape, 1.0, &mut rng(2)))),
        (he, filled(n, |w| kaiming_normal(w, &shape, FanMode::FanIn, Nonlinearity::Relu, &mut rng(3)))),
        (he, filled(n, relu)),
    ] {
        assert!((std_of(&weights) / std - 1.0).abs() < 0.005);
    }
    let layers: [(&[usize], f64); 5] = [
        (&[32, 3, 3, 3], 0.471405),
        (&[64, 32, 3, 3], 0.144338),
        (&[128, 64, 3, 3], 0.102062),
        (&[256, 2048], 0.054127),
        (&[10, 256], 0.153093),
    ];
    for (shape, bound) in layers {
        let n = shape.iter().product();
        let weights =
            filled(n, |w| kaiming_uniform(w, shape, FanMode::FanIn, Nonlinearity::Relu, &mut rng(4)));
        let largest = weights.iter().fold(0f32, |max, w| max.max(w.abs()));
        assert!(
            f64::from(largest) <= bound + 1e-6 && f64::from(largest) > 0.99 * bound,
            "{shape:?}: {largest}"
        );
    }
}

/// Items 15 and 16: what a layer of 10 outputs makes of N(0, 1) inputs, over many seeds.
#[test]
fn output_variances_are_the_lectures() {
    let variance = |n_in: usize, std: f64| {
        let runs = 400;
        let sum: f64 = (0..runs)
            .map(|seed| {
                let mut rng = rng(seed);
                let x = filled(n_in, |x| normal(x, 0.0, 1.0, &mut rng));
                let w = filled(10 * n_in, |w| normal(w, 0.0, std, &mut rng));
                let outputs =
                    w.chunks(n_in).map(|row| row.iter().zip(&x).map(|(w, x)| f64::from(w * x)).sum::<f64>());
                outputs.map(|y| y * y).sum::<f64>() / 10.0
            })
            .sum();
        sum / runs as f64
    };
    for n_in in [10, 100, 1000] {
        assert!((variance(n_in, 1.0) / n_in as f64 - 1.0).abs() < 0.1, "{n_in}");
        assert!((variance(n_in, (2.0 / n_in as f64).sqrt()) - 2.0).abs() < 0.2, "{n_in}");
    }
}

#[test]
fn orthogonal_matrices_are_uniform_among_rotations_and_reflections() {
    // Of 2 × 2 orthogonal matrices half are reflections, and the angle of the first row is uniform.
    let (mut n_reflections, mut quadrants) = (0, [0; 4]);
    let mut rng = rng(5);
    let n = 4000;
    for _ in 0..n {
        let w = filled(4, |w| orthogonal(w, &[2, 2], 1.0, &mut rng));
        n_reflections += usize::from(w[0] * w[3] - w[1] * w[2] < 0.0);
        quadrants[usize::from(w[0] > 0.0) * 2 + usize::from(w[1] > 0.0)] += 1;
    }
    assert!((n_reflections as f64 / n as f64 - 0.5).abs() < 0.04, "{n_reflections}");
    assert!(quadrants.iter().all(|&count| (count as f64 / n as f64 - 0.25).abs() < 0.035), "{quadrants:?}");
}

#[test]
fn each_place_of_a_sparse_column_is_zero_equally_often() {
    let (mut counts, mut rng) = ([0; 5], rng(6));
    for _ in 0..2000 {
        let w = filled(10, |w| sparse(w, &[5, 2], 0.4, 1.0, &mut rng));
        (0..5).for_each(|row| counts[row] += usize::from(w[row * 2 + 1] == 0.0));
    }
    assert!(counts.iter().all(|&count| (count as f64 / 2000.0 - 0.4).abs() < 0.06), "{counts:?}");
}

#[test]
fn lsuv_brings_each_layer_of_a_deep_network_to_unit_variance() {
    let (width, n_batch, mut rng) = (24, 64, rng(7));
    let mut x = filled(n_batch * width, |x| normal(x, 0.5, 3.0, &mut rng));
    for layer in 0..8 {
        let config = Lsuv { tolerance: 0.01, max_iters: 5 };
        let forward = |w: &[f32]| -> Vec<f32> {
            x.chunks(width)
                .flat_map(|x| {
                    w.chunks(width)
                        .map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>())
                        .collect::<Vec<_>>()
                })
                .collect()
        };
        let mut w = vec![0.0; width * width];
        let variance = lsuv(&mut w, &[width, width], config, &mut rng, forward);
        let outputs = forward(&w);
        assert!((variance - 1.0).abs() < 0.01, "layer {layer}: {variance}");
        assert!((std_of(&outputs).powi(2) - variance).abs() < 1e-6);
        x = outputs.into_iter().map(|y| y.max(0.0)).collect();
    }
}

#[test]
fn lsuv_stops_after_its_iterations() {
    let mut n_calls = 0;
    let config = Lsuv { tolerance: 1e-9, max_iters: 3 };
    // A layer whose outputs do not follow its weights.
    let variance = lsuv(&mut [0.0; 4], &[2, 2], config, &mut rng(8), |_| {
        n_calls += 1;
        vec![0.0, 6.0]
    });
    assert_eq!((variance, n_calls), (9.0, 4));
    assert_eq!(Lsuv::default(), Lsuv { tolerance: 0.1, max_iters: 10 });
}

#[test]
fn lsuv_looks_once_at_a_layer_that_fits_and_rescales_one_that_misses_by_the_tolerance() {
    let rescaled = |tolerance, outputs: &[f32]| {
        let mut seen = Vec::new();
        let config = Lsuv { tolerance, max_iters: 1 };
        lsuv(&mut [0.0; 4], &[2, 2], config, &mut rng(8), |w| {
            seen.push(w.to_vec());
            outputs.to_vec()
        });
        let fresh = filled(4, |w| orthogonal(w, &[2, 2], 1.0, &mut rng(8)));
        assert_eq!(seen[0], fresh);
        seen.get(1).map(|w| w[0] / fresh[0])
    };
    assert_eq!(rescaled(0.1, &[-1.0, 1.0]), None);
    assert_eq!(rescaled(0.3, &[-1.5, -0.5, 0.5, 1.5]), None); // the variance is 1.25
    // As in the paper, the variance must come closer than the tolerance.
    let factor = rescaled(0.25, &[-1.5, -0.5, 0.5, 1.5]).unwrap();
    assert!((factor - 0.8f32.sqrt()).abs() < 1e-6, "{factor}");
}

#[test]
fn weights_without_elements_are_left_alone() {
    let mut none: [f32; 0] = [];
    xavier_uniform(&mut none, &[0, 0], 1.0, &mut rng(9));
    kaiming_normal(&mut none, &[3, 0], FanMode::FanIn, Nonlinearity::Relu, &mut rng(9));
    orthogonal(&mut none, &[0, 3], 1.0, &mut rng(9));
    dirac(&mut none, &[2, 2, 0], 1);
    let mut biases = [1.0; 3];
    default_bias(&mut biases, &[3, 0], &mut rng(9));
    assert_eq!(biases, [0.0; 3]);
}
