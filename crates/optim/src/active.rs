//! A group of an optimizer at work: its state, and which of its parameters step together.

use std::ops::Range;

use parameters::Parameters;

use crate::rule::Run;
use crate::state::{Count, Kind};
use crate::{AnyRule, Coordinates, Error, Group, Interval, Param, Real, State};

/// The name of a parameter's count in a saved state.
const STEPS_TAKEN: &str = "steps_taken";

/// A group and its state.
#[derive(Debug)]
pub(crate) struct Active<F: Real> {
    pub(crate) group: Group<F>,
    /// Before the group's scale; the rule holds it after scaling. Only [`set_lr`](Self::set_lr) writes
    /// either.
    pub(crate) lr: f64,
    /// The learning rate that the rule was made with, before the group's scale.
    pub(crate) initial_lr: f64,
    /// Element-wise: one state for all parameters, concatenated; its shared slots have a part for each
    /// cohort. Whole-tensor: one for each.
    states: Vec<State<F>>,
    /// For each parameter: whether it is skipped.
    is_frozen: Vec<bool>,
    /// For each parameter: the steps that it was not skipped in.
    steps_taken: Vec<Count<F>>,
    /// Element-wise: for each parameter, the index of its cohort. Whole-tensor: empty.
    cohort_of: Vec<usize>,
    /// Element-wise: at least one, and no more unless parameters were frozen. Whole-tensor: empty.
    cohorts: Vec<Cohort>,
}

/// Parameters of an element-wise rule that have taken the same steps, so that the rule updates them at once.
#[derive(Debug, Default)]
struct Cohort {
    /// The index of one of them; all are frozen or none is, and their counts and shared state are equal.
    param_idx: usize,
    /// Runs of adjacent parameters; none if they are frozen.
    runs: Vec<Run>,
}

/// A part of the state that is saved under a name of its own.
struct Place {
    name: String,
    state_idx: usize,
    slot_idx: usize,
    range: Range<usize>,
}

impl<F: Real> Active<F> {
    pub(crate) fn new(mut group: Group<F>) -> Result<Self, Error> {
        Interval::NON_NEGATIVE.check("group", "lr_scale", group.lr_scale)?;
        group.rule.rule().check()?;
        let lr =
            group.rule.rule().hyperparameters().iter().find(|(name, _)| *name == "lr").map(|(_, lr)| *lr);
        let lr =
            lr.ok_or(Error::Combination { owner: group.rule.rule().name(), rule: "a rule must have `lr`" })?;
        // First of all: Rprop's step sizes start from the learning rate.
        group.rule.set("lr", lr * group.lr_scale)?;
        let states = match &group.rule {
            AnyRule::Elementwise(rule) => {
                vec![rule.state(group.params.iter().map(|param| param.range.len()).sum())?]
            }
            AnyRule::WholeTensor(rule) => {
                let state = |param: &Param| match rule.state(&param.shape) {
                    Err(Error::RuleShape { owner, shape, expected, .. }) => {
                        Err(Error::RuleShape { owner, name: param.name.clone(), shape, expected })
                    }
                    state => state,
                };
                group.params.iter().map(state).collect::<Result<_, _>>()?
            }
        };
        let (n_params, is_elementwise) = (group.params.len(), matches!(group.rule, AnyRule::Elementwise(_)));
        let mut active = Self {
            group,
            lr,
            initial_lr: lr,
            states,
            is_frozen: vec![false; n_params],
            steps_taken: vec![Count::of(0); n_params],
            cohort_of: if is_elementwise { vec![0; n_params] } else { vec![] },
            cohorts: if is_elementwise { vec![Cohort::default()] } else { vec![] },
        };
        active.regroup();
        Ok(active)
    }

    pub(crate) fn set_lr(&mut self, lr: f64) -> Result<(), Error> {
        self.group.rule.set("lr", lr * self.group.lr_scale)?;
        self.lr = lr;
        Ok(())
    }

    /// Updates the groups after parameters were frozen or thawed.
    #[track_caller]
    pub(crate) fn pass_over_frozen<P: Parameters<Value = F> + ?Sized>(&mut self, params: &P) {
        let Group { params: known, entries, .. } = &self.group;
        assert!(
            known.len() == entries.len(),
            "Optimizer::step: it was created for bare slices; use Optimizer::step_slices"
        );
        let mut has_changed = false;
        for ((param, &idx), is_frozen) in known.iter().zip(entries).zip(&mut self.is_frozen) {
            let entry = (idx < params.n_entries()).then(|| params.entry(idx));
            let entry = entry.filter(|entry| entry.range == param.range && entry.name == param.name);
            let Some(entry) = entry else {
                panic!(
                    "Optimizer::step: these are not the parameters that the optimizer was created for: \
                     there is no {} at {:?}",
                    param.name, param.range
                );
            };
            has_changed |= std::mem::replace(is_frozen, !entry.is_trainable) == entry.is_trainable;
        }
        if has_changed {
            self.regroup();
        }
    }

