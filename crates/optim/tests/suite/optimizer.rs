//! The optimizer: groups, ranges, learning rates, saved state, and what it refuses.

use crate::common::{noise, optimizer, variants};
use optim::schedule::{ConstantLr, CosineAnnealingLr, OneCycleLr, Schedule, StepLr};
use optim::*;

fn sgd(lr: f64) -> Sgd {
    Sgd { lr, ..Sgd::default() }
}

#[test]
fn groups_have_rules_of_their_own_and_gaps_are_not_touched() {
    let groups = [
        Group::new(sgd(0.1), [Param::new("a", 1..3), Param::new("c", 5..6)]),
        Group::new(Sgd { weight_decay: 1.0, ..sgd(0.5) }, [Param::new("b", 3..4)]),
        Group::new(
            Lars { lr: 1.0, trust_coefficient: 0.5, weight_decay: 0.0, ..Lars::default() },
            [Param::new("d", 6..7)],
        ),
    ];
    let mut optimizer = Optimizer::<f64>::for_slices(groups).unwrap();
    let mut values = [8.0; 8];
    optimizer.step_slices(&mut values, &[1.0; 8]);
    assert_eq!(values, [8.0, 7.9, 7.9, 8.0 - 0.5 * 9.0, 8.0, 7.9, 8.0 - 0.5 * 8.0, 8.0]);
    assert_eq!(optimizer.groups().len(), 3);
    let names: Vec<_> =
        optimizer.groups().map(|group| (group.rule().rule().name(), group.params().len())).collect();
    assert_eq!(names, [("sgd", 2), ("sgd", 1), ("lars", 1)]);
}

#[test]
fn the_optimizer_steps_as_the_bare_rule_does() {
    let adam = Adam { weight_decay: 0.1, ..Adam::default() };
    let (mut values, mut bare) = (noise::<f32>(1, 50), noise::<f32>(1, 50));
    let params = [Param::new("a", 0..20), Param::new("b", 20..50)];
    let mut optimizer = Optimizer::for_slices([Group::new(adam, params)]).unwrap();
    let mut state = adam.state(50).unwrap();
    for step in 2..9 {
        optimizer.step_slices(&mut values, &noise(step, 50));
        adam.update(&mut bare, &noise(step, 50), &mut state);
    }
    assert_eq!(values, bare);
    assert_eq!((optimizer.n_steps(), state.n_steps()), (7, 7));
}

#[test]
fn learning_rates_are_scaled_by_group() {
    let groups = [
        Group::new(sgd(0.5), [Param::new("a", 0..1)]),
        Group::new(sgd(0.5), [Param::new("b", 1..2)]).with_lr_scale(0.25),
    ];
    let mut optimizer = Optimizer::<f64>::for_slices(groups).unwrap();
    let mut values = [1.0; 2];
    optimizer.step_slices(&mut values, &[1.0; 2]);
    assert_eq!((values, optimizer.lr()), ([0.5, 0.875], 0.5));
    optimizer.set_lr(2.0);
    optimizer.step_slices(&mut values, &[1.0; 2]);
    assert_eq!((values, optimizer.lr()), ([-1.5, 0.375], 2.0));
}

#[test]
fn state_that_starts_from_the_learning_rate_is_scaled_too() {
    let group = Group::new(Rprop { lr: 0.5, ..Rprop::default() }, [Param::new("a", 0..1)]);
    let mut optimizer = Optimizer::<f64>::for_slices([group.with_lr_scale(0.25)]).unwrap();
    let mut values = [1.0];
    optimizer.step_slices(&mut values, &[3.0]);
    assert_eq!(values, [0.875]);
}

