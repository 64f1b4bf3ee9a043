//! What is chosen by name and as text: options of rules and of schedules; look-ahead that changes on the way.

use optim::average::Lookahead;
use optim::schedule::{SCHEDULE_NAMES, options_in_effect, schedule_named};
use optim::*;

#[test]
fn every_option_is_read_as_it_is_written() {
    let mut n_options = 0;
    for name in RULE_NAMES {
        let mut rule = rule_named::<f64>(name).unwrap();
        for (option, text) in rule.rule().options() {
            rule.set_text(option, &text).unwrap_or_else(|error| panic!("{error}"));
            let message = rule.set_text(option, "perhaps").unwrap_err().to_string();
            assert!(message.starts_with(&format!("{name}: {option} = perhaps is not ")), "{message}");
            n_options += 1;
        }
        for (number, value) in rule.rule().hyperparameters() {
            rule.set_text(number, &value.to_string()).unwrap_or_else(|error| panic!("{error}"));
            let message = rule.set_text(number, "much").unwrap_err().to_string();
            assert_eq!(message, format!("{name}: {number} = much is not a number"));
        }
        let message = rule.set_text("speed", "1").unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{name} has no hyperparameter `speed`; it has lr, ")),
            "{message}"
        );
    }
    assert!(n_options >= 12, "{n_options}");
}

#[test]
fn an_option_that_does_not_go_with_the_others_leaves_the_rule_as_it_was() {
    let mut rule = rule_named::<f32>("sgd").unwrap();
    let message = rule.set_text("nesterov", "true").unwrap_err().to_string();
    assert_eq!(message, "sgd: Nesterov's momentum needs a momentum above 0");
    assert_eq!(rule.rule().options()[0], ("nesterov", "false".to_owned()));
    rule.set_text("momentum", "0.9").unwrap();
    rule.set_text("nesterov", "true").unwrap();
    assert!(format!("{rule:?}").contains("nesterov: true"), "{rule:?}");
    let mut muon = rule_named::<f32>("muon").unwrap();
    muon.set_text("adjust_lr", "match_rms_adamw").unwrap();
    muon.set_text("ns_steps", "3").unwrap();
    assert_eq!(
        muon.set_text("ns_steps", "100").unwrap_err().to_string(),
        "muon: ns_steps = 100 is outside [0, 100)"
    );
    assert!(muon.rule().options().contains(&("ns_steps", "3".to_owned())));
}

