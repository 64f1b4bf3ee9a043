//! Rules, groups of parameters and their state, stepped together over flat memory.

use parameters::Parameters;

use crate::groups::split;
use crate::param::check_params;
use crate::rule::Run;
use crate::schedule::Schedule;
use crate::state::{Kind, check_slots};
use crate::{AnyRule, Coordinates, Error, Group, Groups, Interval, Param, Real, State};

/// Moves parameters by the rules of their groups.
///
/// For a network, or anything else that implements [`Parameters`], it updates the trainable parameters,
/// identified by name and range:
///
/// ```
/// # use optim::{Adam, Error, Optimizer, Parameters};
/// # fn f(params: &mut impl Parameters<Value = f32>) -> Result<(), Error> {
/// let mut optimizer = Optimizer::new(Adam { lr: 0.1, ..Adam::default() }, params)?;
/// // … once the gradients are there:
/// optimizer.step(params);
/// # Ok(()) }
/// ```
///
/// For bare slices, give the range of each parameter:
///
/// ```
/// use optim::{Adam, Group, Optimizer, Param};
///
/// let mut values = vec![1.0f32; 6];
/// let params = [Param::new("weight", 0..4).with_shape([2, 2]), Param::new("bias", 4..6)];
/// let adam = Adam { lr: 0.1, ..Adam::default() };
/// let mut optimizer = Optimizer::for_slices([Group::new(adam, params)])?;
/// for _ in 0..200 {
///     let grads: Vec<f32> = values.iter().map(|w| 2.0 * w).collect(); // of the sum of squares
///     optimizer.step_slices(&mut values, &grads);
/// }
/// assert!(values.iter().all(|w| w.abs() < 1e-2));
/// # Ok::<(), optim::Error>(())
/// ```
///
/// A step allocates nothing. Long slices are split over the current rayon pool; the result is bitwise the
/// same for any number of threads. Values outside all ranges are never touched.
#[derive(Debug)]
pub struct Optimizer<F: Real> {
    groups: Vec<Active<F>>,
    /// The entries that were not trainable when the optimizer was made; it has no state for them.
    untrained: Vec<usize>,
    n_steps: u64,
    n_values: usize,
}

/// A group and its state.
#[derive(Debug)]
struct Active<F: Real> {
    group: Group<F>,
    /// Before the group's scale; the rule holds it after scaling. Only [`set_lr`](Self::set_lr) writes
    /// either.
    lr: f64,
    /// Element-wise: one state for all parameters, concatenated. Whole-tensor: one for each.
    states: Vec<State<F>>,
    /// For each parameter: whether it is skipped.
    is_frozen: Vec<bool>,
    /// Element-wise: runs of adjacent parameters that are not frozen. Whole-tensor: empty.
    runs: Vec<Run>,
}

impl<F: Real> Optimizer<F> {
    /// One rule for all trainable parameters.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range or the rule does not accept the shape of a parameter.
    pub fn new<P>(rule: impl Into<AnyRule<F>>, params: &P) -> Result<Self, Error>
    where
        P: Parameters<Value = F> + ?Sized,
    {
        let (trained, untrained) = split(params);
        let (params, entries) = trained.into_iter().unzip();
        Self::assemble([Group { rule: rule.into(), params, entries, lr_scale: 1.0 }], untrained)
    }

    /// Groups of a network's parameters, each with its own rule and hyperparameters.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when a pattern of the groups matches nothing, a scale is negative or not
    /// finite, or `no_decay` selects a parameter whose rule has no weight decay.
    pub fn with_groups(groups: Groups<F>) -> Result<Self, Error> {
        let (groups, untrained) = groups.finish()?;
        Self::assemble(groups, untrained)
    }

    /// Groups of ranges of bare slices, for [`step_slices`](Self::step_slices).
    ///
    /// # Errors
    /// When a hyperparameter is outside its range, a shape does not fill its range or is not accepted by the
    /// rule, two ranges overlap, or a name occurs twice.
    pub fn for_slices(groups: impl IntoIterator<Item = Group<F>>) -> Result<Self, Error> {
        Self::assemble(groups, vec![])
    }

    fn assemble(groups: impl IntoIterator<Item = Group<F>>, untrained: Vec<usize>) -> Result<Self, Error> {
        let groups: Vec<_> = groups.into_iter().collect();
        let params: Vec<_> = groups.iter().flat_map(|group| &group.params).collect();
        // First of all: a shape that does not fill its range may ask for any amount of memory.
        check_params(&params)?;
        let n_values = params.iter().map(|param| param.range.end).max().unwrap_or(0);
        let groups: Vec<_> = groups.into_iter().map(Active::new).collect::<Result<_, _>>()?;
        Ok(Self { groups, untrained, n_steps: 0, n_values })
    }