#[test]
fn a_schedule_sets_learning_rate_and_momentum() {
    let params = |range| [Param::new(format!("{range:?}"), range)];
    let groups = [
        Group::new(Sgd { momentum: 0.5, ..sgd(1.0) }, params(0..1)),
        Group::new(Adam::default(), params(1..2)),
        Group::new(Adagrad::default(), params(2..3)),
    ];
    let mut optimizer = Optimizer::<f64>::for_slices(groups).unwrap();
    let read = |optimizer: &Optimizer<f64>| -> Vec<f64> {
        let numbers = optimizer.groups().map(|group| group.rule().rule().hyperparameters()[..2].to_vec());
        numbers.flatten().map(|(_, number)| number).collect()
    };
    optimizer.follow(&ConstantLr::new(0.25), 7);
    assert_eq!(read(&optimizer), [0.25, 0.5, 0.25, 0.9, 0.25, 0.0]);
    let cycle = OneCycleLr::new(2.0, 100);
    let (lr, momentum) = (cycle.lr(10), cycle.momentum(10).unwrap());
    optimizer.follow(&cycle, 10);
    assert_eq!(read(&optimizer), [lr, momentum, lr, momentum, lr, 0.0]);
}

#[test]
fn each_group_follows_a_schedule_of_its_own() {
    let groups =
        [("a", 0..1), ("b", 1..2)].map(|(name, range)| Group::new(sgd(1.0), [Param::new(name, range)]));
    let mut optimizer = Optimizer::<f64>::for_slices(groups).unwrap();
    let steps = StepLr { lr: 0.5, step_size: 2, gamma: 0.5 };
    let cosine = CosineAnnealingLr { lr: 0.25, t_max: 4, eta_min: 0.0 };
    let (mut values, mut expected) = ([0.0; 2], [0.0; 2]);
    for step in 0..4 {
        optimizer.follow_group(0, &steps, step);
        optimizer.follow_group(1, &cosine, step);
        optimizer.step_slices(&mut values, &[1.0; 2]);
        expected[0] -= steps.lr(step);
        expected[1] -= cosine.lr(step);
        assert_eq!(values, expected, "step {step}");
    }
}

#[test]
fn a_schedule_of_another_crate_is_followed_too() {
    struct Halving;
    impl Schedule for Halving {
        fn lr(&self, step: u64) -> f64 {
            0.5f64.powf(step as f64)
        }
    }
    assert!(Halving.check().is_ok());
    let mut optimizer = optimizer::<f32>(sgd(1.0).into(), 2);
    optimizer.follow(&Halving, 3);
    assert_eq!(optimizer.lr(), 0.125);
}

#[test]
#[should_panic(expected = "Optimizer::follow: sgd: momentum = 1.5 is outside [0, 1)")]
fn a_momentum_that_no_rule_takes_panics() {
    struct TooMuch;
    impl Schedule for TooMuch {
        fn lr(&self, _: u64) -> f64 {
            1.0
        }
        fn momentum(&self, _: u64) -> Option<f64> {
            Some(1.5)
        }
    }
    optimizer::<f32>(Sgd { momentum: 0.9, ..sgd(1.0) }.into(), 2).follow(&TooMuch, 0);
}

#[test]
#[should_panic(expected = "Optimizer::follow: cosine: t_max = 0 is outside [1, ∞)")]
fn a_schedule_is_checked_where_it_is_followed() {
    optimizer::<f32>(sgd(1.0).into(), 2).follow(&CosineAnnealingLr { lr: 0.1, t_max: 0, eta_min: 0.0 }, 0);
}

#[test]
fn a_schedule_of_factors_scales_the_rate_of_each_group() {
    let params = |range| [Param::new(format!("{range:?}"), range)];
    let groups = [
        Group::new(sgd(0.5), params(0..1)),
        Group::new(Sgd { momentum: 0.5, ..sgd(4.0) }, params(1..2)).with_lr_scale(0.25),
        Group::new(sgd(0.0), params(2..3)),
    ];
    let mut optimizer = Optimizer::<f64>::for_slices(groups).unwrap();
    let rates = |optimizer: &Optimizer<f64>| -> Vec<f64> {
        optimizer.groups().map(|group| group.rule().rule().hyperparameters()[0].1).collect()
    };
    let halving = StepLr { lr: 1.0, step_size: 10, gamma: 0.5 };
    // Of the rates that the rules were made with, whatever they have been set to since.
    optimizer.set_lr(7.0);
    for (step, factor) in [(0, 1.0), (10, 0.5), (25, 0.25)] {
        optimizer.follow_scaled(&halving, step);
        assert_eq!(rates(&optimizer), [0.5 * factor, factor, 0.0], "step {step}");
        assert_eq!(optimizer.lr(), 0.5 * factor);
    }
    let cycle = OneCycleLr::new(1.0, 100);
    optimizer.follow_scaled(&cycle, 10);
    let momentum = optimizer.groups().nth(1).unwrap().rule().rule().hyperparameters()[1];
    assert_eq!(momentum, ("momentum", cycle.momentum(10).unwrap()));
    optimizer.follow(&halving, 10);
    assert_eq!(rates(&optimizer), [0.5, 0.125, 0.5]);
}

