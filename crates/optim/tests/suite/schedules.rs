//! The schedules against PyTorch 2.15 over 500 steps, and by their properties.
//!
//! `tests/pytorch/record_schedules.py` made the record and says how to make it again. PyTorch computes most
//! rates from the one before; here each is computed from the step alone, so they agree to rounding: 1e-12 of
//! the largest rate.

use std::f64::consts::PI;

use optim::schedule::*;
use optim::{Error, Goal, Plateau, ReduceLrOnPlateau, Threshold};
use proptest::prelude::*;

const N_STEPS: usize = 500;

/// The schedules with the names and options of the script.
fn schedule(name: &str) -> Box<dyn Schedule> {
    let lr = 0.1;
    let cyclic = CyclicLr {
        base_lr: 0.01,
        max_lr: 0.3,
        step_size_up: 30,
        step_size_down: 30,
        mode: CyclicMode::Triangular,
        momentum: Some((0.8, 0.9)),
    };
    match name {
        "constant" => Box::new(ConstantLr { lr, factor: 0.25, total_iters: 30 }),
        "linear" => Box::new(LinearLr { lr, start_factor: 0.2, end_factor: 0.7, total_iters: 150 }),
        "linear down" => Box::new(LinearLr { lr, start_factor: 1.0, end_factor: 0.0, total_iters: 300 }),
        "step" => Box::new(StepLr { lr, step_size: 70, gamma: 0.3 }),
        "multi-step" => Box::new(MultiStepLr { lr, milestones: vec![90, 40, 333, 90], gamma: 0.5 }),
        "exponential" => Box::new(ExponentialLr { lr, gamma: 0.97 }),
        "polynomial" => Box::new(PolynomialLr { lr, total_iters: 400, power: 1.7 }),
        "cosine" => Box::new(CosineAnnealingLr { lr, t_max: 80, eta_min: 0.013 }),
        "cosine to zero" => Box::new(CosineAnnealingLr { lr, t_max: 500, eta_min: 0.0 }),
        "cosine-restarts" => Box::new(CosineAnnealingWarmRestarts { lr, t_0: 60, t_mult: 1, eta_min: 0.01 }),
        "cosine-restarts doubling" => {
            Box::new(CosineAnnealingWarmRestarts { lr, t_0: 30, t_mult: 2, eta_min: 0.0 })
        }
        "cyclic triangular" => Box::new(CyclicLr { step_size_up: 40, step_size_down: 25, ..cyclic }),
        "cyclic triangular2" => {
            Box::new(CyclicLr { mode: CyclicMode::Triangular2, momentum: Some((0.7, 0.95)), ..cyclic })
        }
        "cyclic exp_range" => Box::new(CyclicLr { mode: CyclicMode::ExpRange(0.99), ..cyclic }),
        "one-cycle" => Box::new(OneCycleLr::new(0.4, 500)),
        "one-cycle linear" => Box::new(OneCycleLr {
            anneal: Anneal::Linear,
            pct_start: 0.2,
            div_factor: 10.0,
            final_div_factor: 100.0,
            momentum: Some((0.8, 0.9)),
            ..OneCycleLr::new(0.4, 500)
        }),
        "one-cycle three phases" => Box::new(OneCycleLr { three_phase: true, ..OneCycleLr::new(0.4, 500) }),
        "lambda" => Box::new(LambdaLr { lr, factor: |step| 1.0 / (1.0 + 0.01 * step as f64) }),
        "multiplicative" => {
            Box::new(MultiplicativeLr { lr, factor: |step| 1.0 - 1.0 / (step as f64 + 10.0) })
        }
        "chained" => Box::new(ChainedLr {
            schedules: vec![
                Box::new(ExponentialLr { lr, gamma: 0.99 }),
                Box::new(ConstantLr { lr: 1.0, factor: 0.5, total_iters: 20 }),
            ],
        }),
        "sequential" => Box::new(SequentialLr {
            schedules: vec![
                Box::new(LinearLr { lr, start_factor: 0.1, end_factor: 1.0, total_iters: 50 }),
                Box::new(ExponentialLr { lr, gamma: 0.98 }),
                Box::new(StepLr { lr, step_size: 100, gamma: 0.1 }),
            ],
            milestones: vec![50, 200],
        }),
        "warm-up" => {
            let then = CosineAnnealingLr { lr, t_max: 450, eta_min: 0.0 };
            Box::new(Warmup { warmup_steps: 50, start_factor: 0.1, then })
        }
        _ => panic!("no schedule {name}"),
    }
}

