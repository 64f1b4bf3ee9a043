//! Optimizers over named parameters: groups by name, and what is refused.

use optim::average::{Ema, Lookahead, Swa};
use optim::*;

use crate::common::{noise, variants};

/// Numbers with names and shapes, of which some are trained.
struct Net {
    entries: Vec<(&'static str, Vec<usize>, bool)>,
    values: Vec<f64>,
    grads: Vec<f64>,
}

impl Net {
    /// All values 1, all gradients 0.5.
    fn new() -> Self {
        let entries = vec![
            ("features.0.weight", vec![2, 2], true),
            ("features.0.bias", vec![2], true),
            ("features.1.running_var", vec![2], false),
            ("head.weight", vec![1, 2], true),
            ("head.bias", vec![1], true),
        ];
        Self { entries, values: vec![1.0; 11], grads: vec![0.5; 11] }
    }
}

impl Parameters for Net {
    type Value = f64;

    fn n_entries(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, idx: usize) -> parameters::Entry<'_> {
        let len = |(_, shape, _): &(&str, Vec<usize>, bool)| shape.iter().product::<usize>();
        let start = self.entries[..idx].iter().map(len).sum();
        let (name, shape, is_trainable) = &self.entries[idx];
        let range = start..start + len(&self.entries[idx]);
        parameters::Entry { name, shape, range, is_trainable: *is_trainable }
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn grads(&self) -> &[f64] {
        &self.grads
    }

    fn values_and_grads_mut(&mut self) -> (&mut [f64], &mut [f64]) {
        (&mut self.values, &mut self.grads)
    }
}

fn sgd(weight_decay: f64) -> Sgd {
    Sgd { lr: 0.5, weight_decay, ..Sgd::default() }
}

#[test]
fn only_what_is_trainable_is_moved_and_the_neighbours_of_the_rest_keep_their_state() {
    let mut net = Net::new();
    let mut optimizer = Optimizer::new(Sgd { momentum: 0.5, ..sgd(0.0) }, &net).unwrap();
    optimizer.step(&mut net);
    assert_eq!(net.values, [0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 1.0, 1.0, 0.75, 0.75, 0.75]);
    net.entries[1].2 = false; // frozen
    optimizer.step(&mut net);
    net.entries[1].2 = true; // and thawed: its momentum is that of one step
    optimizer.step(&mut net);
    let moved = |n_steps| 1.0 - [0.0, 0.25, 0.625, 1.0625][n_steps];
    let (all, some) = (moved(3), moved(2));
    assert_eq!(net.values, [all, all, all, all, some, some, 1.0, 1.0, all, all, all]);
    assert_eq!(optimizer.n_steps(), 3);
}

/// Three matrices, of which the second is frozen at first and the third in between; at step `cut` the optimizer
/// is saved and restored.
#[test]
fn a_parameter_steps_as_if_the_steps_when_it_was_frozen_had_not_been() {
    const N_STEPS: usize = 9;
    let is_frozen = |idx: usize, step: usize| match idx {
        1 => step < 3,
        2 => (2..6).contains(&step),
        _ => false,
    };
    let sizes = [("a", 2), ("b", 3), ("c", 1)];
    let entries: Vec<_> = sizes.iter().map(|(name, rows)| (*name, vec![*rows, 2], true)).collect();
    let grads: Vec<Vec<f64>> = (0..N_STEPS as u64).map(|step| noise(step + 2, 12)).collect();
    for cut in 0..=N_STEPS {
        let rules = variants()
            .into_iter()
            .zip(variants())
            .zip(variants().into_iter().zip(variants()).zip(variants()));
        for (((name, first), (_, second)), (((_, a), (_, b)), (_, c))) in rules {
            let mut net = Net { entries: entries.clone(), values: noise(1, 12), grads: vec![] };
            let mut expected = net.values.clone();
            let (mut optimizer, mut restored) = (Optimizer::new(first, &net).unwrap(), Some(second));
            let mut start = 0;
            for (idx, ((name, rows), rule)) in sizes.into_iter().zip([a, b, c]).enumerate() {
                let range = start..start + 2 * rows;
                let param = Param::new(name, 0..2 * rows).with_shape([rows, 2]);
                let mut alone = Optimizer::for_slices([Group::new(rule, [param])]).unwrap();
                for step in (0..N_STEPS).filter(|&step| !is_frozen(idx, step)) {
                    alone.step_slices(&mut expected[range.clone()], &grads[step][range.clone()]);
                }
                start = range.end;
            }
            for (step, grads) in grads.iter().enumerate() {
                if step == cut {
                    net.entries.iter_mut().for_each(|entry| entry.2 = true);
                    let saved: Vec<_> = optimizer.state().map(|(name, x)| (name, x.to_vec())).collect();
                    let mut next = Optimizer::new(restored.take().expect("one cut"), &net).unwrap();
                    let slots = saved.iter().map(|(name, x)| (name.as_str(), x.as_slice()));
                    next.load_state(optimizer.n_steps(), slots).unwrap();
                    optimizer = next;
                }
                net.grads.clone_from(grads);
                (0..3).for_each(|idx| net.entries[idx].2 = !is_frozen(idx, step));
                optimizer.step(&mut net);
            }
            assert_eq!(net.values, expected, "{name}, saved after {cut} steps");
            assert_eq!(optimizer.n_steps(), N_STEPS as u64);
        }
    }
}

/// What earlier versions saved has no counts; what is saved without freezing has none either.
#[test]
fn a_state_without_counts_has_taken_all_steps() {
    let mut net = Net::new();
    let mut optimizer = Optimizer::new(NAdam::default(), &net).unwrap();
    optimizer.step(&mut net);
    let names = |optimizer: &Optimizer<f64>| optimizer.state().map(|(name, _)| name).collect::<Vec<_>>();
    let without = names(&optimizer);
    assert!(!without.iter().any(|name| name.ends_with("steps_taken")), "{without:?}");
    net.entries[1].2 = false;
    optimizer.step(&mut net);
    let with = names(&optimizer);
    assert!(with.contains(&"features.0.bias.steps_taken".into()), "{with:?}");

    let saved: Vec<_> = optimizer.state().map(|(name, x)| (name, x.to_vec())).collect();
    let load = |saved: &[(String, Vec<f64>)]| {
        let mut fresh = Optimizer::new(NAdam::default(), &Net::new()).unwrap();
        let slots = saved.iter().map(|(name, x)| (name.as_str(), x.as_slice()));
        fresh.load_state(2, slots).map(|()| names(&fresh))
    };
    assert_eq!(load(&saved).unwrap(), with);
    for (count, problem) in
        [([0.5, 0.0], "[0.5, 0.0]"), ([3.0, 0.0], "[3.0, 0.0]"), ([0.0, -1.0], "[0.0, -1.0]")]
    {
        let mut wrong = saved.clone();
        let slot = wrong.iter_mut().find(|(name, _)| name.ends_with("steps_taken")).unwrap();
        slot.1.copy_from_slice(&count);
        let message = load(&wrong).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("state `features.0.bias.steps_taken`: is {problem}, not a count up to 2")
        );
    }
}

