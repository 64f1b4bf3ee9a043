//! The helpers beside the rules: clipping, averages, penalties, the range test, looking for NaN.

use optim::average::{Ema, Lookahead, Swa};
use optim::regularize::{elastic_net, l1, l2, max_norm};
use optim::*;
use proptest::prelude::*;

use crate::common::noise;

fn vectors() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (1usize..10, 1usize..12)
        .prop_flat_map(|(n, count)| prop::collection::vec(prop::collection::vec(-3.0..3.0f64, n), count))
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12 * (1.0 + b.abs()))
}

proptest! {
    #[test]
    fn swa_is_the_mean(seen in vectors()) {
        let mut swa = Swa::new(seen[0].len());
        seen.iter().for_each(|values| swa.update_slice(values));
        let mean: Vec<f64> = (0..seen[0].len())
            .map(|i| seen.iter().map(|values| values[i]).sum::<f64>() / seen.len() as f64)
            .collect();
        prop_assert!(close(swa.average(), &mean));
        prop_assert_eq!(swa.n_updates(), seen.len() as u64);
    }

    #[test]
    fn ema_is_its_weighted_sum(seen in vectors(), decay in 0.0..0.999f64, is_corrected: bool) {
        let n = seen[0].len();
        let mut ema = Ema::new(n, decay, is_corrected).unwrap();
        let mut average = vec![f64::NAN; n];
        for (t, values) in seen.iter().enumerate() {
            ema.update_slice(values);
            ema.write_to_slice(&mut average);
            // The weight of each point: (1 − d)·d^age, the first one's whatever remains unless corrected.
            let weights: Vec<f64> = (0..=t)
                .map(|i| match (i, is_corrected) {
                    (0, false) => decay.powi(t as i32),
                    _ => (1.0 - decay) * decay.powi((t - i) as i32),
                })
                .collect();
            let total: f64 = weights.iter().sum();
            let expected: Vec<f64> = (0..n)
                .map(|j| weights.iter().zip(&seen).map(|(w, values)| w * values[j]).sum::<f64>() / total)
                .collect();
            prop_assert!(close(&average, &expected), "{:?} should be {:?}", average, expected);
        }
        prop_assert_eq!(ema.n_updates(), seen.len() as u64);
    }

    #[test]
    fn lookahead_moves_the_slow_weights_every_k_steps(seen in vectors(), alpha in 0.01..1.0f64, k in 1u64..5) {
        let start = vec![0.5; seen[0].len()];
        let mut lookahead = Lookahead::new(&start, alpha, k).unwrap();
        let mut slow = start;
        for (step, values) in seen.iter().enumerate() {
            let mut fast = values.clone();
            lookahead.after_step_slice(&mut fast);
            if (step as u64 + 1).is_multiple_of(k) {
                slow.iter_mut().zip(values).for_each(|(s, w)| *s += alpha * (w - *s));
                prop_assert!(close(&fast, &slow));
            } else {
                prop_assert_eq!(&fast, values);
            }
            prop_assert!(close(lookahead.slow(), &slow));
        }
        prop_assert_eq!(lookahead.n_steps(), seen.len() as u64);
    }

    #[test]
    fn averages_resume_where_they_were(seen in vectors(), split in 0usize..12) {
        let (n, split) = (seen[0].len(), split % seen.len());
        let (first, second) = seen.split_at(split);
        let mut swa = (Swa::new(n), Swa::new(n));
        let mut ema = (Ema::new(n, 0.9, false).unwrap(), Ema::new(n, 0.9, false).unwrap());
        let mut look = (Lookahead::new(&seen[0], 0.5, 3).unwrap(), Lookahead::new(&vec![0.0; n], 0.5, 3).unwrap());
        for values in first {
            swa.0.update_slice(values);
            ema.0.update_slice(values);
            look.0.after_step_slice(&mut values.clone());
        }
        swa.1.resume(swa.0.n_updates(), swa.0.average());
        ema.1.resume(ema.0.n_updates(), ema.0.raw());
        look.1.resume(look.0.n_steps(), look.0.slow());
        for values in second {
            swa.0.update_slice(values);
            swa.1.update_slice(values);
            ema.0.update_slice(values);
            ema.1.update_slice(values);
            look.0.after_step_slice(&mut values.clone());
            look.1.after_step_slice(&mut values.clone());
        }
        prop_assert_eq!(swa.0, swa.1);
        prop_assert_eq!(ema.0, ema.1);
        prop_assert_eq!(look.0, look.1);
    }

    #[test]
    fn penalties_and_their_gradients_agree(values in prop::collection::vec(-3.0..3.0f64, 1..40), a in 0.0..2.0f64, b in 0.0..2.0f64) {
        let n = values.len();
        let (mut g1, mut g2, mut both) = (vec![1.0; n], vec![1.0; n], vec![1.0; n]);
        let p1 = l1(&values, &mut g1, a);
        let p2 = l2(&values, &mut g2, b);
        let p = elastic_net(&values, &mut both, a, b);
        prop_assert!((p1 - a * values.iter().map(|w| w.abs()).sum::<f64>()).abs() < 1e-9);
        prop_assert!((p2 - b / 2.0 * values.iter().map(|w| w * w).sum::<f64>()).abs() < 1e-9);
        prop_assert!((p - p1 - p2).abs() < 1e-9);
        for i in 0..n {
            prop_assert!((g1[i] - 1.0 - a * values[i].signum()).abs() < 1e-12);
            prop_assert!((g2[i] - 1.0 - b * values[i]).abs() < 1e-12);
            prop_assert!((both[i] - 1.0 - (g1[i] - 1.0) - (g2[i] - 1.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn max_norm_shrinks_long_rows_and_leaves_short_ones(rows in prop::collection::vec(prop::collection::vec(-2.0..2.0f64, 3), 1..6), limit in 0.1..4.0f64) {
        let mut values = rows.concat();
        max_norm(&mut values, rows.len(), limit);
        for (after, before) in values.chunks(3).zip(&rows) {
            let norm = before.iter().map(|w| w * w).sum::<f64>().sqrt();
            let expected: Vec<f64> = before.iter().map(|w| w * (limit / norm).min(1.0)).collect();
            prop_assert!(close(after, &expected));
        }
    }

    #[test]
    fn clipping_by_value_limits_each_component(grads in prop::collection::vec(-3.0..3.0f64, 0..40), limit in 0.0..4.0f64) {
        let mut clipped = grads.clone();
        clip_value_slice(&mut clipped, limit);
        let expected: Vec<f64> = grads.iter().map(|g| g.clamp(-limit, limit)).collect();
        prop_assert_eq!(clipped, expected);
    }

    #[test]
    fn the_first_bad_parameter_is_named(n in 1usize..5000, places in prop::collection::vec(0usize..5000, 0..3), kind in 0usize..3) {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][kind];
        let mut values = vec![1.0; n];
        places.iter().for_each(|place| values[place % n] = bad);
        let params = [Param::new("a", 0..n / 2), Param::new("b", n / 2..n)];
        let first = values.iter().position(|x| !x.is_finite());
        match (check_finite_slice(&params, &values), first) {
            (Ok(()), None) => {}
            (Err(Error::NonFinite { name, index, value }), Some(first)) => {
                let expected = if first < n / 2 { ("a", first) } else { ("b", first - n / 2) };
                prop_assert_eq!((name.as_str(), index), expected);
                prop_assert_eq!(value.to_string(), bad.to_string());
            }
            (result, first) => prop_assert!(false, "{:?} although the first is at {:?}", result, first),
        }
    }
}

#[test]
fn clipping_propagates_nan() {
    let mut grads = [f64::NAN, 5.0];
    clip_value_slice(&mut grads, 1.0);
    assert!(grads[0].is_nan() && grads[1] == 1.0);
    assert!(clip_norm_slices(&mut [&mut grads], 1.0, Norm::L2).is_nan());
    assert!(grads.iter().all(|g| g.is_nan()));
    let mut grads = [f64::INFINITY, 5.0];
    assert_eq!(clip_norm_slices(&mut [&mut grads], 1.0, Norm::Max), f64::INFINITY);
    assert!(grads[0].is_nan() && grads[1] == 0.0);
    assert!(Norm::Max.of(&[&[1.0, f64::NAN, 2.0][..]]).is_nan());
}

/// In f32 squares overflow from 1.8e19 and vanish below 1e-23; in f64 from 1.3e154 and below 1e-162.
#[test]
fn norms_are_right_from_the_smallest_numbers_to_the_largest() {
    fn check<F: Real>(sizes: &[f64]) {
        for &size in sizes {
            let grads: Vec<F> = [1.0, -0.5, 0.0, 0.25].map(|x| F::of(x * size)).into();
            let parts = [&grads[..1], &grads[1..]];
            let exact: Vec<f64> = grads.iter().map(|g| g.abs().to_f64()).collect();
            let largest = exact.iter().fold(0f64, |max, g| max.max(*g));
            for (norm, p) in [
                (Norm::L2, 2.0),
                (Norm::L1, 1.0),
                (Norm::P(0.5), 0.5),
                (Norm::P(3.0), 3.0),
                (Norm::P(1e3), 1e3),
            ] {
                let expected =
                    largest * exact.iter().map(|g| (g / largest).powf(p)).sum::<f64>().powf(1.0 / p);
                let actual = norm.of(&parts);
                assert!(
                    (actual - expected).abs() <= 1e-12 * expected,
                    "{norm:?} of {grads:?}: {actual} should be {expected}"
                );
            }
            assert_eq!(Norm::Max.of(&parts), largest);
            let norm = Norm::L2.of(&parts);
            let mut clipped = grads.clone();
            assert_eq!(clip_norm_slices(&mut [&mut clipped], 1e-9, Norm::L2), norm);
            let factor = 1e-9 / (norm + 1e-6);
            let mut rows = grads.clone();
            max_norm(&mut rows, 1, 1e-9);
            for ((clipped, row), g) in clipped.iter().zip(&rows).zip(&exact) {
                let digits = 4.0 * F::EPSILON.to_f64();
                let expected = g / (norm + 1e-6) * 1e-9;
                assert!(
                    (clipped.abs().to_f64() - expected).abs()
                        <= digits * expected + f64::from(f32::MIN_POSITIVE),
                    "{factor}: {grads:?} to {clipped}"
                );
                let expected = if norm > 1e-9 { g / norm * 1e-9 } else { *g };
                assert!((row.abs().to_f64() - expected).abs() <= digits * expected, "{grads:?} to {row}");
            }
        }
    }
    check::<f32>(&[1e-37, 1e-30, 1e-20, 1.0, 1e19, 1e20, f32::MAX.into()]);
    check::<f64>(&[1e-300, 1e-170, 1e-150, 1.0, 1e150, 1e200, f64::MAX / 8.0]);
    let mut grads = [1e20f32; 2];
    assert!((clip_norm_slices(&mut [&mut grads], 1.0, Norm::L2) / 2f64.sqrt() / 1e20 - 1.0).abs() < 1e-7);
    assert!(grads.iter().all(|g| (g - 0.5f32.sqrt()).abs() < 1e-7), "{grads:?}");
    assert_eq!((Norm::L2.of::<f32>(&[]), Norm::P(3.0).of(&[&[0.0f64; 3][..]])), (0.0, 0.0));
    assert_eq!(l2(&[1e20f32, 1e20], &mut [0.0; 2], 1e-3), 1e-3 * f64::from(1e20f32).powi(2));
}

/// Σw² overflows in f64 from 1.3e154, Σ|w| from two of the largest numbers.
#[test]
fn a_penalty_without_weight_is_0_whatever_the_weights() {
    let (large, mut grads) = ([1e160f64, -1e160], [0.0; 2]);
    assert_eq!((l1(&large, &mut grads, 0.5), grads), (1e160, [0.5, -0.5]));
    assert_eq!(elastic_net(&[f64::MAX; 2], &mut grads, 0.0, 0.0), 0.0);
    assert_eq!(l2(&[f64::MAX; 2], &mut grads, 1.0), f64::INFINITY);
}

#[test]
fn l1_has_no_gradient_at_zero() {
    let mut grads = [0.0; 2];
    l1(&[0.0, -0.0], &mut grads, 3.0);
    assert_eq!(grads, [0.0; 2]);
}

#[test]
fn ema_before_the_first_update_is_zero() {
    let mut out = [1.0f32; 2];
    Ema::new(2, 0.9, true).unwrap().write_to_slice(&mut out);
    assert_eq!(out, [0.0; 2]);
}

#[test]
fn what_is_outside_its_range_is_refused() {
    let message = |error: Error| error.to_string();
    assert_eq!(message(Ema::<f32>::new(1, 1.0, false).unwrap_err()), "ema: decay = 1 is outside [0, 1)");
    assert_eq!(
        message(Lookahead::new(&[0.0f32], 0.0, 5).unwrap_err()),
        "look-ahead: alpha = 0 is outside (0, 1]"
    );
    assert_eq!(
        message(Lookahead::new(&[0.0f32], 0.5, 0).unwrap_err()),
        "look-ahead: k = 0 is outside [1, ∞)"
    );
    let refused = |config| LrRangeTest::new(config).unwrap_err().to_string();
    let default = RangeTest::default();
    assert_eq!(refused(RangeTest { start_lr: 0.0, ..default }), "range test: start_lr = 0 is outside (0, ∞)");
    assert_eq!(
        refused(RangeTest { end_lr: 1e-9, ..default }),
        "range test: start_lr must be smaller than end_lr"
    );
    assert_eq!(
        refused(RangeTest { start_lr: 1e-300, end_lr: 3e38, ..default }),
        "range test: end_lr / start_lr must be finite"
    );
    assert_eq!(refused(RangeTest { n_steps: 1, ..default }), "range test: n_steps = 1 is outside (1, ∞)");
    assert_eq!(
        refused(RangeTest { smoothing: 1.0, ..default }),
        "range test: smoothing = 1 is outside [0, 1)"
    );
    assert_eq!(
        refused(RangeTest { divergence: 1.0, ..default }),
        "range test: divergence = 1 is outside (1, ∞)"
    );
}

#[test]
#[should_panic(expected = "Ema::update: values has 3 elements, the average 2")]
fn an_average_of_another_length_panics() {
    Ema::<f64>::new(2, 0.9, false).unwrap().update_slice(&[0.0; 3]);
}

#[test]
#[should_panic(expected = "max_norm: 7 elements cannot be divided into 2 rows")]
fn rows_that_do_not_divide_panic() {
    max_norm(&mut [0.0f32; 7], 2, 1.0);
}

#[test]
#[should_panic(expected = "max_norm: 0 elements cannot be divided into 0 rows")]
fn no_rows_panic() {
    max_norm::<f32>(&mut [], 0, 1.0);
}

#[test]
#[should_panic(expected = "Norm::P: p = 0 must be positive and finite")]
fn a_norm_without_a_power_panics() {
    Norm::P(0.0).of(&[&[1.0f32][..]]);
}

#[test]
#[should_panic(expected = "Norm::P: p = inf must be positive and finite")]
fn an_infinite_power_panics() {
    clip_norm_slices(&mut [&mut [1.0f32]], 1.0, Norm::P(f64::INFINITY));
}

#[test]
#[should_panic(expected = "clip_value: limit = -1 must not be negative")]
fn a_negative_limit_panics() {
    clip_value_slice(&mut [0.0f32], -1.0);
}

#[test]
#[should_panic(expected = "clip_norm: max_norm = NaN must not be negative")]
fn a_limit_that_is_nan_panics() {
    clip_norm_slices(&mut [&mut [0.0f32]], f64::NAN, Norm::L2);
}

#[test]
fn the_range_test_walks_from_start_to_end_and_smooths() {
    let config =
        RangeTest { start_lr: 1e-4, end_lr: 1.0, n_steps: 5, smoothing: 0.5, ..RangeTest::default() };
    let mut test = LrRangeTest::new(config).unwrap();
    let losses = [4.0, 2.0, 6.0, 1.0, 1.0];
    let mut rates = Vec::new();
    for loss in losses {
        rates.push(test.next_lr().unwrap());
        test.observe(loss);
    }
    assert_eq!(test.next_lr(), None);
    assert!(close(&rates, &[1e-4, 1e-3, 1e-2, 1e-1, 1.0]));
    // 4; (½·4 + 2)/1.5; (¼·4 + ½·2 + 6)/1.75; …
    let smoothed: Vec<f64> = test.history().iter().map(|(_, loss)| *loss).collect();
    assert!(close(&smoothed, &[4.0, 4.0 / 1.5, 8.0 / 1.75, 5.0 / 1.875, 3.5 / 1.9375]), "{smoothed:?}");
    // It falls fastest from the third step to the fourth.
    assert!((test.suggestion().unwrap() - 1e-2).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_range_test_suggests_where_the_loss_falls_through_noise(
        seed: u64, n_steps in 80usize..400, smoothing in 0.85..0.97f64, place in -5.0..-3.0f64,
    ) {
        let mut test = LrRangeTest::new(RangeTest { n_steps, smoothing, ..RangeTest::default() }).unwrap();
        let mut noise = noise::<f64>(seed, n_steps).into_iter();
        while let Some(lr) = test.next_lr() {
            // Falls from 2.3 to 1.1 about the rate 10^place, and explodes three orders of magnitude later.
            let x = lr.log10() - place;
            test.observe(2.3 - 1.2 / (1.0 + (-4.0 * x).exp()) + (1e-3 * 10f64.powf(x)).powi(2) + 0.3 * noise.next().unwrap());
        }
        let x = test.suggestion().unwrap().log10() - place;
        prop_assert!(x.abs() < 1.0, "10^{} times the rate at which it falls", x);
    }
}

#[test]
fn the_range_test_ends_when_the_loss_explodes_and_suggests_nothing_if_it_never_fell() {
    let config = RangeTest { smoothing: 0.0, divergence: 3.0, ..RangeTest::default() };
    let mut test = LrRangeTest::new(config).unwrap();
    [1.0, 2.0, 3.0].iter().for_each(|&loss| test.observe(loss));
    assert!(test.next_lr().is_some());
    test.observe(3.1);
    assert_eq!((test.next_lr(), test.suggestion()), (None, None));

    // However long it might have been.
    let mut test = LrRangeTest::new(RangeTest { n_steps: usize::MAX, ..config }).unwrap();
    test.observe(f64::NAN);
    assert_eq!(test.next_lr(), None);
}

/// Log-likelihoods and rewards: what falls has not diverged, whatever its sign.
#[test]
fn the_range_test_takes_losses_of_either_sign() {
    let n_steps_of = |loss: &dyn Fn(f64) -> f64| {
        let config = RangeTest { n_steps: 50, smoothing: 0.0, ..RangeTest::default() };
        let mut test = LrRangeTest::new(config).unwrap();
        while test.next_lr().is_some() {
            test.observe(loss(test.history().len() as f64));
        }
        test.history().len()
    };
    for start in [-1.0, 0.0, 0.5, 2.0] {
        assert_eq!(n_steps_of(&|step| start - 0.02 * step), 50, "from {start}");
    }
    let noisy = |step: f64| 0.5 - 0.02 * step + 0.1 * (7.0 * step).sin();
    assert_eq!(n_steps_of(&noisy), 50);
    // It begins at 0, or next to it, and takes its scale from what follows.
    let from =
        |first: f64| move |step: f64| if step < 1.0 { first } else { 0.3 * (2.0 * step).sin() - 0.05 * step };
    assert_eq!(n_steps_of(&from(0.0)), 50);
    assert_eq!(n_steps_of(&from(-1e-9)), 50);
    assert_eq!(
        n_steps_of(&|step| if step < 1.0 {
            0.0
        } else if step < 2.0 {
            0.1
        } else {
            1.0 - step
        }),
        50
    );
    assert_eq!(n_steps_of(&|step| if step < 20.0 { step % 3.0 - 1.0 } else { 1000.0 }), 21);
    // From −1 to −2, and then up by more than three times 2.
    assert_eq!(n_steps_of(&|step| if step < 10.0 { -1.0 - 0.1 * step } else { step }), 11);
}

#[test]
fn the_range_test_keeps_its_curve_and_suggests_nothing_where_it_is_level() {
    let config = RangeTest { n_steps: 20, smoothing: 0.0, ..RangeTest::default() };
    let mut test = LrRangeTest::new(config).unwrap();
    let mut curve = Vec::new();
    while let Some(lr) = test.next_lr() {
        curve.push((lr, 2.0));
        test.observe(2.0);
    }
    assert_eq!(curve.len(), 20);
    assert_eq!((test.history(), test.suggestion()), (&curve[..], None));
}

#[test]
#[should_panic(expected = "LrRangeTest::observe: the test has ended")]
fn a_range_test_that_has_ended_takes_no_more() {
    let mut test = LrRangeTest::new(RangeTest { n_steps: 2, ..RangeTest::default() }).unwrap();
    (0..3).for_each(|_| test.observe(1.0));
}