fn plateau(name: &str) -> ReduceLrOnPlateau {
    let default = ReduceLrOnPlateau::new(0.1);
    match name {
        "plateau" => ReduceLrOnPlateau { patience: 6, ..default },
        "plateau absolute" => ReduceLrOnPlateau {
            patience: 3,
            threshold: Threshold::Absolute(0.02),
            factor: 0.5,
            cooldown: 8,
            min_lr: 1e-3,
            ..default
        },
        "plateau max" => ReduceLrOnPlateau {
            goal: Goal::Max,
            patience: 30,
            factor: 0.3,
            threshold: Threshold::Relative(0.01),
            ..default
        },
        "plateau max absolute" => ReduceLrOnPlateau {
            goal: Goal::Max,
            patience: 20,
            factor: 0.7,
            threshold: Threshold::Absolute(0.01),
            eps: 2e-4,
            ..default
        },
        _ => panic!("no plateau {name}"),
    }
}

#[track_caller]
fn assert_close(name: &str, what: &str, actual: impl Fn(u64) -> f64, expected: &[f64]) {
    let largest = expected.iter().fold(0f64, |max, x| max.max(*x));
    for (step, expected) in expected.iter().enumerate() {
        let actual = actual(step as u64);
        assert!(
            (actual - expected).abs() <= 1e-12 * largest,
            "{name}: {what} {actual} at step {step} should be {expected}"
        );
    }
}

#[test]
fn every_schedule_repeats_pytorch() {
    let index: serde_json::Value = serde_json::from_str(include_str!("../pytorch/schedules.json")).unwrap();
    let blob: &[u8] = include_bytes!("../pytorch/schedules.bin");
    let numbers: Vec<f64> = blob.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let mut rows = numbers.chunks_exact(N_STEPS);
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let rates = rows.next().unwrap();
        if name.starts_with("plateau") {
            let mut plateau = Plateau::new(plateau(name)).unwrap();
            let metric = |step: u64| (-((step / 40) as f64) / 4.0).exp() + 0.05 * (1.3 * step as f64).sin();
            let actual: Vec<f64> = (0..N_STEPS as u64).map(|step| plateau.observe(metric(step))).collect();
            assert_close(name, "rate", |step| actual[step as usize], rates);
            assert_eq!(plateau.lr(), actual[N_STEPS - 1]);
            continue;
        }
        let schedule = schedule(name);
        schedule.check().unwrap();
        assert_close(name, "rate", |step| schedule.lr(step), rates);
        if case["momentum"] == true {
            assert_close(name, "momentum", |step| schedule.momentum(step).unwrap(), rows.next().unwrap());
        } else {
            assert_eq!(schedule.momentum(0), None);
        }
    }
    assert!(rows.next().is_none(), "the record holds more than the index lists");
}

#[test]
fn every_name_gives_a_schedule_that_stays_within_its_rate() {
    for name in SCHEDULE_NAMES {
        for n in [1, 2, 7, 50, 1000] {
            let schedule = schedule_named(name, 0.3, n, &[]).unwrap();
            let rates: Vec<f64> = (0..n + 10).map(|step| schedule.lr(step)).collect();
            assert!(
                rates.iter().all(|rate| (0.0..=0.3 * (1.0 + 1e-12)).contains(rate)),
                "{name} over {n}: {rates:?}"
            );
            assert!(rates[..n as usize].iter().any(|&rate| rate > 0.0), "{name} over {n}: {rates:?}");
            assert_eq!(schedule.momentum(0), None);
        }
    }
    let message = schedule_named("cosin", 0.1, 10, &[]).err().unwrap().to_string();
    assert!(message.starts_with("unknown schedule `cosin`; expected one of constant, "), "{message}");
    assert_eq!(
        schedule_named("step", -1.0, 10, &[]).err().unwrap().to_string(),
        "step: lr = -1 is outside [0, ∞)"
    );
}

