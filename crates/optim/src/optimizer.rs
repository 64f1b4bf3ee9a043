//! Rules, groups of parameters and their state, stepped together over flat memory.

use parameters::Parameters;

use crate::active::Active;
use crate::groups::split;
use crate::param::check_params;
use crate::schedule::Schedule;
use crate::state::check_slots;
use crate::{AnyRule, Error, Group, Groups, Interval, Real};

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
    /// their state is kept and used again once they are thawed. A rule counts the steps of each parameter,
    /// so the bias correction of one that is thawed late begins where its means do.
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
        let (values, grads) = params.values_mut_and_grads();
        self.step_groups(values, grads);
    }

    /// [`step`](Self::step) on bare slices, for an optimizer made by [`for_slices`](Self::for_slices).
    ///
    /// # Panics
    /// When the optimizer was made for the parameters of a network, since slices do not say which of them are
    /// frozen; when `values` and `grads` differ in length or are too short for a range, or a rule was given a
    /// momentum without having state for it, see [`set`](Self::set).
    #[track_caller]
    pub fn step_slices(&mut self, values: &mut [F], grads: &[F]) {
        assert!(
            self.groups.iter().all(|active| active.group.entries.is_empty()),
            "Optimizer::step_slices: it was created for the parameters of a network; use Optimizer::step, \
             which skips what is frozen"
        );
        self.step_groups(values, grads);
    }

    #[track_caller]
    fn step_groups(&mut self, values: &mut [F], grads: &[F]) {
        let (n_values, n_grads) = (values.len(), grads.len());
        assert!(n_values == n_grads, "Optimizer::step: values has {n_values} elements, grads {n_grads}");
        let needed = self.n_values;
        assert!(
            n_values >= needed,
            "Optimizer::step: values has {n_values} elements, the ranges need {needed}"
        );
        self.n_steps += 1;
        for active in &mut self.groups {
            active.step(values, grads);
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

    /// Sets the learning rate of every group, whatever the `lr` of its rule; each multiplies it by its
    /// [scale](Groups::lr_scale).
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
    /// All groups get the schedule's rate, times their [scale](Groups::lr_scale). PyTorch's schedulers instead
    /// multiply the rate of each group: that is [`follow_scaled`](Self::follow_scaled).
    ///
    /// # Panics
    /// When the schedule does not pass its [`check`](Schedule::check), or returns a learning rate or a momentum
    /// that a rule does not accept.
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
        self.follow_times(group_idx, 1.0, schedule, step);
    }

    /// [`follow`](Self::follow) with a schedule of factors, whose `lr` is 1: each group has the learning rate
    /// that its rule was made with times the schedule's, as with PyTorch's schedulers.
    ///
    /// ```
    /// # use optim::{Error, Groups, Optimizer, Parameters, Sgd};
    /// # fn f(params: &mut impl Parameters<Value = f32>) -> Result<(), Error> {
    /// use optim::schedule::StepLr;
    /// let body = Sgd { lr: 0.01, ..Sgd::default() };
    /// let head = Sgd { lr: 0.1, ..Sgd::default() };
    /// let mut optimizer = Optimizer::with_groups(Groups::new(body, params).rule("head", head))?;
    /// let schedule = StepLr { lr: 1.0, step_size: 30, gamma: 0.1 };
    /// optimizer.follow_scaled(&schedule, 30); // the body at 0.001, the head at 0.01
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// As `follow`.
    #[track_caller]
    pub fn follow_scaled(&mut self, schedule: &dyn Schedule, step: u64) {
        for group_idx in 0..self.groups.len() {
            self.follow_times(group_idx, self.groups[group_idx].initial_lr, schedule, step);
        }
    }

    /// Sets a group's learning rate to `factor` times the schedule's, and the momentum.
    #[track_caller]
    fn follow_times(&mut self, group_idx: usize, factor: f64, schedule: &dyn Schedule, step: u64) {
        if let Err(error) = schedule.check() {
            panic!("Optimizer::follow: {error}");
        }
        let (lr, allowed) = (factor * schedule.lr(step), Interval::NON_NEGATIVE);
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
    /// `group0.mu_product`, or `0.weight.mu_product`, … where parameters of the group were frozen. The count
    /// of a parameter that was frozen is `0.weight.steps_taken`. Learning rates are not included: a schedule
    /// is a function of the step.
    pub fn state(&self) -> impl Iterator<Item = (String, &[F])> {
        let n_steps = self.n_steps;
        let groups = self.groups.iter().enumerate();
        groups.flat_map(move |(group_idx, active)| active.named_slots(group_idx, n_steps))
    }

    /// Restores a saved [`state`](Self::state) and [`n_steps`](Self::n_steps). A parameter without a saved
    /// count has taken all steps.
    ///
    /// # Errors
    /// When a slot is missing, unknown, given twice or of a different length, or a count is not one; the
    /// optimizer is then unchanged.
    pub fn load_state<'a>(
        &mut self,
        n_steps: u64,
        slots: impl IntoIterator<Item = (&'a str, &'a [F])>,
    ) -> Result<(), Error> {
        let offered: Vec<_> = slots.into_iter().collect();
        let groups = self.groups.iter().enumerate();
        let wanted: Vec<_> =
            groups.flat_map(|(group_idx, active)| active.expected(group_idx, &offered)).collect();
        check_slots(&wanted, &offered)?;
        let counts = self.groups.iter().map(|active| active.read_counts(n_steps, &offered));
        let counts: Vec<_> = counts.collect::<Result<_, _>>()?;
        self.n_steps = n_steps;
        for (group_idx, (active, counts)) in self.groups.iter_mut().zip(counts).enumerate() {
            active.load(group_idx, counts, &offered);
        }
        Ok(())
    }
}
