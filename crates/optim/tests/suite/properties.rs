//! What must hold for all rules, or for those that a property names.

use crate::common::{noise, optimizer, variants, without_decay};
use optim::*;
use proptest::prelude::*;

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// The values after one step for each gradient.
fn run(rule: AnyRule<f64>, values: &[f64], grads: &[Vec<f64>]) -> Vec<f64> {
    let mut values = values.to_vec();
    let mut optimizer = optimizer(rule, values.len());
    grads.iter().for_each(|grads| optimizer.step_slices(&mut values, grads));
    values
}

fn elementwise(variants: Vec<(String, AnyRule<f64>)>) -> impl Iterator<Item = (String, AnyRule<f64>)> {
    variants.into_iter().filter(|(_, rule)| matches!(rule, AnyRule::Elementwise(_)))
}

/// Values, and gradients for some steps, of an even number of coordinates.
fn course() -> impl Strategy<Value = (Vec<f64>, Vec<Vec<f64>>)> {
    (1usize..20, 1usize..6).prop_flat_map(|(half, n_steps)| {
        let vector = prop::collection::vec(-3.0..3.0f64, 2 * half);
        (vector.clone(), prop::collection::vec(vector, n_steps))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_zero_gradient_changes_nothing_from_fresh_state((values, grads) in course()) {
        let zeros = vec![vec![0.0; values.len()]; grads.len()];
        for (name, rule) in variants() {
            let after = run(without_decay(rule), &values, &zeros);
            prop_assert_eq!(bits(&after), bits(&values), "{}", name);
        }
    }

    #[test]
    fn coordinates_may_be_permuted((values, grads) in course(), turn in 0usize..40) {
        let rotated = |x: &[f64]| {
            let mut x = x.to_vec();
            x.reverse();
            let n = x.len();
            x.rotate_left(turn % n);
            x
        };
        let rotated_grads: Vec<_> = grads.iter().map(|grads| rotated(grads)).collect();
        for ((name, rule), (_, same)) in elementwise(variants()).zip(elementwise(variants())) {
            let after = run(rule, &values, &grads);
            let after_rotated = run(same, &rotated(&values), &rotated_grads);
            prop_assert_eq!(bits(&rotated(&after)), bits(&after_rotated), "{}", name);
        }
    }

    #[test]
    fn a_split_tensor_equals_the_whole((values, grads) in course(), cut in 0usize..40) {
        let n = values.len();
        let cut = cut % (n + 1);
        for ((name, rule), (_, same)) in elementwise(variants()).zip(elementwise(variants())) {
            let whole = run(rule, &values, &grads);
            // The second part comes first, so that the runs cannot be joined.
            let parts = [Param::new("b", cut..n), Param::new("a", 0..cut)];
            let mut optimizer = Optimizer::for_slices([Group::new(same, parts)]).unwrap();
            let mut split = values.clone();
            grads.iter().for_each(|grads| optimizer.step_slices(&mut split, grads));
            prop_assert_eq!(bits(&whole), bits(&split), "{}", name);
        }
    }

    #[test]
    fn saving_restoring_and_stepping_is_stepping((values, grads) in course()) {
        for ((name, rule), (_, same)) in variants().into_iter().zip(variants()) {
            let mut values = values.clone();
            let mut first = optimizer(rule, values.len());
            grads.iter().for_each(|grads| first.step_slices(&mut values, grads));
            let saved: Vec<(String, Vec<f64>)> = first.state().map(|(name, x)| (name, x.to_vec())).collect();
            let mut restored = values.clone();
            let mut second = optimizer(same, values.len());
            second
                .load_state(first.n_steps(), saved.iter().map(|(name, x)| (name.as_str(), x.as_slice())))
                .unwrap();
            for grads in &grads {
                first.step_slices(&mut values, grads);
                second.step_slices(&mut restored, grads);
            }
            prop_assert_eq!(bits(&values), bits(&restored), "{}", &name);
            prop_assert_eq!(first.n_steps(), second.n_steps());
            for ((slot, a), (_, b)) in first.state().zip(second.state()) {
                prop_assert_eq!(bits(a), bits(b), "{} {}", &name, slot);
            }
        }
    }

    #[test]
    fn adams_first_step_is_lr_times_the_sign((values, grads) in course(), lr in 1e-4..1.0f64, eps in 0.0..1e-3f64) {
        let after = run(Adam { lr, eps, ..Adam::default() }.into(), &values, &grads[..1]);
        for ((after, before), g) in after.iter().zip(&values).zip(&grads[0]) {
            if g.abs() > 1e-6 {
                let shortfall = lr * eps / (g.abs() + eps);
                let error = (before - after - lr * g.signum()).abs();
                prop_assert!(error <= shortfall + 1e-14 * (before.abs() + 1.0), "{} at {}", error, g);
            }
        }
    }

    #[test]
    fn lion_and_adam_without_eps_ignore_the_scale_of_the_gradient((values, grads) in course(), power in -20i32..20) {
        // A power of two changes no digit of any mean.
        let scaled: Vec<Vec<f64>> =
            grads.iter().map(|grads| grads.iter().map(|g| g * 2f64.powi(power)).collect()).collect();
        let rules: [[AnyRule<f64>; 2]; 4] = [
            [Lion::default().into(), Lion::default().into()],
            [Lion { weight_decay: 0.3, ..Lion::default() }.into(), Lion { weight_decay: 0.3, ..Lion::default() }.into()],
            [Adam { eps: 0.0, ..Adam::default() }.into(), Adam { eps: 0.0, ..Adam::default() }.into()],
            [AdamW { eps: 0.0, ..AdamW::default() }.into(), AdamW { eps: 0.0, ..AdamW::default() }.into()],
        ];
        for [rule, same] in rules {
            let name = rule.rule().name();
            prop_assert_eq!(bits(&run(rule, &values, &grads)), bits(&run(same, &values, &scaled)), "{}", name);
        }
    }

    #[test]
    fn adam_and_rmsprop_hardly_see_the_scale_when_the_gradient_is_far_above_eps(
        (values, grads) in course(), scale in 1e3..1e6f64,
    ) {
        let far = |scale: f64| -> Vec<Vec<f64>> {
            grads.iter().map(|g| g.iter().map(|g| scale * (g + 0.1f64.copysign(*g))).collect()).collect()
        };
        for rule in [|| -> AnyRule<f64> { Adam::default().into() }, || RmsProp::default().into()] {
            let (small, large) = (run(rule(), &values, &far(1.0)), run(rule(), &values, &far(scale)));
            // At first √v is a tenth of |g| ≥ 0.1 for RMSProp: ε weighs 1e-6 of a step of up to 0.1.
            for (small, large) in small.iter().zip(&large) {
                prop_assert!((small - large).abs() <= 1e-6 * 0.1 * grads.len() as f64);
            }
        }
    }

    #[test]
    fn sgd_is_linear_in_lr((values, grads) in course(), lr in 1e-3..1.0f64, k in 0.0..10.0f64, momentum in 0.0..0.99f64) {
        let sgd = Sgd { lr, momentum, ..Sgd::default() };
        let short = run(sgd.into(), &values, &grads);
        let long = run(Sgd { lr: k * lr, ..sgd }.into(), &values, &grads);
        for ((short, long), before) in short.iter().zip(&long).zip(&values) {
            let (short, long) = (short - before, long - before);
            prop_assert!((long - k * short).abs() <= 1e-12 * (1.0 + k) * (1.0 + short.abs() + before.abs()));
        }
    }

    #[test]
    fn momentum_0_is_sgd((values, grads) in course(), weight_decay in 0.0..0.5f64) {
        let sgd = Sgd { lr: 0.1, weight_decay, ..Sgd::default() };
        let plain: Vec<f64> = grads.iter().fold(values.clone(), |values, grads| {
            values.iter().zip(grads).map(|(w, g)| w - 0.1 * if weight_decay == 0.0 { *g } else { g + weight_decay * w }).collect()
        });
        for same in [sgd, Sgd { averaged: true, ..sgd }, Sgd { dampening: 0.5, ..sgd }] {
            prop_assert_eq!(bits(&run(same.into(), &values, &grads)), bits(&plain));
        }
    }

    #[test]
    fn adamw_without_decay_is_adam_without_decay((values, grads) in course(), amsgrad: bool) {
        let adam = Adam { amsgrad, ..Adam::default() };
        let adamw = AdamW { weight_decay: 0.0, amsgrad, ..AdamW::default() };
        let after = run(adam.into(), &values, &grads);
        prop_assert_eq!(bits(&after), bits(&run(adamw.into(), &values, &grads)));
        let decoupled = Adam { decoupled_weight_decay: true, ..adam };
        prop_assert_eq!(bits(&after), bits(&run(decoupled.into(), &values, &grads)));
    }

    #[test]
    fn adamw_is_adam_with_decoupled_decay((values, grads) in course(), weight_decay in 0.0..1.0f64) {
        let adam = Adam { weight_decay, decoupled_weight_decay: true, ..Adam::default() };
        let adamw = AdamW { weight_decay, ..AdamW::default() };
        prop_assert_eq!(bits(&run(adam.into(), &values, &grads)), bits(&run(adamw.into(), &values, &grads)));
    }

    #[test]
    fn amsgrads_maximum_never_falls((values, grads) in course()) {
        let adam = Adam { amsgrad: true, betas: (0.9, 0.5), ..Adam::default() };
        let (mut values, mut state) = (values.clone(), adam.state(values.len()).unwrap());
        let mut before = vec![0.0; values.len()];
        for grads in &grads {
            adam.update(&mut values, grads, &mut state);
            let slots: Vec<Vec<f64>> = state.slots().map(|(_, x)| x.to_vec()).collect();
            let [_, mean, max] = &slots[..] else { panic!("three slots") };
            for i in 0..before.len() {
                prop_assert!(max[i] >= before[i] && max[i] >= mean[i]);
            }
            before.clone_from(max);
        }
    }

    #[test]
    fn rmsprop_without_memory_is_the_sign_step((values, grads) in course(), lr in 1e-3..1.0f64) {
        let rmsprop = RmsProp { lr, alpha: 0.0, eps: 0.0, ..RmsProp::default() };
        let nonzero: Vec<f64> = grads[0].iter().map(|g| g + 1e-3f64.copysign(*g)).collect();
        let after = run(rmsprop.into(), &values, std::slice::from_ref(&nonzero));
        for ((after, before), g) in after.iter().zip(&values).zip(&nonzero) {
            prop_assert!((after - (before - lr * g.signum())).abs() <= 1e-15 * (1.0 + before.abs()));
        }
    }

    #[test]
    fn sgd_descends_a_convex_quadratic_below_2_over_l(
        values in prop::collection::vec(0.1..3.0f64, 4), curvatures in prop::collection::vec(0.01..5.0f64, 4), part in 0.05..0.95f64,
    ) {
        let largest = curvatures.iter().fold(0f64, |max, &c| max.max(c));
        let mut optimizer = optimizer(Sgd { lr: part * 2.0 / largest, ..Sgd::default() }.into(), 4);
        let mut w = values;
        let loss = |w: &[f64]| w.iter().zip(&curvatures).map(|(w, c)| c * w * w / 2.0).sum::<f64>();
        for _ in 0..30 {
            let before = loss(&w);
            let grads: Vec<f64> = w.iter().zip(&curvatures).map(|(w, c)| c * w).collect();
            optimizer.step_slices(&mut w, &grads);
            prop_assert!(loss(&w) < before);
        }
    }

    #[test]
    fn climbing_is_descending_the_negative((values, grads) in course()) {
        let negative: Vec<Vec<f64>> = grads.iter().map(|g| g.iter().map(|g| -g).collect()).collect();
        macro_rules! both {
            ($($rule:ident $($field:ident: $value:expr),*;)+) => {
                [$([true, false].map(|maximize| -> AnyRule<f64> {
                    $rule { $($field: $value,)* maximize, ..$rule::default() }.into()
                })),+]
            };
        }
        let rules = both! {
            Sgd momentum: 0.9, weight_decay: 0.1; Asgd t0: 1.0; Rprop; Adagrad weight_decay: 0.1; Adadelta;
            RmsProp centered: true; Adam weight_decay: 0.1; AdamW; Adamax; NAdam; RAdam; Lion weight_decay: 0.1;
            Adan weight_decay: 0.1; Adafactor; Lamb; Lars;
        };
        let named: Vec<_> = rules.iter().map(|[climbs, _]| climbs.rule().name()).collect();
        prop_assert!(RULE_NAMES.iter().all(|name| named.contains(name) || *name == "muon"), "only Muon cannot climb");
        for [climbs, descends] in rules {
            let name = climbs.rule().name();
            prop_assert_eq!(bits(&run(climbs, &values, &grads)), bits(&run(descends, &values, &negative)), "{}", name);
        }
    }

    #[test]
    fn clipping_by_norm_keeps_the_direction_and_bounds_the_norm(
        parts in prop::collection::vec(prop::collection::vec(-1e3..1e3f64, 0..9), 1..5), max_norm in 1e-3..1e3f64, which in 0usize..4,
    ) {
        let norm = [Norm::L2, Norm::L1, Norm::Max, Norm::P(3.0)][which];
        let mut clipped = parts.clone();
        let mut slices: Vec<&mut [f64]> = clipped.iter_mut().map(|part| part.as_mut_slice()).collect();
        let total = clip_norm_slices(&mut slices, max_norm, norm);
        let flat = parts.concat();
        let naive = match norm {
            Norm::L2 => flat.iter().map(|g| g * g).sum::<f64>().sqrt(),
            Norm::L1 => flat.iter().map(|g| g.abs()).sum(),
            Norm::Max => flat.iter().fold(0f64, |max, g| max.max(g.abs())),
            Norm::P(p) => flat.iter().map(|g| g.abs().powf(p)).sum::<f64>().powf(1.0 / p),
        };
        prop_assert!((total - naive).abs() <= 1e-12 * naive, "{} against {}", total, naive);
        let clipped = clipped.concat();
        let after = norm.of(&[&clipped]);
        prop_assert!(after <= max_norm * (1.0 + 1e-12));
        let factor = (max_norm / (naive + 1e-6)).min(1.0);
        for (after, before) in clipped.iter().zip(&flat) {
            prop_assert!((after - factor * before).abs() <= 1e-12 * before.abs());
        }
        // The flat gradient is clipped alike.
        let mut whole = flat.clone();
        clip_norm_slices(&mut [&mut whole], max_norm, norm);
        for (whole, clipped) in whole.iter().zip(&clipped) {
            prop_assert!((whole - clipped).abs() <= 1e-12 * whole.abs());
        }
    }

    #[test]
    fn f32_follows_f64((values, grads) in course()) {
        for ((name, rule), (_, narrow)) in variants::<f64>().into_iter().zip(variants::<f32>()) {
            // Where a gradient is near 0, signs and centred variances may differ between the types.
            if name.contains("centered") || name.contains("lion") || name.contains("rprop") {
                continue;
            }
            let away = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| f64::from((x + 0.1f64.copysign(*x)) as f32)).collect() };
            let (values, grads): (_, Vec<_>) = (away(&values), grads.iter().map(|g| away(g)).collect());
            let wide = run(rule, &values, &grads);
            let mut w: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            let mut optimizer = optimizer(narrow, w.len());
            for grads in &grads {
                let grads: Vec<f32> = grads.iter().map(|&g| g as f32).collect();
                optimizer.step_slices(&mut w, &grads);
            }
            for (narrow, wide) in w.iter().zip(&wide) {
                let error = (f64::from(*narrow) - wide).abs();
                prop_assert!(error <= 1e-4 * (1.0 + wide.abs()), "{}: {} against {}", name, narrow, wide);
            }
        }
    }
}