#[test]
fn named_schedules_do_over_the_run_what_their_table_says() {
    let at = |name: &str, step: u64| schedule_named(name, 1.0, 700, &[]).unwrap().lr(step);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(close(at("linear", 0), 1.0) && close(at("linear", 350), 0.5) && close(at("linear", 700), 0.0));
    assert!(close(at("step", 233), 1.0) && close(at("step", 234), 0.1) && close(at("step", 699), 0.01));
    assert!(
        close(at("multi-step", 349), 1.0)
            && close(at("multi-step", 350), 0.1)
            && close(at("multi-step", 525), 0.01)
    );
    assert!(close(at("exponential", 700), 0.01) && close(at("polynomial", 350), 0.25));
    assert!(close(at("cosine", 350), 0.5) && close(at("cosine", 700), 0.0));
    assert!(
        close(at("cosine-restarts", 100), 1.0)
            && close(at("cosine-restarts", 300), 1.0)
            && at("cosine-restarts", 299) < 1e-3
    );
    assert!(
        close(at("cyclic", 0), 0.1) && close(at("cyclic", 87), 1.0) && close(at("cyclic", 174 + 87), 0.55)
    );
    assert!(close(at("one-cycle", 209), 1.0) && at("one-cycle", 699) < 1e-5);
    assert!(close(at("noam", 69), 1.0) && close(at("noam", 279), 0.5));
    assert!(
        close(at("trapezoid", 34), 1.0)
            && close(at("trapezoid", 560), 1.0)
            && close(at("trapezoid", 630), 0.5)
    );
    assert_eq!((at("trapezoid", 700), at("constant", 699)), (0.0, 1.0));
}

#[test]
fn named_schedules_keep_their_word_in_short_runs() {
    for n in 1..=200 {
        let rates = |name| -> Vec<f64> {
            let schedule = schedule_named(name, 1.0, n, &[]).unwrap();
            (0..n).map(|step| schedule.lr(step)).collect()
        };
        for name in SCHEDULE_NAMES {
            let rates = rates(name);
            assert!(n > 1 || rates == [1.0], "{name} over one step: {rates:?}");
            let warms_up = ["cyclic", "one-cycle", "noam", "trapezoid"].contains(name);
            assert!(warms_up || rates[0] == 1.0, "{name} over {n}: {rates:?}");
        }
        for name in ["step", "multi-step"] {
            let rates = rates(name);
            let decays = rates.windows(2).filter(|pair| pair[1] < pair[0]);
            assert!(
                decays.clone().all(|pair| (pair[1] - 0.1 * pair[0]).abs() < 1e-15),
                "{name} over {n}: {rates:?}"
            );
            assert_eq!(decays.count() as u64, (n - 1).min(2), "{name} over {n}: {rates:?}");
        }
        // As near to 0 as a half cosine over four sevenths of the steps, or all of a few, comes.
        let last = rates("cosine-restarts")[n as usize - 1];
        assert!(last <= (5.0 / n as f64).min(1.0).powi(2), "cosine-restarts over {n} ends at {last}");
        let last = rates("cosine")[n as usize - 1];
        assert!(last <= (2.5 / n as f64).min(1.0).powi(2), "cosine over {n} ends at {last}");
    }
    let cycle = OneCycleLr::new(0.4, 1);
    assert_eq!((cycle.lr(0), cycle.momentum(0), cycle.lr(9)), (0.4, Some(0.85), 0.4));
    let long_warmup = Warmup { warmup_steps: 1000, start_factor: 0.0, then: ConstantLr::new(1.0) };
    assert_eq!((long_warmup.lr(0), long_warmup.lr(500)), (0.0, 0.5));
}