#[test]
fn groups_are_chosen_by_path_and_by_condition() {
    let mut net = Net::new();
    let groups = Groups::new(sgd(1.0), &net)
        .no_decay(|p: &Param| p.shape.len() < 2)
        .lr_scale("features", 0.5)
        .rule("head.weight", Lion { lr: 0.25, ..Lion::default() });
    let mut optimizer = Optimizer::with_groups(groups).unwrap();
    optimizer.step(&mut net);
    // 1 − lr · (0.5 + decay): decay 1 at half the rate; none at half the rate; Lion by its rate; none.
    assert_eq!(net.values, [0.625, 0.625, 0.625, 0.625, 0.875, 0.875, 1.0, 1.0, 0.75, 0.75, 0.75]);
    optimizer.set_lr(0.0);
    let before = net.values.clone();
    optimizer.step(&mut net);
    assert_eq!(net.values, before);
}

#[test]
fn two_optimizers_share_a_network() {
    let mut net = Net::new();
    let of = |path| Optimizer::with_groups(Groups::new(sgd(0.0), &Net::new()).only(path)).unwrap();
    let (mut features, mut head) = (of("features"), of("head"));
    features.step(&mut net);
    assert_eq!(net.values, [0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]);
    head.step(&mut net);
    head.step(&mut net);
    assert_eq!(net.values, [0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 1.0, 1.0, 0.5, 0.5, 0.5]);
    assert_eq!((features.n_steps(), head.n_steps()), (1, 2));
}

#[test]
fn an_average_is_swapped_in_and_out() {
    for is_corrected in [false, true] {
        let mut net = Net::new();
        let mut ema = Ema::new(net.values.len(), 0.5, is_corrected).unwrap();
        let mut swa = Swa::new(net.values.len());
        for weight in [1.0, 0.1] {
            net.values.fill(weight);
            ema.update(&net);
            swa.update(&net);
        }
        let weights = net.values.clone();
        let average = if is_corrected { (0.25 + 0.05) / 0.75 } else { 0.55 };
        let found = ema.with(&mut net, |net| net.values.clone());
        assert!((found[0] - average).abs() < 1e-12 && found[6] == 0.1, "{found:?}"); // 6 is a running statistic
        assert_eq!(swa.with(&mut net, |net| net.values[0]), 0.55);
        assert_eq!(net.values, weights);
    }
}