#[test]
fn muon_brings_its_weights_to_the_norm_of_its_rows_at_every_kth_step() {
    let norm = |values: &[f64]| values.iter().map(|w| w * w).sum::<f64>().sqrt();
    let (shape, grads) = ([3, 2, 2], [0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.1, 0.2, 0.3, -0.4, 0.5]);
    for (rescale_every, rescaled) in [(0, [false; 4]), (1, [true; 4]), (3, [true, false, false, true])] {
        // A step of size 0: what changes is the norm alone.
        let muon = Muon { lr: 0.0, rescale_every, ..Muon::default() };
        let mut state = WholeTensor::<f64>::state(&muon, &shape).unwrap();
        for (step, rescaled) in rescaled.into_iter().enumerate() {
            let mut values: Vec<f64> = (1..=12).map(f64::from).collect();
            let before = norm(&values);
            muon.update(&shape, &mut values, &grads, &mut state);
            let expected = if rescaled { 3f64.sqrt() } else { before };
            assert!(
                (norm(&values) - expected).abs() < 1e-12,
                "every {rescale_every}, step {step}: {}",
                norm(&values)
            );
            assert!((values[11] / values[0] - 12.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_muon_that_rescales_moves_from_the_rescaled_weights() {
    let grads = [0.1, -0.2, 0.3, 0.4];
    let rescaling = Muon { lr: 0.1, rescale_every: 1, weight_decay: 0.0, ..Muon::default() };
    let plain = Muon { rescale_every: 0, ..rescaling };
    let start = [3.0, 0.0, 0.0, 4.0];
    let factor = 2f64.sqrt() / 5.0;
    let (mut a, mut b) = (start, start.map(|w| factor * w));
    rescaling.update(&[2, 2], &mut a, &grads, &mut WholeTensor::<f64>::state(&rescaling, &[2, 2]).unwrap());
    plain.update(&[2, 2], &mut b, &grads, &mut WholeTensor::<f64>::state(&plain, &[2, 2]).unwrap());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}, {b:?}");
}

#[test]
fn schedules_take_their_own_options_and_no_others() {
    let at = |name: &str, options: &[(&str, &[f64])], step| {
        schedule_named(name, 1.0, 100, options).unwrap_or_else(|error| panic!("{error}")).lr(step)
    };
    let close =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
    close(at("linear", &[("start_factor", &[0.5]), ("end_factor", &[0.1])], 50), 0.3);
    close(at("step", &[("step_size", &[10.0]), ("gamma", &[0.5])], 35), 0.125);
    close(at("step", &[("gamma", &[0.5])], 40), 0.5);
    close(at("multi-step", &[("milestones", &[5.0, 9.0]), ("gamma", &[0.5])], 9), 0.25);
    close(at("exponential", &[("gamma", &[0.9])], 2), 0.81);
    close(at("polynomial", &[("power", &[1.0])], 25), 0.75);
    close(at("cosine", &[("eta_min", &[0.2])], 100), 0.2);
    close(at("cosine-restarts", &[("t_0", &[10.0])], 20), 1.0);
    close(
        at("cyclic", &[("base_lr", &[0.5]), ("step_size_up", &[4.0]), ("step_size_down", &[4.0])], 2),
        0.75,
    );
    close(at("one-cycle", &[("pct_start", &[0.5]), ("div_factor", &[10.0])], 0), 0.1);
    close(at("noam", &[("warmup_steps", &[4.0])], 15), 0.5);
    close(
        at("trapezoid", &[("warmup_steps", &[10.0]), ("decay_steps", &[50.0]), ("final_lr", &[0.5])], 75),
        0.75,
    );
    for name in SCHEDULE_NAMES {
        // In a run of one step, too.
        for n in [1, 100] {
            let message = schedule_named(name, 1.0, n, &[("tempo", &[1.0])]).err().expect(name).to_string();
            assert!(
                message.starts_with(&format!("{name} has no hyperparameter `tempo`; it has ")),
                "{message}"
            );
        }
    }
    let message = schedule_named("step", 1.0, 10, &[("gamma", &[-1.0])]).err().unwrap().to_string();
    assert_eq!(message, "multi-step: gamma = -1 is outside [0, ∞)");
    for (name, option, numbers, expected) in [
        ("trapezoid", "warmup_steps", &[-5.0][..], "trapezoid: warmup_steps = -5 is outside [0, ∞]"),
        ("trapezoid", "decay_steps", &[f64::NAN], "trapezoid: decay_steps = NaN is outside [0, ∞]"),
        ("multi-step", "milestones", &[3.0, -1.0], "multi-step: milestones = -1 is outside [0, ∞]"),
        ("step", "step_size", &[-2.0], "step: step_size = -2 is outside [0, ∞]"),
        ("cosine-restarts", "t_0", &[-2.0], "cosine-restarts: t_0 = -2 is outside [0, ∞]"),
        ("step", "step_size", &[0.0], "step: step_size = 0 is outside [1, ∞)"),
        ("step", "step_size", &[3.0, 6.0], "step: step_size = 3, 6 is not one number"),
        ("cosine", "eta_min", &[], "cosine: eta_min = nothing is not one number"),
    ] {
        let message = schedule_named(name, 1.0, 10, &[(option, numbers)]).err().expect(name).to_string();
        assert_eq!(message, expected);
    }
    let message =
        schedule_named("cosine-restarts", 1.0, 10, &[("t_mult", &[2.0])]).err().unwrap().to_string();
    assert_eq!(message, "cosine-restarts: `t_mult` needs `t_0`");
}

#[test]
fn the_options_in_effect_make_the_same_schedule() {
    type Options<'a> = &'a [(&'a str, &'a [f64])];
    fn slices<'a>(options: &'a [(&'static str, Vec<f64>)]) -> Vec<(&'a str, &'a [f64])> {
        options.iter().map(|(name, numbers)| (*name, numbers.as_slice())).collect()
    }
    let all = [
        ("step", &[("step_size", &[2.9][..]), ("gamma", &[0.5])][..]),
        ("multi-step", &[("milestones", &[2.9, 1.0])]),
        ("cosine", &[("t_max", &[f64::INFINITY])]),
        ("cosine-restarts", &[("t_0", &[3.0]), ("eta_min", &[0.1])]),
        ("cosine-restarts", &[("t_0", &[3.0]), ("t_mult", &[2.0])]),
        ("cyclic", &[("step_size_up", &[2.0]), ("step_size_up", &[5.0])]),
        ("trapezoid", &[("warmup_steps", &[7.0]), ("decay_steps", &[1e3])]),
    ];
    let all = all.into_iter().chain(SCHEDULE_NAMES.iter().map(|name| (*name, &[] as Options<'_>)));
    for (name, options) in all {
        for n in [2, 3, 4, 10, 100, 101] {
            let in_effect = options_in_effect(name, 0.3, n, options).unwrap();
            let given = schedule_named(name, 0.3, n, options).unwrap();
            let again = match name {
                "step" | "cosine-restarts" if options.is_empty() => {
                    // The learning rate jumps at its milestones and nowhere else.
                    let (_, milestones) = in_effect.iter().find(|(name, _)| *name == "milestones").unwrap();
                    let jumps = |step: &u64| match name {
                        "step" => given.lr(*step) < given.lr(step - 1),
                        _ => given.lr(*step) > given.lr(step - 1),
                    };
                    let jumps: Vec<f64> = (1..n).filter(jumps).map(|step| step as f64).collect();
                    let within: Vec<f64> =
                        milestones.iter().copied().filter(|step| *step < n as f64).collect();
                    assert_eq!(within, jumps, "{name}, {n} steps");
                    continue;
                }
                _ => schedule_named(name, 0.3, n, &slices(&in_effect)).unwrap(),
            };
            for step in 0..n + 2 {
                assert_eq!(again.lr(step).to_bits(), given.lr(step).to_bits(), "{name}: {in_effect:?}");
            }
            // Every option of the schedule is among them, but for one that another takes the place of.
            let error = schedule_named(name, 0.3, n, &[("tempo", &[1.0])]).err().unwrap().to_string();
            let known = error.split("it has ").nth(1).unwrap();
            let names: Vec<_> = in_effect.iter().map(|(name, _)| *name).collect();
            let missing: Vec<_> =
                known.split(", ").filter(|known| *known != "none" && !names.contains(known)).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }
    let trapezoid = [("warmup_steps", vec![7.0]), ("decay_steps", vec![3.0]), ("final_lr", vec![0.0])];
    let options: Options<'_> = &[("warmup_steps", &[7.9]), ("decay_steps", &[1e3])];
    assert_eq!(options_in_effect("trapezoid", 1.0, 10, options).unwrap(), trapezoid);
    assert_eq!(options_in_effect("trapezoid", 1.0, 1, options).unwrap(), []);
    let error = |options: Options<'_>| options_in_effect("noam", 1.0, 10, options).unwrap_err().to_string();
    assert_eq!(error(&[("tempo", &[1.0])]), "noam has no hyperparameter `tempo`; it has warmup_steps");
    let message = schedule_named("cosine-restarts", 1.0, 10, &[("t_0", &[3.0]), ("tempo", &[1.0])]);
    let expected = "cosine-restarts has no hyperparameter `tempo`; it has t_0, t_mult, eta_min";
    assert_eq!(message.err().unwrap().to_string(), expected);
}

/// Three parameters, of which the second is frozen.
#[derive(Clone)]
struct Three(Vec<f64>, Vec<f64>);

impl Parameters for Three {
    type Value = f64;

    fn n_entries(&self) -> usize {
        3
    }

    fn entry(&self, idx: usize) -> parameters::Entry<'_> {
        parameters::Entry {
            name: ["a", "b", "c"][idx],
            shape: &[1],
            range: idx..idx + 1,
            is_trainable: idx != 1,
        }
    }

    fn values(&self) -> &[f64] {
        &self.0
    }

    fn grads(&self) -> &[f64] {
        &self.1
    }

    fn values_and_grads_mut(&mut self) -> (&mut [f64], &mut [f64]) {
        (&mut self.0, &mut self.1)
    }
}

#[test]
fn lookahead_changes_its_alpha_and_takes_in_everything_if_told() {
    let fast = Three(vec![4.0, 8.0, 2.0], vec![0.0; 3]);
    for (everything, middle) in [(false, 8.0), (true, 6.0)] {
        let mut lookahead = Lookahead::new(&[0.0; 3], 0.5, 2).unwrap();
        if everything {
            lookahead = lookahead.over_everything();
        }
        let mut params = fast.clone();
        lookahead.after_step(&mut params);
        assert_eq!(params.0, fast.0);
        lookahead.set_alpha(0.75).unwrap();
        lookahead.after_step(&mut params);
        assert_eq!(params.0, [3.0, middle, 1.5]);
        lookahead.set_alpha(0.0).unwrap();
        params.0 = vec![9.0; 3];
        lookahead.write_to(&mut params);
        assert_eq!(params.0, [3.0, if everything { middle } else { 9.0 }, 1.5]);
        assert_eq!(
            lookahead.set_alpha(1.5).unwrap_err().to_string(),
            "look-ahead: alpha = 1.5 is outside [0, 1]"
        );
    }
}
