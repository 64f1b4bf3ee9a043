//! Softmax, cross-entropy and negative log-likelihood against their f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::loss::{
    Expected, Targets, cross_entropy_backward, cross_entropy_forward, log_softmax_backward,
    log_softmax_forward, nll_backward, nll_forward, softmax_backward, softmax_forward, target_backward,
};
use tensor::reference::{self, assert_within, to_f64};

/// Logits between −scale and scale. Rounding x − max costs up to 2·scale·ε in the exponent, so errors are
/// relative to the result times 1 + 2·scale.
fn logits(rows: usize, cols: usize, scale: f32, seed: u64) -> Vec<f32> {
    random(rows * cols, seed).iter().map(|v| scale * v).collect()
}

fn kernel(forward: fn(&mut [f32], &[f32], usize, usize), x: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    forward(&mut y, x, rows, cols);
    y
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn softmax_and_its_logarithm(rows in 0..20usize, cols in 1..40usize, scale in 0.1..50f32, seed: u64) {
        let x = logits(rows, cols, scale, seed);
        let (x64, spread) = (to_f64(&x), 1.0 + 2.0 * f64::from(scale));

        let y64 = reference::softmax_forward(&x64, cols);
        let y = kernel(softmax_forward, &x, rows, cols);
        assert_within(&y, &y64, &y64, 4.0 + spread);
        let log_y64 = reference::log_softmax_forward(&x64, cols);
        let log_y = kernel(log_softmax_forward, &x, rows, cols);
        assert_within(&log_y, &log_y64, &vec![spread; x.len()], 4.0);

        let dy = random(x.len(), seed + 1);
        let expected = reference::softmax_backward(&to_f64(&dy), &y64, cols);
        let magnitude: Vec<f64> = y64.iter().map(|y| 2.0 * y).collect();
        check_betas(&expected, &magnitude, 16.0 + 4.0 * spread, |dx, beta| {
            softmax_backward(dx, &dy, &y, rows, cols, beta);
        });
        let expected = reference::log_softmax_backward(&to_f64(&dy), &log_y64, cols);
        let magnitude: Vec<f64> = y64.iter().map(|y| 1.0 + y * cols as f64).collect();
        check_betas(&expected, &magnitude, 4.0 + 6.0 * spread, |dx, beta| {
            log_softmax_backward(dx, &dy, &log_y, rows, cols, beta);
        });
    }

    #[test]
    fn cross_entropy(
        rows in 0..20usize,
        classes in 1..40usize,
        scale in 0.1..50f32,
        smoothing in prop_oneof![Just(0.0f32), Just(1.0), 0.0..1f32],
        seed: u64,
    ) {
        let x = logits(rows, classes, scale, seed);
        let labels: Vec<u32> =
            random(rows, seed + 1).iter().map(|v| ((v + 1.0) / 2.0 * classes as f32) as u32).collect();
        let positive = |n, seed| random(n, seed).iter().map(|v| v + 1.0).collect::<Vec<f32>>();
        let (weight, probabilities) = (positive(classes, seed + 2), positive(rows * classes, seed + 3));
        let ones = vec![1.0; classes];
        let spread = 1.0 + 2.0 * f64::from(scale);
        let smooth = f64::from(smoothing);
        for (ignore_index, weight) in [(None, None), (Some(0), None), (Some(7), Some(&weight))] {
            let weight64 = weight.map_or(ones.clone(), |weight| to_f64(weight));
            let labelled = Targets::Labels { labels: &labels, ignore_index };
            let label_masses = reference::label_masses(&labels, ignore_index, &weight64, smooth);
            let soft_masses = reference::class_masses(&to_f64(&probabilities), &weight64, smooth);
            for (targets, masses) in
                [(labelled, label_masses), (Targets::Probabilities(&probabilities), soft_masses)]
            {
                let expected = Expected { targets, classes, weight: weight.map(|w| &w[..]), label_smoothing: smoothing };
                let (mut losses, mut log_probs) = (vec![f32::NAN; rows], vec![f32::NAN; x.len()]);
                cross_entropy_forward(&mut losses, &mut log_probs, &x, &expected);
                let totals: Vec<f64> = masses.chunks(classes).map(|row| row.iter().sum::<f64>().max(1.0)).collect();
                let magnitude: Vec<f64> = totals.iter().map(|total| total * spread).collect();
                assert_within(&losses, &reference::cross_entropy_forward(&to_f64(&x), &masses, classes), &magnitude, 7.0);

                let dx64 = reference::cross_entropy_backward(0.5, &to_f64(&x), &masses, classes);
                let magnitude: Vec<f64> = totals.iter().flat_map(|&total| vec![total; classes]).collect();
                check_betas(&dx64, &magnitude, 6.0 + 6.0 * spread, |dx, beta| {
                    cross_entropy_backward(dx, |_| 0.5, &log_probs, &expected, beta);
                });

                nll_forward(&mut losses, &x, &expected);
                let magnitude: Vec<f64> = totals.iter().map(|total| total * f64::from(scale)).collect();
                assert_within(&losses, &reference::nll_forward(&to_f64(&x), &masses, classes), &magnitude, 3.0);
                let dx64: Vec<f64> = masses.iter().map(|mass| -0.5 * mass).collect();
                check_betas(&dx64, &vec![2.0; x.len()], 4.0, |dx, beta| nll_backward(dx, |_| 0.5, &expected, beta));

                let factors = weight64.iter().cycle().map(|w| -0.5 * w * (1.0 - smooth));
                let dt64: Vec<f64> = to_f64(&log_probs).iter().zip(factors).map(|(lp, factor)| factor * lp).collect();
                let magnitude: Vec<f64> = log_probs.iter().map(|lp| 2.0 * f64::from(lp.abs())).collect();
                check_betas(&dt64, &magnitude, 4.0, |dt, beta| {
                    target_backward(dt, |_| 0.5, &log_probs, &expected, beta);
                });
            }
        }
    }
}