    pub(crate) fn step(&mut self, values: &mut [F], grads: &[F]) {
        for (count, _) in
            self.steps_taken.iter_mut().zip(&self.is_frozen).filter(|(_, is_frozen)| !**is_frozen)
        {
            *count = Count::of(count.get() + 1);
        }
        match &self.group.rule {
            AnyRule::Elementwise(rule) => {
                let n_cohorts = self.cohorts.len();
                for (cohort_idx, cohort) in self.cohorts.iter().enumerate() {
                    if cohort.runs.is_empty() {
                        continue;
                    }
                    let (slots, runs) = (&mut self.states[0].slots[..], &cohort.runs[..]);
                    let at = Coordinates {
                        values: &mut *values,
                        grads,
                        slots,
                        runs,
                        cohort: (cohort_idx, n_cohorts),
                    };
                    rule.apply(self.steps_taken[cohort.param_idx].get(), at);
                }
            }
            AnyRule::WholeTensor(rule) => {
                let states = self.states.iter_mut().zip(&self.steps_taken).zip(&self.is_frozen);
                for (param, ((state, count), _)) in
                    self.group.params.iter().zip(states).filter(|(_, (_, is_frozen))| !**is_frozen)
                {
                    let range = param.range.clone();
                    let (values, grads) = (&mut values[range.clone()], &grads[range]);
                    rule.apply(count.get(), &param.shape, values, grads, &mut state.slots);
                }
            }
        }
    }

    /// Everything to be saved, by name, after `n_steps` steps of the optimizer.
    pub(crate) fn named_slots(&self, group_idx: usize, n_steps: u64) -> impl Iterator<Item = (String, &[F])> {
        let places = self.places(group_idx, self.cohorts.len() > 1).into_iter();
        let slots = places.map(|place| {
            let Place { name, state_idx, slot_idx, range } = place;
            (name, &self.states[state_idx].slots[slot_idx].values[range])
        });
        let counts = self.group.params.iter().zip(&self.steps_taken);
        let counts = counts.filter(move |(_, count)| count.get() != n_steps);
        slots.chain(counts.map(|(param, count)| (count_name(param), count.as_slice())))
    }

    /// The name and length of each slot that belongs to a saved state like the offered one, which may have
    /// counts, and shared slots by parameter.
    pub(crate) fn expected(&self, group_idx: usize, offered: &[(&str, &[F])]) -> Vec<(String, usize)> {
        let places = self.places(group_idx, self.is_by_param(offered)).into_iter();
        let counts = self.group.params.iter().map(count_name).filter(|name| find(offered, name).is_some());
        places.map(|place| (place.name, place.range.len())).chain(counts.map(|name| (name, 2))).collect()
    }

    /// Reads the count of each parameter, `n_steps` where none is saved, from slots of the expected lengths.
    pub(crate) fn read_counts(&self, n_steps: u64, offered: &[(&str, &[F])]) -> Result<Vec<Count<F>>, Error> {
        let count_of = |param: &Param| {
            let slot = count_name(param);
            let Some(saved) = find(offered, &slot) else { return Ok(Count::of(n_steps)) };
            let count = Count::read(saved).filter(|count| count.get() <= n_steps);
            count.ok_or_else(|| Error::State {
                slot,
                problem: format!("is {saved:?}, not a count up to {n_steps}"),
            })
        };
        self.group.params.iter().map(count_of).collect()
    }

    /// Takes over counts, and slots that have been checked.
    pub(crate) fn load(&mut self, group_idx: usize, counts: Vec<Count<F>>, offered: &[(&str, &[F])]) {
        self.steps_taken = counts;
        let is_by_param = self.is_by_param(offered);
        if let AnyRule::Elementwise(_) = self.group.rule {
            // One cohort, or one for each parameter; regrouping joins those that are alike.
            let n_cohorts = if is_by_param { self.cohort_of.len() } else { 1 };
            for slot in self.states[0].slots.iter_mut().filter(|slot| slot.kind == Kind::Shared) {
                let len = slot.values.len() / self.cohorts.len();
                slot.values.resize(len * n_cohorts, F::ZERO);
            }
            self.cohorts = (0..n_cohorts).map(|param_idx| Cohort { param_idx, runs: vec![] }).collect();
            self.cohort_of = (0..self.cohort_of.len()).map(|idx| idx.min(n_cohorts - 1)).collect();
        }
        for Place { name, state_idx, slot_idx, range } in self.places(group_idx, is_by_param) {
            let values = find(offered, &name).expect("checked by the caller");
            self.states[state_idx].slots[slot_idx].values[range].copy_from_slice(values);
        }
        self.regroup();
    }