#[test]
fn a_nan_in_the_gradient_reaches_its_weight_and_no_other_of_an_elementwise_rule() {
    for (name, rule) in variants::<f64>() {
        let elementwise = matches!(rule, AnyRule::Elementwise(_));
        let after = run(rule, &[1.0, 2.0, 3.0, 4.0], &[vec![0.5, f64::NAN, 0.5, 0.5], vec![0.5; 4]]);
        assert!(after[1].is_nan(), "{name}: {after:?}");
        assert!(!elementwise || [0, 2, 3].iter().all(|&i| after[i].is_finite()), "{name}: {after:?}");
    }
}

/// Where a rule follows the scale of a tensor, it does so up to the largest weights and gradients.
#[test]
fn norms_within_a_rule_neither_overflow_nor_vanish() {
    fn check<F: Real>(powers: [i32; 4], tolerance: f64) {
        let (w, g) = ([1.0, -2.0, 0.5, 3.0], [0.3, 0.1, -0.2, 0.4]);
        let step = |rule: AnyRule<F>, w_scale: f64, g_scale: f64| -> Vec<f64> {
            let mut values = w.map(|w| F::of(w * w_scale));
            optimizer(rule, 4).step_slices(&mut values, &g.map(|g| F::of(g * g_scale)));
            values.map(|w| w.to_f64() / w_scale).into()
        };
        for scale in powers.map(|power| 2f64.powi(power)) {
            // Each with the scales of values and gradients under which its relative step is the same.
            type Case<F> = (fn() -> AnyRule<F>, f64, f64);
            let rules: [Case<F>; 5] = [
                (|| Lars::default().into(), scale, scale),
                (|| Lars { weight_decay: 0.0, ..Lars::default() }.into(), 1.0, scale),
                (|| Lamb { weight_decay: 0.0, ..Lamb::default() }.into(), scale, 1.0),
                (|| Adafactor { eps: (None, 0.0), ..Adafactor::default() }.into(), scale, 1.0),
                (|| Muon { eps: 0.0, ..Muon::default() }.into(), 1.0, scale),
            ];
            for (rule, w_scale, g_scale) in rules {
                let (expected, actual) = (step(rule(), 1.0, 1.0), step(rule(), w_scale, g_scale));
                let is_close = expected.iter().zip(&actual).all(|(a, b)| (a - b).abs() <= tolerance);
                assert!(is_close, "{:?} at {scale:e}: {actual:?} should be {expected:?}", rule());
            }
        }
    }
    check::<f32>([-100, -80, 80, 124], 1e-6);
    check::<f64>([-900, -600, 600, 1000], 1e-12);
}