    /// Updates every group using the gradients. Parameters frozen since the optimizer was made are skipped;
    /// their state is kept and used again once they are thawed.
    ///
    /// # Panics
    /// When these are not the parameters the optimizer was made for, a parameter that was frozen when it was
    /// made is now trainable, or a rule was given a momentum without having state for it, see
    /// [`set`](Self::set).
    #[track_caller]
    pub fn step<P: Parameters<Value = F> + ?Sized>(&mut self, params: &mut P) {
        for active in &mut self.groups {
            active.pass_over_frozen(params);
        }
        for &entry in &self.untrained {
            let entry = params.entry(entry);
            assert!(
                !entry.is_trainable,
                "Optimizer::step: {} is trainable, but was not when the optimizer was created; create \
                 a new one",
                entry.name
            );
        }
        let (values, grads) = params.values_and_grads_mut();
        self.step_slices(values, grads);
    }

    /// [`step`](Self::step) on bare slices.
    ///
    /// # Panics
    /// When `values` and `grads` differ in length or are too short for a range, or a rule was given a
    /// momentum without having state for it, see [`set`](Self::set).
    #[track_caller]
    pub fn step_slices(&mut self, values: &mut [F], grads: &[F]) {
        let (n_values, n_grads) = (values.len(), grads.len());
        assert!(n_values == n_grads, "Optimizer::step: values has {n_values} elements, grads {n_grads}");
        let needed = self.n_values;
        assert!(
            n_values >= needed,
            "Optimizer::step: values has {n_values} elements, the ranges need {needed}"
        );
        self.n_steps += 1;
        for active in &mut self.groups {
            active.step(self.n_steps, values, grads);
        }
    }

    /// The number of steps taken.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// The groups, in order.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group<F>> {
        self.groups.iter().map(|active| &active.group)
    }

    /// The learning rate of the first group, before its scale, as last set by [`set_lr`](Self::set_lr) or
    /// [`set`](Self::set).
    pub fn lr(&self) -> f64 {
        self.groups.first().map_or(0.0, |active| active.lr)
    }

    /// Sets the learning rate of every group; each multiplies it by its scale.
    ///
    /// # Panics
    /// When `lr` is negative, NaN or infinite.
    #[track_caller]
    pub fn set_lr(&mut self, lr: f64) {
        let allowed = Interval::NON_NEGATIVE;
        assert!(allowed.contains(lr), "Optimizer::set_lr: lr = {lr} is outside {allowed}");
        for active in &mut self.groups {
            active.set_lr(lr).expect("every rule has a learning rate that may be ≥ 0");
        }
    }

    /// Sets a hyperparameter of one group by name: `weight_decay`, `momentum`, `beta1`, …; `lr` is multiplied
    /// by the group's scale, as in [`set_lr`](Self::set_lr).
    ///
    /// `Sgd` and `RmsProp` made with momentum 0 have no state for one: if it is raised later, the next step
    /// panics.
    ///
    /// # Errors
    /// When the group's rule has no such hyperparameter or the value is outside its range.
    ///
    /// # Panics
    /// When there is no such group.
    #[track_caller]
    pub fn set(&mut self, group_idx: usize, name: &str, value: f64) -> Result<(), Error> {
        let active = &mut self.groups[group_idx];
        if name == "lr" { active.set_lr(value) } else { active.group.rule.set(name, value) }
    }

    /// Sets the learning rate and, if the schedule has one, the momentum for the coming step. A rule without
    /// `momentum` uses it as `beta1`; a rule with neither is unchanged. A momentum of 0 may be fixed, see
    /// [`set`](Self::set).
    ///
    /// # Panics
    /// When the schedule returns a learning rate or a momentum that a rule does not accept.
    #[track_caller]
    pub fn follow(&mut self, schedule: &dyn Schedule, step: u64) {
        (0..self.groups.len()).for_each(|group_idx| self.follow_group(group_idx, schedule, step));
    }

    /// [`follow`](Self::follow) for one group, when groups have different schedules.
    ///
    /// # Panics
    /// As `follow`, and when there is no such group.
    #[track_caller]
    pub fn follow_group(&mut self, group_idx: usize, schedule: &dyn Schedule, step: u64) {
        let (lr, allowed) = (schedule.lr(step), Interval::NON_NEGATIVE);
        assert!(allowed.contains(lr), "Optimizer::follow: lr = {lr} is outside {allowed}");
        let active = &mut self.groups[group_idx];
        active.set_lr(lr).expect("every rule has a learning rate that may be ≥ 0");
        let Some(momentum) = schedule.momentum(step) else { return };
        for name in ["momentum", "beta1"] {
            match active.group.rule.set(name, momentum) {
                Ok(()) => break,
                Err(Error::NoHyperparameter { .. }) => {}
                Err(error) => panic!("Optimizer::follow: {error}"),
            }
        }
    }

    /// Everything that has to be saved besides [`n_steps`](Self::n_steps) to resume with the same bits, by
    /// name: `0.weight.exp_avg`, …. State that an element-wise rule keeps once per group has a name such as
    /// `group0.mu_product`. Learning rates are not included: a schedule is a function of the step.
    pub fn state(&self) -> impl Iterator<Item = (String, &[F])> {
        self.groups.iter().enumerate().flat_map(|(group_idx, active)| active.named_slots(group_idx))
    }

    /// Restores a saved [`state`](Self::state) and [`n_steps`](Self::n_steps).
    ///
    /// # Errors
    /// When a slot is missing, unknown, given twice or of a different length; the optimizer is then
    /// unchanged.
    pub fn load_state<'a>(
        &mut self,
        n_steps: u64,
        slots: impl IntoIterator<Item = (&'a str, &'a [F])>,
    ) -> Result<(), Error> {
        let offered: Vec<_> = slots.into_iter().collect();
        let wanted: Vec<_> = self.state().map(|(name, values)| (name, values.len())).collect();
        check_slots(&wanted, &offered)?;
        self.n_steps = n_steps;
        for (group_idx, active) in self.groups.iter_mut().enumerate() {
            active.load(group_idx, n_steps, &offered);
        }
        Ok(())
    }
}