#[test]
fn tensors_without_elements_are_let_be() {
    for name in RULE_NAMES {
        let params = [Param::new("none", 0..0).with_shape([0, 3]), Param::new("w", 0..2).with_shape([2, 1])];
        let mut optimizer =
            Optimizer::<f64>::for_slices([Group::new(rule_named(name).unwrap(), params)]).unwrap();
        let mut values = [1.0, -1.0];
        optimizer.step_slices(&mut values, &[0.5, -0.5]);
        assert!(values[0] < 1.0 && values[1] > -1.0, "{name}: {values:?}");
    }
}

#[test]
fn hyperparameters_are_set_by_name_or_refused() {
    let mut optimizer =
        Optimizer::<f32>::for_slices([Group::new(Adam::default(), [Param::new("a", 0..1)])]).unwrap();
    optimizer.set(0, "weight_decay", 0.5).unwrap();
    let message = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(optimizer.set(0, "momentum", 0.5)),
        "adam has no hyperparameter `momentum`; it has lr, beta1, beta2, eps, weight_decay"
    );
    assert_eq!(message(optimizer.set(0, "beta2", 1.0)), "adam: beta2 = 1 is outside [0, 1)");
    let now = optimizer.groups().next().unwrap().rule().rule().hyperparameters();
    assert_eq!(now, [("lr", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8), ("weight_decay", 0.5)]);
}