    /// Whether the offered slots have the shared state of an element-wise rule by parameter.
    fn is_by_param(&self, offered: &[(&str, &[F])]) -> bool {
        self.places(0, true).iter().any(|place| {
            let is_shared = self.states[place.state_idx].slots[place.slot_idx].kind == Kind::Shared;
            is_shared && !self.cohorts.is_empty() && find(offered, &place.name).is_some()
        })
    }

    /// All saved slots. What an element-wise rule shares among a cohort is saved for each parameter, or, if
    /// there is only one cohort, once for the group.
    fn places(&self, group_idx: usize, is_by_param: bool) -> Vec<Place> {
        let is_elementwise = matches!(self.group.rule, AnyRule::Elementwise(_));
        let n_cohorts = self.cohorts.len();
        let mut places = Vec::new();
        let mut slot_start = 0;
        for (param_idx, param) in self.group.params.iter().enumerate() {
            let state_idx = if is_elementwise { 0 } else { param_idx };
            for (slot_idx, slot) in self.states[state_idx].slots.iter().enumerate() {
                let range = match (slot.kind, is_elementwise) {
                    (Kind::Scratch, _) => continue,
                    (Kind::Shared, true) if !is_by_param => continue,
                    (Kind::Shared, true) => slot.part(self.cohort_of[param_idx], n_cohorts),
                    (Kind::Each, true) => slot_start..slot_start + param.range.len(),
                    (_, false) => 0..slot.values.len(),
                };
                places.push(Place {
                    name: format!("{}.{}", param.name, slot.name),
                    state_idx,
                    slot_idx,
                    range,
                });
            }
            slot_start += param.range.len();
        }
        if is_elementwise && !is_by_param {
            for (slot_idx, slot) in self.states[0].slots.iter().enumerate() {
                if slot.kind == Kind::Shared {
                    let name = format!("group{group_idx}.{}", slot.name);
                    places.push(Place { name, state_idx: 0, slot_idx, range: slot.part(0, n_cohorts) });
                }
            }
        }
        places
    }

    /// Divides the parameters of an element-wise rule into cohorts, after some were frozen, thawed or loaded.
    fn regroup(&mut self) {
        if let AnyRule::WholeTensor(_) = self.group.rule {
            return;
        }
        let slots = &mut self.states[0].slots;
        let n_before = self.cohorts.len();
        let shared_bits = |cohort_idx| {
            let shared = slots.iter().filter(|slot| slot.kind == Kind::Shared);
            shared
                .flat_map(move |slot| &slot.values[slot.part(cohort_idx, n_before)])
                .map(|x| x.to_f64().to_bits())
        };
        let are_alike = |a: usize, b: usize| {
            let is_same_cohort = self.cohort_of[a] == self.cohort_of[b];
            self.is_frozen[a] == self.is_frozen[b]
                && self.steps_taken[a] == self.steps_taken[b]
                && (is_same_cohort || shared_bits(self.cohort_of[a]).eq(shared_bits(self.cohort_of[b])))
        };

        let mut cohorts: Vec<Cohort> = Vec::new();
        let mut cohort_of = Vec::with_capacity(self.cohort_of.len());
        let mut slot_start = 0;
        for (param_idx, Param { range, .. }) in self.group.params.iter().enumerate() {
            let known = cohorts.iter().position(|cohort| are_alike(cohort.param_idx, param_idx));
            let cohort_idx = known.unwrap_or(cohorts.len());
            if known.is_none() {
                cohorts.push(Cohort { param_idx, runs: vec![] });
            }
            cohort_of.push(cohort_idx);
            if !self.is_frozen[param_idx] {
                join(
                    &mut cohorts[cohort_idx].runs,
                    Run { value_start: range.start, slot_start, len: range.len() },
                );
            }
            slot_start += range.len();
        }
        if cohorts.is_empty() {
            return; // a group without parameters keeps its one cohort
        }

        let parts_before: Vec<_> = cohorts.iter().map(|cohort| self.cohort_of[cohort.param_idx]).collect();
        for slot in slots.iter_mut().filter(|slot| slot.kind == Kind::Shared) {
            let parts = parts_before.iter().map(|&cohort_idx| &slot.values[slot.part(cohort_idx, n_before)]);
            slot.values = parts.collect::<Vec<_>>().concat();
        }
        (self.cohorts, self.cohort_of) = (cohorts, cohort_of);
    }
}

/// Adds a parameter to runs, as a part of the last one if it follows it in memory, so that both are updated in
/// one pass.
fn join(runs: &mut Vec<Run>, next: Run) {
    match runs.last_mut() {
        Some(last)
            if last.value_start + last.len == next.value_start
                && last.slot_start + last.len == next.slot_start =>
        {
            last.len += next.len;
        }
        _ => runs.push(next),
    }
}

fn count_name(param: &Param) -> String {
    format!("{}.{STEPS_TAKEN}", param.name)
}

fn find<'a, F>(offered: &[(&str, &'a [F])], name: &str) -> Option<&'a [F]> {
    offered.iter().find(|(offered, _)| *offered == name).map(|(_, values)| *values)
}