#[test]
fn lars_moves_by_gradients_whose_ratio_is_beyond_f32() {
    let lars = Lars { weight_decay: 0.0, ..Lars::default() };
    let mut values = [10.0f32, 0.0];
    lars.update(&[2], &mut values, &[1e-43, 0.0], &mut lars.state(&[2]).unwrap());
    // By lr·η·‖w‖.
    assert!((values[0] - (10.0 - 1e-3)).abs() < 1e-6 && values[1] == 0.0, "{values:?}");
}

#[test]
fn lamb_takes_the_norm_of_an_update_too_small_or_too_large_to_be_squared() {
    let w = [1.0, -2.0, 0.5, 3.0];
    let step = |eps: f64, weight_decay: f64| {
        run(Lamb { eps, weight_decay, ..Lamb::default() }.into(), &w, &[vec![0.3, 0.1, -0.2, 0.4]])
    };
    // So far above the gradient, ε sets the length of the update but not its direction.
    let (expected, small) = (step(1e20, 0.0), step(1e200, 0.0));
    assert!((expected[0] - w[0]).abs() > 1e-4, "{expected:?}");
    assert!(expected.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-14), "{small:?} for {expected:?}");
    let large = step(1e-6, 1e200);
    let is_shrunk = large.iter().zip(w).all(|(after, w)| (after - (1.0 - 1e-3) * w).abs() < 1e-14);
    assert!(is_shrunk, "{large:?}");
}