#[test]
fn large_logits_do_not_overflow_and_nan_is_not_swallowed() {
    let y = kernel(softmax_forward, &[1e30, -1e30, 1e30, f32::NEG_INFINITY], 1, 4);
    assert_eq!(y, [0.5, 0.0, 0.5, 0.0]);
    assert!(kernel(log_softmax_forward, &[0.0, f32::NAN], 1, 2).iter().all(|v| v.is_nan()));
    let (mut loss, mut log_probs) = ([0.0], [0.0; 2]);
    // Without smoothing a class of probability zero that is not the target costs nothing.
    cross_entropy_forward(&mut loss, &mut log_probs, &[0.0, f32::NEG_INFINITY], &Expected::labels(&[0], 2));
    assert_eq!(loss, [0.0]);
}

#[test]
fn losses_do_not_depend_on_the_number_of_threads() {
    let (rows, classes) = (3000, 100);
    let x = random(rows * classes, 1);
    let targets: Vec<u32> = (0..rows as u32).map(|row| row % 100).collect();
    check_thread_independence(|| {
        let expected = Expected { label_smoothing: 0.1, ..Expected::labels(&targets, classes) };
        let (mut losses, mut log_probs) = (vec![0.0; rows], vec![0.0; x.len()]);
        cross_entropy_forward(&mut losses, &mut log_probs, &x, &expected);
        let mut dx = vec![0.0; x.len()];
        cross_entropy_backward(&mut dx, |_| 1.0, &log_probs, &expected, Beta::Zero);
        [losses, log_probs, dx].concat()
    });
}

#[test]
#[should_panic(expected = "the target 3 of row 1 is not below the 3 classes")]
fn a_target_beyond_the_classes_panics() {
    cross_entropy_forward(&mut [0.0; 2], &mut [0.0; 6], &[0.0; 6], &Expected::labels(&[2, 3], 3));
}