#[test]
fn noam_is_the_papers_formula() {
    let (d_model, warmup) = (512usize, 4000u64);
    let schedule = NoamLr::of_model(d_model, warmup);
    for step in [0u64, 1, 100, 3998, 3999, 4000, 20_000] {
        let n = step as f64 + 1.0;
        let paper = (d_model as f64).powf(-0.5) * n.powf(-0.5).min(n * (warmup as f64).powf(-1.5));
        assert!((schedule.lr(step) - paper).abs() < 1e-15, "step {step}");
    }
}

#[test]
fn restarts_are_found_at_any_distance() {
    let schedule = CosineAnnealingWarmRestarts { lr: 1.0, t_0: 10, t_mult: 3, eta_min: 0.1 };
    let mut start = 0;
    for period in [10u64, 30, 90, 270, 810] {
        assert_eq!(schedule.lr(start), 1.0);
        let middle = schedule.lr(start + period / 2);
        assert!((middle - 0.55).abs() < 1e-12, "{middle}");
        start += period;
    }
    assert!(schedule.lr(u64::MAX).is_finite());
}

#[test]
fn periods_may_be_longer_than_can_be_counted() {
    let cosine = CosineAnnealingLr { lr: 1.0, t_max: 1 << 63, eta_min: 0.0 };
    assert_eq!(cosine.lr(0), 1.0);
    assert!((cosine.lr(1 << 62) - 0.5).abs() < 1e-12);
    let cyclic = CyclicLr {
        base_lr: 0.0,
        max_lr: 1.0,
        step_size_up: 1 << 63,
        step_size_down: 1 << 63,
        mode: CyclicMode::Triangular,
        momentum: None,
    };
    assert_eq!((cyclic.lr(0), cyclic.lr(1 << 62), cyclic.lr(1 << 63)), (0.0, 0.5, 1.0));
}