#[test]
fn every_hyperparameter_of_every_rule_is_checked() {
    for (name, mut rule) in variants::<f64>() {
        let fields = rule.rule().hyperparameters();
        assert_eq!(fields[0].0, "lr", "{name}");
        assert!(rule.rule().check().is_ok(), "{name}");
        for (field, before) in fields {
            let error = rule.set(field, f64::NAN).unwrap_err();
            let Error::Hyperparameter { owner, field: named, value, .. } = &error else {
                panic!("{name}: {error}")
            };
            assert_eq!((*owner, *named, value.is_nan()), (rule.rule().name(), field, true), "{name}");
            assert!(error.to_string().contains(" is outside "), "{error}");
            let is_coefficient = field.starts_with("ns_coefficient") || field == "beta2_decay";
            assert!(is_coefficient || rule.set(field, -0.5).is_err(), "{name}: {field} = −0.5");
            let is_rate = ["beta1", "beta2", "beta3", "momentum", "alpha", "rho"].contains(&field);
            assert!(
                !is_rate || name.starts_with("asgd") || rule.set(field, 1.0).is_err(),
                "{name}: {field} = 1"
            );
            let unchanged =
                rule.rule().hyperparameters().iter().any(|(f, value)| *f == field && *value == before);
            assert!(unchanged, "{name}: {field} changed by a refused value");
        }
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let message = |rule: AnyRule<f64>| rule.rule().check().unwrap_err().to_string();
    let momentum = Sgd { momentum: 0.9, ..sgd(0.1) };
    let nesterov = "sgd: Nesterov's momentum takes neither dampening nor the averaged form";
    assert_eq!(message(Sgd { nesterov: true, dampening: 0.1, ..momentum }.into()), nesterov);
    assert_eq!(message(Sgd { nesterov: true, averaged: true, ..momentum }.into()), nesterov);
    assert_eq!(
        message(Sgd { averaged: true, dampening: 0.1, ..momentum }.into()),
        "sgd: the averaged form is already dampened by 1 − momentum: dampening must be 0"
    );
    assert_eq!(
        message(Rprop { step_sizes: (2.0, 1.0), ..Rprop::default() }.into()),
        "rprop: step_size_min must not exceed step_size_max"
    );
    assert_eq!(
        message(Rprop { etas: (0.5, 1.0), ..Rprop::default() }.into()),
        "rprop: eta_plus = 1 is outside (1, ∞)"
    );
    assert_eq!(
        message(Lamb { norm_range: (2.0, 1.0), ..Lamb::default() }.into()),
        "lamb: norm_min must not exceed norm_max"
    );
    assert_eq!(
        message(Adafactor { d: 0.5, ..Adafactor::default() }.into()),
        "adafactor: d = 0.5 is outside [1, ∞)"
    );
    assert_eq!(
        message(Adafactor { eps: (Some(-1.0), 0.0), ..Adafactor::default() }.into()),
        "adafactor: eps1 = -1 is outside [0, ∞)"
    );
    assert_eq!(
        message(Adafactor { beta2_decay: 0.1, ..Adafactor::default() }.into()),
        "adafactor: beta2_decay = 0.1 is outside (−∞, 0]"
    );
    assert_eq!(
        message(Muon { ns_steps: 100, ..Muon::default() }.into()),
        "muon: ns_steps = 100 is outside [0, 100)"
    );
    assert!(Muon { ns_steps: 99, ..Muon::default() }.check().is_ok());
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let message = |params: Vec<Param>| {
        Optimizer::<f32>::for_slices([Group::new(sgd(0.1), params)]).unwrap_err().to_string()
    };
    assert_eq!(
        message(vec![Param::new("a", 0..6).with_shape([2, 2])]),
        "parameter `a`: shape [2, 2] has 4 elements, range 0..6 has 6"
    );
    assert_eq!(
        message(vec![Param::new("a", 0..0).with_shape([usize::MAX, 2])]),
        format!("parameter `a`: shape [{0}, 2] has {0} elements, range 0..0 has 0", usize::MAX)
    );
    let huge = Group::new(Lamb::default(), [Param::new("a", 0..4).with_shape([1_usize << 50])]);
    assert!(matches!(Optimizer::<f32>::for_slices([huge]), Err(Error::Shape { .. })));
    assert_eq!(
        message(vec![Param::new("a", 0..6), Param::new("b", 8..9), Param::new("c", 5..7)]),
        "parameters `a` (0..6) and `c` (5..7) overlap or share a name"
    );
    assert_eq!(
        message(vec![Param::new("a", 0..6), Param::new("a", 6..7)]),
        "parameters `a` (0..6) and `a` (6..7) overlap or share a name"
    );
    let groups =
        [Group::new(sgd(0.1), [Param::new("a", 0..2)]), Group::new(sgd(0.1), [Param::new("b", 1..3)])];
    assert!(matches!(Optimizer::<f32>::for_slices(groups), Err(Error::Overlap { .. })));
    let error =
        Optimizer::<f32>::for_slices([Group::new(Muon::default(), [Param::new("bias", 0..3)])]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `bias`: muon takes two dimensions or more, not shape [3]: set the parameter's shape with \
         `Param::with_shape`, or choose another rule with `Groups::rule`"
    );
    let group = Group::new(sgd(0.1), [Param::new("a", 0..2)]).with_lr_scale(-1.0);
    assert_eq!(
        Optimizer::<f32>::for_slices([group]).unwrap_err().to_string(),
        "group: lr_scale = -1 is outside [0, ∞)"
    );
    let error = Optimizer::<f32>::for_slices([Group::new(sgd(-0.1), [Param::new("a", 0..2)])]).unwrap_err();
    assert_eq!(error.to_string(), "sgd: lr = -0.1 is outside [0, ∞)");
    // Empty parameters share no memory with anything.
    assert!(
        Optimizer::<f32>::for_slices([Group::new(sgd(0.1), [Param::new("a", 0..2), Param::new("b", 2..2)])])
            .is_ok()
    );
}

#[test]
fn states_are_named_by_parameter_and_slot() {
    let groups = [
        Group::new(NAdam::default(), [Param::new("0.weight", 0..4), Param::new("0.bias", 4..6)]),
        Group::new(Adafactor::default(), [Param::new("2.weight", 6..12).with_shape([3, 2])]),
    ];
    let optimizer = Optimizer::<f32>::for_slices(groups).unwrap();
    let names: Vec<_> = optimizer.state().map(|(name, values)| (name, values.len())).collect();
    let expected = [
        ("0.weight.exp_avg", 4),
        ("0.weight.exp_avg_sq", 4),
        ("0.bias.exp_avg", 2),
        ("0.bias.exp_avg_sq", 2),
        ("group0.mu_product", 1),
        ("2.weight.row_var", 3),
        ("2.weight.col_var", 2),
    ];
    assert_eq!(names, expected.map(|(name, len)| (name.to_string(), len)));
}

#[test]
fn each_parameter_has_the_state_of_its_own_coordinates() {
    let rule = Sgd { momentum: 0.9, ..Sgd::default() };
    // Out of order and with a gap: the state lies in the order of the parameters.
    let params = [Param::new("b", 5..7), Param::new("a", 0..3)];
    let mut optimizer = Optimizer::<f64>::for_slices([Group::new(rule, params)]).unwrap();
    optimizer.step_slices(&mut [0.0; 7], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let state: Vec<_> = optimizer.state().map(|(name, values)| (name, values.to_vec())).collect();
    let expected = [("b.momentum_buffer", vec![6.0, 7.0]), ("a.momentum_buffer", vec![1.0, 2.0, 3.0])];
    assert_eq!(state, expected.map(|(name, values)| (name.to_string(), values)));
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let make = || {
        Optimizer::<f64>::for_slices([Group::new(
            Adam::default(),
            [Param::new("a", 0..1), Param::new("b", 1..2)],
        )])
        .unwrap()
    };
    let mut optimizer = make();
    let one = &[0.5][..];
    let slots = vec![("a.exp_avg", one), ("a.exp_avg_sq", one), ("b.exp_avg", one)];
    let error = optimizer.load_state(3, slots).unwrap_err();
    assert_eq!(error.to_string(), "state `b.exp_avg_sq`: is missing");
    assert_eq!(optimizer.n_steps(), 0);
    assert!(optimizer.state().zip(make().state()).all(|(a, b)| a == b));
}

#[test]
fn rules_of_another_crate_are_welcome() {
    struct Halve;
    impl Rule for Halve {
        fn name(&self) -> &'static str {
            "halve"
        }
        fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
            vec![("lr", 0.0)]
        }
        fn hyperparameter_mut(&mut self, _name: &str) -> Option<&mut f64> {
            None
        }
        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }
    impl<F: Real> Elementwise<F> for Halve {
        fn slots(&self, n: usize) -> Vec<Slot<F>> {
            vec![
                Slot::each("before", n, 0.0),
                Slot::shared("factor", 1, 0.5),
                Slot::shared("n_updates", 1, 0.0),
            ]
        }
        fn apply(&self, _t: u64, mut at: Coordinates<'_, F>) {
            at.shared("n_updates")[0] += F::ONE;
            at.each(|w, _, [before]| {
                *before = *w;
                *w *= F::of(0.5);
            });
        }
    }
    let mut state = Halve.state(2).unwrap();
    let mut values = [4.0, 6.0];
    Halve.update(&mut values, &[0.0; 2], &mut state);
    let slots = [("before", &[4.0, 6.0][..]), ("factor", &[0.5]), ("n_updates", &[1.0])];
    assert_eq!((values, state.slots().collect::<Vec<_>>()), ([2.0, 3.0], slots.to_vec()));
    // The optimizer sets the learning rate, so a rule in it must let it.
    let error =
        Optimizer::<f64>::for_slices([Group::new(AnyRule::Elementwise(Box::new(Halve)), [])]).unwrap_err();
    assert_eq!(error.to_string(), "halve has no hyperparameter `lr`; it has lr");
}