impl<F: Real> Active<F> {
    fn new(mut group: Group<F>) -> Result<Self, Error> {
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
        let is_frozen = vec![false; group.params.len()];
        let mut active = Self { group, lr, states, is_frozen, runs: vec![] };
        active.join_runs();
        Ok(active)
    }

    fn set_lr(&mut self, lr: f64) -> Result<(), Error> {
        self.group.rule.set("lr", lr * self.group.lr_scale)?;
        self.lr = lr;
        Ok(())
    }

    /// Updates the groups after parameters were frozen or thawed.
    #[track_caller]
    fn pass_over_frozen<P: Parameters<Value = F> + ?Sized>(&mut self, params: &P) {
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
            self.join_runs();
        }
    }

    fn step(&mut self, t: u64, values: &mut [F], grads: &[F]) {
        for state in &mut self.states {
            state.n_steps = t;
        }
        match &self.group.rule {
            AnyRule::Elementwise(rule) => {
                let slots = &mut self.states[0].slots;
                rule.apply(t, Coordinates { values, grads, slots, runs: &self.runs });
            }
            AnyRule::WholeTensor(rule) => {
                let states = self.states.iter_mut().zip(&self.is_frozen);
                for (param, (state, _)) in
                    self.group.params.iter().zip(states).filter(|(_, (_, is_frozen))| !**is_frozen)
                {
                    let range = param.range.clone();
                    let (values, grads) = (&mut values[range.clone()], &grads[range]);
                    rule.apply(t, &param.shape, values, grads, &mut state.slots);
                }
            }
        }
    }

    /// All saved slots: (name, state, slot, range in the slot).
    fn layout(&self, group_idx: usize) -> Vec<(String, usize, usize, std::ops::Range<usize>)> {
        let mut layout = Vec::new();
        let mut slot_start = 0;
        for (param_idx, param) in self.group.params.iter().enumerate() {
            let elementwise = matches!(self.group.rule, AnyRule::Elementwise(_));
            let state_idx = if elementwise { 0 } else { param_idx };
            for (slot_idx, slot) in self.states[state_idx].slots.iter().enumerate() {
                let range = match (slot.kind, elementwise) {
                    (Kind::Scratch, _) | (Kind::Shared, true) => continue,
                    (Kind::Each, true) => slot_start..slot_start + param.range.len(),
                    (_, false) => 0..slot.values.len(),
                };
                layout.push((format!("{}.{}", param.name, slot.name), state_idx, slot_idx, range));
            }
            slot_start += param.range.len();
        }
        if let AnyRule::Elementwise(_) = self.group.rule {
            for (slot_idx, slot) in self.states[0].slots.iter().enumerate() {
                if slot.kind == Kind::Shared {
                    layout.push((
                        format!("group{group_idx}.{}", slot.name),
                        0,
                        slot_idx,
                        0..slot.values.len(),
                    ));
                }
            }
        }
        layout
    }

    fn named_slots(&self, group_idx: usize) -> impl Iterator<Item = (String, &[F])> {
        self.layout(group_idx).into_iter().map(|(name, state_idx, slot_idx, range)| {
            (name, &self.states[state_idx].slots[slot_idx].values[range])
        })
    }

    /// Copies in slots that have been checked.
    fn load(&mut self, group_idx: usize, n_steps: u64, offered: &[(&str, &[F])]) {
        for (name, state_idx, slot_idx, range) in self.layout(group_idx) {
            let (_, values) =
                offered.iter().find(|(offered, _)| *offered == name).expect("checked by the caller");
            self.states[state_idx].slots[slot_idx].values[range].copy_from_slice(values);
        }
        for state in &mut self.states {
            state.n_steps = n_steps;
        }
    }

    /// Joins parameters that are adjacent in memory, so that they are updated in one pass.
    fn join_runs(&mut self) {
        self.runs.clear();
        if let AnyRule::WholeTensor(_) = self.group.rule {
            return;
        }
        let mut slot_start = 0;
        for (Param { range, .. }, is_frozen) in self.group.params.iter().zip(&self.is_frozen) {
            let (value_start, len) = (range.start, range.len());
            match self.runs.last_mut() {
                _ if *is_frozen => {}
                Some(last)
                    if last.value_start + last.len == value_start
                        && last.slot_start + last.len == slot_start =>
                {
                    last.len += len;
                }
                _ => self.runs.push(Run { value_start, slot_start, len }),
            }
            slot_start += len;
        }
    }
}