#[test]
fn checks_name_field_value_and_range() {
    let message = |schedule: &dyn Schedule| schedule.check().unwrap_err().to_string();
    let lr = 0.1;
    assert_eq!(
        message(&ConstantLr { lr, factor: 1.5, total_iters: 1 }),
        "constant: factor = 1.5 is outside [0, 1]"
    );
    assert_eq!(
        message(&LinearLr { lr, start_factor: -1.0, end_factor: 1.0, total_iters: 1 }),
        "linear: start_factor = -1 is outside [0, 1]"
    );
    assert_eq!(message(&StepLr { lr, step_size: 0, gamma: 0.1 }), "step: step_size = 0 is outside [1, ∞)");
    assert_eq!(
        message(&MultiStepLr { lr, milestones: vec![], gamma: f64::NAN }),
        "multi-step: gamma = NaN is outside [0, ∞)"
    );
    assert_eq!(message(&ExponentialLr { lr, gamma: -1.0 }), "exponential: gamma = -1 is outside [0, ∞)");
    assert_eq!(
        message(&PolynomialLr { lr, total_iters: 1, power: 0.0 }),
        "polynomial: power = 0 is outside (0, ∞)"
    );
    assert_eq!(
        message(&CosineAnnealingLr { lr, t_max: 0, eta_min: 0.0 }),
        "cosine: t_max = 0 is outside [1, ∞)"
    );
    assert_eq!(
        message(&CosineAnnealingWarmRestarts { lr, t_0: 1, t_mult: 0, eta_min: 0.0 }),
        "cosine-restarts: t_mult = 0 is outside [1, ∞)"
    );
    let cyclic = CyclicLr {
        base_lr: lr,
        max_lr: 1.0,
        step_size_up: 1,
        step_size_down: 1,
        mode: CyclicMode::Triangular,
        momentum: None,
    };
    assert_eq!(
        message(&CyclicLr { step_size_up: 0, ..cyclic }),
        "cyclic: step_size_up = 0 is outside [1, ∞)"
    );
    assert_eq!(
        message(&CyclicLr { mode: CyclicMode::ExpRange(-0.5), ..cyclic }),
        "cyclic: gamma = -0.5 is outside [0, ∞)"
    );
    assert_eq!(
        message(&CyclicLr { momentum: Some((0.5, 1.0)), ..cyclic }),
        "cyclic: max_momentum = 1 is outside [0, 1)"
    );
    let one_cycle = OneCycleLr::new(1.0, 10);
    assert_eq!(
        message(&OneCycleLr { pct_start: 2.0, ..one_cycle }),
        "one-cycle: pct_start = 2 is outside [0, 1]"
    );
    assert_eq!(
        message(&OneCycleLr { three_phase: true, pct_start: 0.6, ..one_cycle }),
        "one-cycle: pct_start = 0.6 is outside [0, 0.5]"
    );
    assert_eq!(
        message(&OneCycleLr { momentum: Some((-0.5, 0.9)), ..one_cycle }),
        "one-cycle: base_momentum = -0.5 is outside [0, 1)"
    );
    assert_eq!(message(&NoamLr { lr, warmup_steps: 0 }), "noam: warmup_steps = 0 is outside [1, ∞)");
    let trapezoid = TrapezoidLr { lr, warmup_steps: 0, stable_steps: 0, decay_steps: 0, final_lr: -1.0 };
    assert_eq!(message(&trapezoid), "trapezoid: final_lr = -1 is outside [0, ∞)");
    assert_eq!(message(&LambdaLr { lr: -1.0, factor: |_| 1.0 }), "lambda: lr = -1 is outside [0, ∞)");
    assert_eq!(
        message(&MultiplicativeLr { lr: -1.0, factor: |_| 1.0 }),
        "multiplicative: lr = -1 is outside [0, ∞)"
    );
    let bad = || -> Box<dyn Schedule> { Box::new(ConstantLr::new(-1.0)) };
    let bad_inner = "constant: lr = -1 is outside [0, ∞)";
    assert_eq!(message(&Warmup { warmup_steps: 1, start_factor: 0.0, then: bad() }), bad_inner);
    assert_eq!(
        message(&Warmup { warmup_steps: 1, start_factor: 2.0, then: bad() }),
        "warm-up: start_factor = 2 is outside [0, 1]"
    );
    assert_eq!(message(&ChainedLr { schedules: vec![bad()] }), bad_inner);
    assert_eq!(message(&ChainedLr::default()), "chained: takes at least one schedule");
    assert_eq!(message(&SequentialLr { schedules: vec![bad()], milestones: vec![] }), bad_inner);
    assert_eq!(
        message(&SequentialLr { schedules: vec![bad()], milestones: vec![1] }),
        "sequential: takes one milestone fewer than schedules"
    );
    assert_eq!(
        message(&SequentialLr { schedules: vec![bad(), bad(), bad()], milestones: vec![2, 1] }),
        "sequential: the milestones must be in order"
    );
    let refused = |config: ReduceLrOnPlateau| Plateau::new(config).unwrap_err().to_string();
    assert_eq!(
        refused(ReduceLrOnPlateau { factor: 1.0, ..ReduceLrOnPlateau::new(0.1) }),
        "plateau: factor = 1 is outside [0, 1)"
    );
    assert_eq!(
        refused(ReduceLrOnPlateau { threshold: Threshold::Absolute(-1.0), ..ReduceLrOnPlateau::new(0.1) }),
        "plateau: threshold = -1 is outside [0, ∞)"
    );
    assert!(matches!(
        Plateau::new(ReduceLrOnPlateau::new(f64::NAN)),
        Err(Error::Hyperparameter { field: "lr", .. })
    ));
}