#[test]
fn so_are_those_that_look_at_a_whole_tensor() {
    /// A step in units of the largest gradient that the tensor has had.
    struct Scaled {
        lr: f64,
    }
    impl Rule for Scaled {
        fn name(&self) -> &'static str {
            "scaled"
        }
        fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
            vec![("lr", self.lr)]
        }
        fn hyperparameter_mut(&mut self, name: &str) -> Option<&mut f64> {
            (name == "lr").then_some(&mut self.lr)
        }
        fn check(&self) -> Result<(), Error> {
            Interval::POSITIVE.check("scaled", "lr", self.lr)
        }
    }
    impl<F: Real> WholeTensor<F> for Scaled {
        fn slots(&self, shape: &[usize]) -> Vec<Slot<F>> {
            vec![Slot::shared("largest", 1, 0.0), Slot::scratch("step", shape.iter().product())]
        }
        fn apply(&self, _t: u64, _shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]) {
            let [largest, steps] = slots else { unreachable!("two slots") };
            let largest = &mut largest.values_mut()[0];
            *largest = grads.iter().fold(*largest, |largest, g| largest.larger(g.abs()));
            for ((step, value), &g) in steps.values_mut().iter_mut().zip(values).zip(grads) {
                *step = F::of(self.lr) * g / *largest;
                *value -= *step;
            }
        }
    }
    let params = [Param::new("a", 0..2), Param::new("b", 2..4).with_shape([2, 1])];
    let rule = AnyRule::WholeTensor(Box::new(Scaled { lr: 0.5 }));
    assert_eq!(format!("{rule:?}"), "scaled { lr: 0.5, .. }");
    let mut optimizer = Optimizer::<f64>::for_slices([Group::new(rule, params)]).unwrap();
    let mut values = [0.0; 4];
    optimizer.step_slices(&mut values, &[1.0, -2.0, 40.0, 10.0]);
    assert_eq!(values, [-0.25, 0.5, -0.5, -0.125]);
    let state: Vec<_> = optimizer.state().map(|(name, slot)| (name, slot.to_vec())).collect();
    assert_eq!(state, [("a.largest".into(), vec![2.0]), ("b.largest".into(), vec![40.0])]);
}