#[test]
fn a_gradient_that_never_varies_has_a_spread_of_0_and_not_less() {
    for momentum in [0.0, 0.5] {
        let rule = RmsProp { centered: true, momentum, ..RmsProp::default() };
        let grads: Vec<f32> = noise(5, 200);
        let (mut values, mut optimizer) = (vec![0f32; 200], optimizer(rule.into(), 200));
        (0..3000).for_each(|_| optimizer.step_slices(&mut values, &grads));
        assert!(values.iter().zip(&grads).all(|(w, g)| w.is_finite() && w * g < 0.0), "{values:?}");
    }
}

#[test]
fn nesterovs_momentum_needs_a_momentum() {
    let error = Elementwise::<f32>::state(&Sgd { nesterov: true, ..Sgd::default() }, 1).unwrap_err();
    assert_eq!(error.to_string(), "sgd: Nesterov's momentum needs a momentum above 0");
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let n = 150_002;
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let runs = variants::<f32>().into_iter().filter(|(name, _)| !name.starts_with("muon"));
            runs.map(|(name, rule)| {
                let (mut values, mut optimizer) = (noise(1, n), optimizer(rule, n));
                for step in 2..5 {
                    optimizer.step_slices(&mut values, &noise(step, n));
                }
                (name, values)
            })
            .collect::<Vec<_>>()
        })
    };
    for ((name, one), (_, other)) in on(1).into_iter().zip(on(3)) {
        assert!(one.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}");
    }
}