/// A rate is asked for before any check; it neither divides by 0 nor searches for ever.
#[test]
fn a_rate_that_does_not_exist_is_refused_in_the_words_of_the_check() {
    let lr = 0.1;
    let restarts = CosineAnnealingWarmRestarts { lr, t_0: 1, t_mult: 1, eta_min: 0.0 };
    let cyclic = CyclicLr {
        base_lr: 0.0,
        max_lr: lr,
        step_size_up: 1,
        step_size_down: 1,
        mode: CyclicMode::Triangular,
        momentum: None,
    };
    let constant = || -> Box<dyn Schedule> { Box::new(ConstantLr::new(lr)) };
    let wrong: Vec<Box<dyn Schedule>> = vec![
        Box::new(StepLr { lr, step_size: 0, gamma: 0.1 }),
        Box::new(CosineAnnealingLr { lr, t_max: 0, eta_min: 0.0 }),
        Box::new(CosineAnnealingWarmRestarts { t_mult: 0, ..restarts }),
        Box::new(CosineAnnealingWarmRestarts { t_0: 0, ..restarts }),
        Box::new(CosineAnnealingWarmRestarts { t_0: 0, t_mult: 2, ..restarts }),
        Box::new(CyclicLr { step_size_up: 0, ..cyclic }),
        Box::new(CyclicLr { step_size_down: 0, ..cyclic }),
        Box::new(NoamLr { lr, warmup_steps: 0 }),
        Box::new(SequentialLr { schedules: vec![constant()], milestones: vec![1] }),
        Box::new(SequentialLr {
            schedules: vec![constant(), constant(), constant()],
            milestones: vec![9, 1],
        }),
    ];
    for schedule in wrong {
        let expected = schedule.check().unwrap_err().to_string();
        for step in [0, 5] {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| schedule.lr(step)));
            assert_eq!(*panic.unwrap_err().downcast::<String>().unwrap(), expected);
        }
    }
}

#[test]
fn combinations_hand_momentum_on() {
    let cycle = || -> Box<dyn Schedule> { Box::new(OneCycleLr::new(1.0, 100)) };
    let constant = || -> Box<dyn Schedule> { Box::new(ConstantLr::new(0.5)) };
    let expected = OneCycleLr::new(1.0, 100).momentum(20);
    assert!(expected.is_some());
    assert_eq!(ChainedLr { schedules: vec![cycle(), constant()] }.momentum(20), expected);
    assert_eq!(Warmup { warmup_steps: 7, start_factor: 0.0, then: cycle() }.momentum(27), expected);
    let sequence = SequentialLr { schedules: vec![constant(), cycle()], milestones: vec![5] };
    assert_eq!((sequence.momentum(4), sequence.momentum(25)), (None, expected));
}

/// The threshold itself is no improvement: as PyTorch has it, `<` and `>`.
#[test]
fn a_plateau_counts_what_passes_the_threshold() {
    for (goal, threshold, at, beyond) in [
        (Goal::Min, Threshold::Relative(0.25), 3.0, 2.99),
        (Goal::Max, Threshold::Relative(0.25), 5.0, 5.01),
        (Goal::Min, Threshold::Absolute(0.5), 3.5, 3.49),
        (Goal::Max, Threshold::Absolute(0.5), 4.5, 4.51),
    ] {
        let mut plateau =
            Plateau::new(ReduceLrOnPlateau { goal, threshold, ..ReduceLrOnPlateau::new(0.1) }).unwrap();
        plateau.observe(4.0);
        plateau.observe(at);
        assert_eq!(
            (plateau.progress().best_metric, plateau.progress().n_bad),
            (4.0, 1),
            "{goal:?} {threshold:?}"
        );
        plateau.observe(beyond);
        assert_eq!(
            (plateau.progress().best_metric, plateau.progress().n_bad),
            (beyond, 0),
            "{goal:?} {threshold:?}"
        );
    }
}