/// A network that was loaded and only predicts: its gradients are not there.
struct Loaded(Net);

impl Parameters for Loaded {
    type Value = f64;

    fn n_entries(&self) -> usize {
        self.0.n_entries()
    }

    fn entry(&self, idx: usize) -> parameters::Entry<'_> {
        self.0.entry(idx)
    }

    fn values(&self) -> &[f64] {
        &self.0.values
    }

    fn grads(&self) -> &[f64] {
        panic!("there are no gradients")
    }

    fn values_and_grads_mut(&mut self) -> (&mut [f64], &mut [f64]) {
        panic!("there are no gradients")
    }

    fn values_mut(&mut self) -> &mut [f64] {
        &mut self.0.values
    }
}

#[test]
fn an_average_asks_for_no_gradients() {
    let mut net = Loaded(Net::new());
    let trained = [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 3.0, 3.0, 3.0];
    let (mut ema, mut swa) = (Ema::new(11, 0.5, false).unwrap(), Swa::new(11));
    ema.update_slice(&[3.0; 11]);
    swa.update_slice(&[3.0; 11]);
    let lookahead = || Lookahead::new(&[5.0; 11], 0.5, 1).unwrap();
    assert_eq!(ema.with(&mut net, |net| net.0.values.clone()), trained);
    assert_eq!(swa.with(&mut net, |net| net.0.values.clone()), trained);
    assert_eq!(net.values(), [1.0; 11]);
    lookahead().after_step(&mut net);
    assert_eq!(net.values(), trained);
    net.values_mut().fill(1.0);
    ema.write_to(&mut net);
    assert_eq!(net.values(), trained);
    swa.write_to(&mut net);
    lookahead().write_to(&mut net);
    assert_eq!(net.values(), [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0, 1.0, 5.0, 5.0, 5.0]);
    lookahead().over_everything().after_step(&mut net);
    lookahead().over_everything().write_to(&mut net);
    assert_eq!(net.values(), [5.0; 11]);
}

#[test]
fn groups_without_a_choice_are_one_group_with_the_names_of_new() {
    let net = Net::new();
    let names = |optimizer: Optimizer<f64>| optimizer.state().map(|(name, _)| name).collect::<Vec<_>>();
    let grouped = Optimizer::with_groups(Groups::new(NAdam::default(), &net)).unwrap();
    assert_eq!(names(grouped), names(Optimizer::new(NAdam::default(), &net).unwrap()));
}

#[test]
fn a_pattern_that_matches_nothing_is_named() {
    let net = Net::new();
    let message = |groups| Optimizer::with_groups(groups).unwrap_err().to_string();
    let known = "the parameters are features.0.weight, features.0.bias, head.weight, head.bias";
    assert_eq!(
        message(Groups::new(sgd(0.0), &net).lr_scale("feature", 0.1).no_decay("head")),
        format!("lr_scale: the path `feature` matches no trainable parameter; {known}")
    );
    assert_eq!(
        message(Groups::new(sgd(0.0), &net).no_decay(|p: &Param| p.shape.len() > 2)),
        format!("no_decay: the condition matches no trainable parameter; {known}")
    );
    assert_eq!(
        message(Groups::new(sgd(0.0), &net).only("features.1")),
        format!("only: the path `features.1` matches no trainable parameter; {known}")
    );
    assert_eq!(
        message(Groups::new(sgd(0.0), &net).rule("features.1", sgd(0.0))),
        format!("rule: the path `features.1` matches no trainable parameter; {known}")
    );
}

#[test]
fn every_rule_sees_the_shapes() {
    let net = Net::new();
    let error = Optimizer::new(Muon::default(), &net).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `features.0.bias`: muon takes two dimensions or more, not shape [2]: set the \
         parameter's shape with `Param::with_shape`, or choose another rule with `Groups::rule`"
    );
    let matrices = Groups::new(Lamb::default(), &net).rule(|p: &Param| p.shape.len() == 2, Muon::default());
    assert!(Optimizer::with_groups(matrices).is_ok());
}