#[test]
fn muons_bits_do_not_depend_on_the_number_of_threads() {
    let (rows, cols) = (130, 260);
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let muon = Muon::default();
            let (mut values, mut state) = (noise::<f32>(1, rows * cols), muon.state(&[rows, cols]).unwrap());
            muon.update(&[rows, cols], &mut values, &noise(2, rows * cols), &mut state);
            values.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        })
    };
    assert_eq!(on(1), on(3));
}

/// f = ½Σcᵢwᵢ² with c = 1, 2, 4, 8, from w = 1, where it is 7.5; and Rosenbrock's valley from (−1.2, 1), where it is 24.2.
#[test]
fn every_rule_brings_a_function_under_its_bound() {
    let quadratic = |w: &[f64]| {
        let c = [1.0, 2.0, 4.0, 8.0];
        let loss = w.iter().zip(c).map(|(w, c)| c * w * w / 2.0).sum::<f64>();
        (loss, w.iter().zip(c).map(|(w, c)| c * w).collect::<Vec<f64>>())
    };
    let rosenbrock = |w: &[f64]| {
        let (offset, curve) = (1.0 - w[0], w[1] - w[0] * w[0]);
        (offset * offset + 100.0 * curve * curve, vec![-2.0 * offset - 400.0 * curve * w[0], 200.0 * curve])
    };
    type Task<'a> = (&'a dyn Fn(&[f64]) -> (f64, Vec<f64>), &'a [f64]);
    let (q, r): (Task, Task) = ((&quadratic, &[1.0; 4]), (&rosenbrock, &[-1.2, 1.0]));
    let rules: Vec<(AnyRule<f64>, _, usize, f64)> = vec![
        (Sgd { lr: 0.1, ..Sgd::default() }.into(), q, 100, 1e-8),
        (Sgd { lr: 1e-3, momentum: 0.9, ..Sgd::default() }.into(), r, 2000, 1e-6),
        (Sgd { lr: 1e-3, momentum: 0.9, nesterov: true, ..Sgd::default() }.into(), r, 2000, 1e-6),
        (Sgd { lr: 1e-2, momentum: 0.9, averaged: true, ..Sgd::default() }.into(), r, 2000, 1e-6),
        (Asgd { lr: 0.1, lambd: 0.0, ..Asgd::default() }.into(), q, 100, 1e-8),
        (Rprop::default().into(), q, 100, 1e-8),
        (Adagrad { lr: 0.5, ..Adagrad::default() }.into(), q, 200, 1e-8),
        (Adadelta::default().into(), q, 1500, 1e-2),
        (RmsProp { lr: 1e-3, ..RmsProp::default() }.into(), r, 6000, 1e-2),
        (Adam { lr: 0.02, ..Adam::default() }.into(), r, 4000, 1e-5),
        (Adam { lr: 0.02, amsgrad: true, ..Adam::default() }.into(), r, 6000, 1e-3),
        (AdamW { lr: 0.02, weight_decay: 0.0, ..AdamW::default() }.into(), r, 4000, 1e-5),
        (Adamax { lr: 0.05, ..Adamax::default() }.into(), r, 6000, 1e-3),
        (NAdam { lr: 0.02, ..NAdam::default() }.into(), r, 4000, 1e-4),
        (RAdam { lr: 0.02, ..RAdam::default() }.into(), q, 1000, 1e-8),
        (Lion { lr: 1e-3, ..Lion::default() }.into(), q, 1200, 1e-2),
        (Adan { lr: 0.02, ..Adan::default() }.into(), r, 3000, 1e-4),
        (Adafactor::default().into(), q, 1500, 1e-3),
        (Lamb { lr: 0.02, weight_decay: 0.0, ..Lamb::default() }.into(), q, 400, 1e-3),
        (
            Lars { lr: 1.0, trust_coefficient: 0.01, weight_decay: 0.0, ..Lars::default() }.into(),
            q,
            2000,
            1e-6,
        ),
        (Muon { lr: 1e-2, weight_decay: 0.0, ..Muon::default() }.into(), q, 300, 0.2),
    ];
    let named: Vec<_> = rules.iter().map(|(rule, ..)| rule.rule().name()).collect();
    assert!(RULE_NAMES.iter().all(|name| named.contains(name)), "a rule is missing: {named:?}");
    let mut failures = Vec::new();
    for (rule, (function, start), n_steps, bound) in rules {
        let name = format!("{rule:?}");
        let mut w = start.to_vec();
        let mut optimizer = optimizer(rule, w.len());
        for _ in 0..n_steps {
            let (_, grads) = function(&w);
            optimizer.step_slices(&mut w, &grads);
        }
        let (loss, _) = function(&w);
        if loss.is_nan() || loss > bound {
            failures.push(format!("{name}: {loss:.1e} after {n_steps} steps, should be {bound:.0e}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