/// Worse is not better where the best is negative, and flat is flat.
#[test]
fn a_plateau_takes_metrics_of_either_sign() {
    let rates = |threshold, goal, patience, metrics: &[f64]| -> Vec<f64> {
        let config = ReduceLrOnPlateau { threshold, goal, patience, ..ReduceLrOnPlateau::new(1.0) };
        let mut plateau = Plateau::new(config).unwrap();
        metrics.iter().map(|&metric| plateau.observe(metric)).collect()
    };
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    let part = Threshold::Relative(0.1);
    for (goal, sign) in [(Goal::Min, 1.0), (Goal::Max, -1.0)] {
        let signed = |metrics: &[f64]| -> Vec<f64> { metrics.iter().map(|metric| sign * metric).collect() };
        assert!(close(&rates(part, goal, 0, &signed(&[-1.0, -0.95])), &[1.0, 0.1]));
        assert!(close(&rates(part, goal, 0, &signed(&[-1.0, -1.05, -1.2])), &[1.0, 0.1, 0.1]));
        assert!(close(&rates(part, goal, 0, &signed(&[1.0, 0.95, 0.8])), &[1.0, 0.1, 0.1]));
        assert!(close(&rates(part, goal, 0, &signed(&[0.0, -1e-9, 1e-9])), &[1.0, 1.0, 0.1]));
        for level in [-1.0, 0.0, 1.0] {
            let flat = rates(Threshold::Relative(1e-4), goal, 2, &[level; 8]);
            assert!(close(&flat, &[1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01]), "{level}: {flat:?}");
        }
        // The first metric is an improvement on nothing, whatever the part.
        assert!(close(&rates(Threshold::Relative(1.0), goal, 0, &[3.0, 3.0]), &[1.0, 0.1]));
    }
    // PyTorch takes what is worse by less than a tenth for better.
    let pytorch = Threshold::RelativeAsPyTorch(0.1);
    assert!(close(&rates(pytorch, Goal::Min, 0, &[-1.0, -0.95, -0.9]), &[1.0; 3]));
    assert!(close(&rates(pytorch, Goal::Max, 0, &[-1.0, -1.05]), &[1.0; 2]));
    assert!(close(&rates(pytorch, Goal::Min, 0, &[1.0, 0.95]), &[1.0, 0.1]));
}

#[test]
fn a_plateau_resumes_where_it_was() {
    let config = ReduceLrOnPlateau { patience: 1, cooldown: 2, ..ReduceLrOnPlateau::new(0.1) };
    let metrics = [1.0, 1.0, f64::NAN, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0];
    let mut whole = Plateau::new(config).unwrap();
    let rates: Vec<f64> = metrics.iter().map(|&metric| whole.observe(metric)).collect();
    for split in 0..metrics.len() {
        let mut first = Plateau::new(config).unwrap();
        metrics[..split].iter().for_each(|&metric| {
            first.observe(metric);
        });
        let mut second = Plateau::new(config).unwrap();
        second.resume(first.progress());
        let rest: Vec<f64> = metrics[split..].iter().map(|&metric| second.observe(metric)).collect();
        assert_eq!(rest, rates[split..]);
    }
    assert!(rates.is_sorted_by(|a, b| a >= b) && rates[8] < rates[0], "{rates:?}");
}