#[test]
#[should_panic(expected = "Optimizer::step: values has 3 elements, grads 2")]
fn lengths_that_differ_panic() {
    optimizer::<f32>(sgd(0.1).into(), 2).step_slices(&mut [0.0; 3], &[0.0; 2]);
}

#[test]
#[should_panic(expected = "Optimizer::step: values has 1 elements, the ranges need 2")]
fn slices_that_are_too_short_panic() {
    optimizer::<f32>(sgd(0.1).into(), 2).step_slices(&mut [0.0; 1], &[0.0; 1]);
}

#[test]
#[should_panic(expected = "adam: values has 3 elements, grads 3, state 2")]
fn a_state_of_another_length_panics() {
    let adam = Adam::default();
    adam.update(&mut [0.0f32; 3], &[0.0; 3], &mut adam.state(2).unwrap());
}

#[test]
#[should_panic(expected = "lars: shape [2, 2] has 4 elements, values 3")]
fn a_shape_that_does_not_fill_the_slice_panics() {
    let lars = Lars::default();
    lars.update(&[2, 2], &mut [0.0f32; 3], &[0.0; 3], &mut lars.state(&[3]).unwrap());
}

#[test]
#[should_panic(expected = "Optimizer::set_lr: lr = NaN is outside [0, ∞)")]
fn a_learning_rate_that_is_nan_panics() {
    optimizer::<f32>(sgd(0.1).into(), 2).set_lr(f64::NAN);
}

#[test]
#[should_panic(expected = "the rule needs 1 slots and was set up with 0: was an option changed?")]
fn an_option_that_needs_a_slot_cannot_be_switched_on_later() {
    let mut optimizer = optimizer::<f32>(sgd(0.1).into(), 2);
    optimizer.set(0, "momentum", 0.9).unwrap();
    optimizer.step_slices(&mut [0.0; 2], &[0.0; 2]);
}