#[test]
fn clipping_leaves_alone_what_is_not_trained() {
    let mut net = Net::new();
    clip_value(&mut net, 0.25);
    assert_eq!(net.grads, [0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.25]);
    net.grads[6] = f64::NAN;
    assert!(check_finite(&net).is_ok());
    assert!((clip_norm(&mut net, 0.1, Norm::Max) - 0.25).abs() < 1e-12);
    assert!((net.grads[0] - 0.1).abs() < 1e-6 && net.grads[7] == 0.5);
    net.grads[10] = f64::INFINITY;
    assert_eq!(check_finite(&net).unwrap_err().to_string(), "`head.bias` is inf at index 0");
}

#[test]
fn a_part_is_clipped_by_its_own_norm() {
    let mut net = Net::new();
    let norm = clip_norm_under(&mut net, "head", 0.1, Norm::L1).unwrap();
    assert!((norm - 1.5).abs() < 1e-12, "{norm}");
    assert_eq!(net.grads[..8], [0.5; 8]);
    assert!(net.grads[8..].iter().all(|g| (g - 0.1 / 3.0).abs() < 1e-6), "{:?}", net.grads);

    // Everything is under the empty path, and the bits are those of the whole.
    let (mut whole, mut part) = (Net::new(), Net::new());
    (whole.grads, part.grads) = (noise(3, 11), noise(3, 11));
    let norms =
        (clip_norm(&mut whole, 0.1, Norm::L2), clip_norm_under(&mut part, "", 0.1, Norm::L2).unwrap());
    assert_eq!((norms.0.to_bits(), whole.grads), (norms.1.to_bits(), part.grads));

    // What is frozen counts for nothing; what is not there is an error.
    net.entries[3].2 = false;
    net.entries[4].2 = false;
    assert_eq!(clip_norm_under(&mut net, "head", 0.1, Norm::L2), Ok(0.0));
    assert_eq!(
        clip_norm_under(&mut net, "hea", 0.1, Norm::L2).unwrap_err().to_string(),
        "clip_norm_under: the path `hea` matches no trainable parameter; the parameters are \
         features.0.weight, features.0.bias"
    );
}

#[test]
fn a_mean_of_weights_leaves_alone_what_is_not_trained() {
    let mut net = Net::new();
    let mut swa = Swa::new(11);
    swa.update(&net);
    net.values.fill(3.0);
    swa.update(&net);
    swa.write_to(&mut net);
    assert_eq!(net.values, [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 2.0, 2.0, 2.0]);
}

#[test]
fn the_learning_rate_that_was_set_is_the_one_that_is_told_and_used() {
    let mut net = Net::new();
    let mut optimizer =
        Optimizer::with_groups(Groups::new(sgd(0.0), &net).lr_scale("features.0", 0.5)).unwrap();
    optimizer.set(0, "lr", 0.25).unwrap();
    assert_eq!(optimizer.lr(), 0.25);
    optimizer.step(&mut net);
    assert_eq!((net.values[0], net.values[8]), (1.0 - 0.25 * 0.5 * 0.5, 1.0 - 0.5 * 0.5));
    assert!(optimizer.set(0, "lr", -1.0).is_err());
    assert_eq!(optimizer.lr(), 0.25);
}

#[test]
#[should_panic(expected = "features.1.running_var is trainable, but was not when the optimizer was created")]
fn what_was_not_trainable_at_first_needs_a_new_optimizer() {
    let mut net = Net::new();
    let mut optimizer = Optimizer::new(sgd(0.0), &net).unwrap();
    net.entries[2].2 = true;
    optimizer.step(&mut net);
}

#[test]
#[should_panic(expected = "these are not the parameters that the optimizer was created for: there is no \
                head.weight at 8..10")]
fn foreign_parameters_are_refused() {
    let mut net = Net::new();
    let mut optimizer = Optimizer::new(sgd(0.0), &net).unwrap();
    net.entries[3].0 = "tail.weight";
    optimizer.step(&mut net);
}

#[test]
#[should_panic(expected = "it was created for bare slices; use Optimizer::step_slices")]
fn an_optimizer_for_slices_takes_no_network() {
    let mut net = Net::new();
    let group = Group::new(sgd(0.0), [Param::new("all", 0..11)]);
    Optimizer::for_slices([group]).unwrap().step(&mut net);
}

/// Slices would move what was frozen after the optimizer was made.
#[test]
#[should_panic(expected = "it was created for the parameters of a network; use Optimizer::step")]
fn an_optimizer_for_a_network_takes_no_slices() {
    let net = Net::new();
    Optimizer::new(sgd(0.0), &net).unwrap().step_slices(&mut [0.0; 11], &[0.0; 11]);
}