/// The largest change between neighbouring steps.
fn largest_jump(schedule: &dyn Schedule, n: u64) -> f64 {
    (1..n).map(|step| (schedule.lr(step) - schedule.lr(step - 1)).abs()).fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn lines_and_cosines_are_continuous_and_end_where_they_say(
        lr in 1e-4..1.0f64, n in 10u64..400, low in 0.0..1.0f64, start in 0.0..1.0f64,
    ) {
        let eta_min = low * lr;
        let line = LinearLr { lr, start_factor: start, end_factor: low, total_iters: n };
        prop_assert!(largest_jump(&line, 2 * n) <= lr / n as f64 * (1.0 + 1e-9));
        prop_assert_eq!((line.lr(0), line.lr(n), line.lr(10 * n)), (lr * start, lr * low, lr * low));

        let cosine = CosineAnnealingLr { lr, t_max: n, eta_min };
        prop_assert!(largest_jump(&cosine, 4 * n) <= lr * PI / 2.0 / n as f64 * (1.0 + 1e-9));
        prop_assert!((cosine.lr(0) - lr).abs() <= 1e-15 && (cosine.lr(n) - eta_min).abs() <= 1e-15);
        prop_assert!((0..4 * n).all(|step| cosine.lr(step) >= eta_min - 1e-15 && cosine.lr(step) <= lr + 1e-15));

        let polynomial = PolynomialLr { lr, total_iters: n, power: 1.0 + low };
        prop_assert_eq!((polynomial.lr(0), polynomial.lr(n), polynomial.lr(3 * n)), (lr, 0.0, 0.0));
        prop_assert!((1..n).all(|step| polynomial.lr(step) < polynomial.lr(step - 1)));
    }

    #[test]
    fn warm_ups_join_without_a_jump(
        lr in 1e-4..1.0f64, warmup_steps in 1u64..100, stable_steps in 0u64..100, decay_steps in 1u64..100, start in 0.0..1.0f64,
    ) {
        let then = ExponentialLr { lr, gamma: 1.0 - 1e-3 };
        let warm = Warmup { warmup_steps, start_factor: start, then };
        prop_assert_eq!((warm.lr(0), warm.lr(warmup_steps)), (lr * start, lr));
        let rise = lr / warmup_steps as f64 * (1.0 + 1e-9);
        prop_assert!(largest_jump(&warm, 300) <= rise.max(1e-3 * lr));

        let trapezoid = TrapezoidLr { lr, warmup_steps, stable_steps, decay_steps, final_lr: 0.1 * lr };
        let slope = rise.max(lr / decay_steps as f64 * (1.0 + 1e-9));
        prop_assert!(largest_jump(&trapezoid, 400) <= slope);
        prop_assert_eq!(trapezoid.lr(warmup_steps - 1), lr);
        prop_assert_eq!(trapezoid.lr(warmup_steps + stable_steps), lr);
        prop_assert_eq!(trapezoid.lr(warmup_steps + stable_steps + decay_steps), 0.1 * lr);

        let noam = NoamLr { lr, warmup_steps };
        prop_assert!(largest_jump(&noam, 400) <= rise);
        prop_assert!((0..400).all(|step| noam.lr(step) <= lr) && noam.lr(warmup_steps - 1) == lr);
    }

    #[test]
    fn cycles_stay_between_their_rates_and_return(
        base in 1e-4..0.1f64, height in 0.0..1.0f64, up in 1u64..50, down in 1u64..50,
    ) {
        let max = base + height;
        let cyclic = CyclicLr {
            base_lr: base, max_lr: max, step_size_up: up, step_size_down: down,
            mode: CyclicMode::Triangular, momentum: Some((0.8, 0.9)),
        };
        for cycle in 0..3 {
            prop_assert_eq!(cyclic.lr(cycle * (up + down)), base);
            prop_assert!((cyclic.lr(cycle * (up + down) + up) - max).abs() < 1e-15);
            prop_assert!((cyclic.momentum(cycle * (up + down) + up).unwrap() - 0.8).abs() < 1e-15);
        }
        let slope = height / up.min(down) as f64 * (1.0 + 1e-9) + 1e-15;
        prop_assert!(largest_jump(&cyclic, 300) <= slope);
        prop_assert!((0..300).all(|step| cyclic.lr(step) >= base && cyclic.lr(step) <= max + 1e-15));
    }

    #[test]
    fn one_cycle_stays_within_its_rates_and_stays_at_the_end(
        max_lr in 1e-3..1.0f64, total_steps in 1u64..300, pct_start in 0.0..1.0f64, three_phase: bool, linear: bool,
    ) {
        let anneal = if linear { Anneal::Linear } else { Anneal::Cosine };
        let pct_start = if three_phase { pct_start / 2.0 } else { pct_start };
        let schedule = OneCycleLr { pct_start, three_phase, anneal, ..OneCycleLr::new(max_lr, total_steps) };
        let final_lr = max_lr / 25.0 / 1e4;
        for step in 0..total_steps + 10 {
            let (lr, momentum) = (schedule.lr(step), schedule.momentum(step).unwrap());
            prop_assert!(lr >= final_lr * (1.0 - 1e-9) && lr <= max_lr * (1.0 + 1e-12), "{} at {}", lr, step);
            prop_assert!((0.85 - 1e-12..=0.95 + 1e-12).contains(&momentum), "{} at {}", momentum, step);
        }
        prop_assert_eq!(schedule.lr(total_steps + 5), schedule.lr(total_steps - 1));
    }
}
