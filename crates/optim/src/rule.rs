//! The kinds of update rule: element-wise, whole-tensor, and minimisers of a closure.

use std::fmt;

use crate::elementwise::Lanes;
use crate::error::n_elements;
use crate::state::Kind;
use crate::{Error, Real, Slot, State};

/// Common to all rules: a plain struct of hyperparameters.
///
/// Numeric hyperparameters can be read and set by name, so a command line, a schedule or a search need not
/// know the type.
pub trait Rule: Send + Sync {
    /// The name of the rule: `sgd`, `adam`, …
    fn name(&self) -> &'static str;

    /// The numeric hyperparameters, `lr` first.
    fn hyperparameters(&self) -> Vec<(&'static str, f64)>;

    /// A mutable reference to a numeric hyperparameter; `None` if the rule does not have it.
    fn hyperparameter_mut(&mut self, name: &str) -> Option<&mut f64>;

    /// The other options (switches, counts, choices), by name and as text.
    fn options(&self) -> Vec<(&'static str, String)> {
        vec![]
    }

    /// Sets one of the [`options`](Self::options) from text; `Ok(false)` if the rule does not have it.
    ///
    /// # Errors
    /// Describes the expected text if `text` is invalid.
    fn set_option(&mut self, name: &str, text: &str) -> Result<bool, &'static str> {
        let _ = (name, text);
        Ok(false)
    }

    /// Checks every hyperparameter.
    ///
    /// # Errors
    /// Names the first field outside its range, its value and the range, or says what must hold between
    /// fields.
    fn check(&self) -> Result<(), Error>;
}

/// A rule that updates each coordinate independently: SGD, Adam and most others.
///
/// ```
/// use optim::{Adam, Elementwise};
///
/// let (mut values, grads) = ([1.0f32, 2.0], [0.5, -0.5]);
/// let adam = Adam { lr: 0.1, ..Adam::default() };
/// let mut state = adam.state(values.len())?;
/// adam.update(&mut values, &grads, &mut state);
/// assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] - 2.1).abs() < 1e-6);
/// # Ok::<(), optim::Error>(())
/// ```
pub trait Elementwise<F: Real>: Rule {
    /// The initial slots for `n` coordinates.
    fn slots(&self, n: usize) -> Vec<Slot<F>>;

    /// Applies step number `t`, counted from 1, to these coordinates. All of them have taken the `t` − 1 steps
    /// before it.
    fn apply(&self, t: u64, at: Coordinates<'_, F>);

    /// A new state for `n` values.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range.
    fn state(&self, n: usize) -> Result<State<F>, Error> {
        self.check()?;
        Ok(State::new(n, self.slots(n)))
    }

    /// Takes one step on bare slices, updating `values` and `state`.
    ///
    /// # Panics
    /// When the lengths of `values`, `grads` and `state` differ.
    #[track_caller]
    fn update(&self, values: &mut [F], grads: &[F], state: &mut State<F>) {
        check_lengths(self.name(), values, grads, state);
        state.n_steps += 1;
        let run = Run { value_start: 0, slot_start: 0, len: values.len() };
        let slots = &mut state.slots;
        self.apply(state.n_steps, Coordinates { values, grads, slots, runs: &[run], cohort: (0, 1) });
    }
}

/// A rule that uses a tensor as a whole, such as its norm or matrix: LARS, LAMB, Adafactor, Muon.
pub trait WholeTensor<F: Real>: Rule {
    /// Checks that the rule accepts tensors of this shape. By default it accepts all.
    ///
    /// # Errors
    /// Describes the shapes it accepts.
    fn takes(&self, _shape: &[usize]) -> Result<(), &'static str> {
        Ok(())
    }

    /// The initial slots for a tensor of this shape.
    fn slots(&self, shape: &[usize]) -> Vec<Slot<F>>;

    /// Applies this tensor's step number `t`, counted from 1; `slots` are those of [`slots`](Self::slots), in
    /// the same order.
    fn apply(&self, t: u64, shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]);

    /// A new state for a tensor of this shape.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range, or the rule does not accept the shape.
    fn state(&self, shape: &[usize]) -> Result<State<F>, Error> {
        self.check()?;
        self.takes(shape).map_err(|expected| Error::RuleShape {
            owner: self.name(),
            name: "values".into(),
            shape: shape.into(),
            expected,
        })?;
        Ok(State::new(shape.iter().product(), self.slots(shape)))
    }

    /// Takes one step on a tensor given as a bare slice in row-major order.
    ///
    /// # Panics
    /// When the lengths of `values`, `grads` and `state` differ from each other or from the shape.
    #[track_caller]
    fn update(&self, shape: &[usize], values: &mut [F], grads: &[F], state: &mut State<F>) {
        check_lengths(self.name(), values, grads, state);
        let n = n_elements(shape);
        assert!(
            n == values.len(),
            "{}: shape {shape:?} has {n} elements, values {}",
            self.name(),
            values.len()
        );
        state.n_steps += 1;
        self.apply(state.n_steps, shape, values, grads, &mut state.slots);
    }
}

/// A rule that calls the function it minimises: L-BFGS.
pub trait Minimizer<F: Real>: Rule {
    /// A new state for `n` values.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range.
    fn state(&self, n: usize) -> Result<State<F>, Error>;

    /// Moves `values` towards a minimum. `objective(values, grads)` returns the function's value and
    /// overwrites `grads` with its gradient.
    ///
    /// # Panics
    /// When the lengths of `values` and `state` differ.
    fn minimize(
        &self,
        values: &mut [F],
        state: &mut State<F>,
        objective: impl FnMut(&[F], &mut [F]) -> F,
    ) -> Outcome;
}

/// The outcome of [`Minimizer::minimize`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The function's value at the start.
    pub initial_loss: f64,
    /// The function's value at the last point that was kept and evaluated.
    pub loss: f64,
    /// The number of iterations.
    pub n_iters: usize,
    /// The number of calls of the objective.
    pub n_evals: usize,
    /// Why it stopped.
    pub stop: Stop,
}

/// Why a minimisation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No component of the gradient exceeds `tolerance_grad`.
    Optimal,
    /// No coordinate moved by more than `tolerance_change`, the loss changed by less, or the direction hardly
    /// descends any more: its slope is above −`tolerance_change`.
    NoProgress,
    /// `max_iter` iterations were done.
    MaxIter,
    /// The objective was called `max_eval` times, or once more. If the last line search found no better point
    /// by then, it left the values unchanged.
    MaxEval,
}

#[track_caller]
pub(crate) fn check_lengths<F: Real>(name: &str, values: &[F], grads: &[F], state: &State<F>) {
    let lengths = (values.len(), grads.len(), state.n_values());
    assert!(
        lengths.0 == lengths.1 && lengths.1 == lengths.2,
        "{name}: values has {} elements, grads {}, state {}",
        lengths.0,
        lengths.1,
        lengths.2
    );
}

/// A run of coordinates that are contiguous in the values and in the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) value_start: usize,
    pub(crate) slot_start: usize,
    pub(crate) len: usize,
}

/// The coordinates that one step of an [`Elementwise`] rule updates, with gradients and state.
pub struct Coordinates<'a, F> {
    pub(crate) values: &'a mut [F],
    pub(crate) grads: &'a [F],
    pub(crate) slots: &'a mut [Slot<F>],
    pub(crate) runs: &'a [Run],
    /// Which part of the shared slots belongs to these coordinates, and of how many.
    pub(crate) cohort: (usize, usize),
}

impl<F: Real> Coordinates<'_, F> {
    /// Calls `formula(value, gradient, [slot, …])` for each coordinate, in one pass, in parallel if there are
    /// many. The slots are the first `N` made by [`Slot::each`], in order.
    ///
    /// # Panics
    /// When the rule has fewer than `N` such slots.
    pub fn each<const N: usize>(self, formula: impl Fn(&mut F, F, [&mut F; N]) + Copy + Send + Sync) {
        let n_slots = self.slots.iter().filter(|slot| slot.kind == Kind::Each).count();
        assert!(
            n_slots >= N,
            "the rule needs {N} slots and was set up with {n_slots}: was an option changed?"
        );
        let mut each = self.slots.iter_mut().filter(|slot| slot.kind == Kind::Each);
        let mut slots: [&mut [F]; N] =
            std::array::from_fn(|_| each.next().expect("counted above").values.as_mut_slice());
        for run in self.runs {
            let value_range = run.value_start..run.value_start + run.len;
            let slot_range = run.slot_start..run.slot_start + run.len;
            let lanes = Lanes {
                values: &mut self.values[value_range.clone()],
                grads: &self.grads[value_range],
                slots: slots.each_mut().map(|slot| &mut slot[slot_range.clone()]),
            };
            lanes.each(formula);
        }
    }

    /// A slot made by [`Slot::shared`].
    ///
    /// # Panics
    /// When the rule has no such slot.
    pub fn shared(&mut self, name: &str) -> &mut [F] {
        let slot = self.slots.iter_mut().find(|slot| slot.kind == Kind::Shared && slot.name == name);
        let slot = slot.unwrap_or_else(|| panic!("the rule has no shared slot `{name}`"));
        let (idx, n) = self.cohort;
        let part = slot.part(idx, n);
        &mut slot.values[part]
    }
}

/// A rule of either kind, as an [`Optimizer`](crate::Optimizer) holds it.
///
/// Every such rule of this crate converts into it; for your own rule, write
/// `AnyRule::Elementwise(Box::new(mine))`.
pub enum AnyRule<F> {
    /// Updates each coordinate independently.
    Elementwise(Box<dyn Elementwise<F>>),
    /// Uses a tensor as a whole.
    WholeTensor(Box<dyn WholeTensor<F>>),
}

impl<F: Real> AnyRule<F> {
    /// The name and hyperparameters.
    pub fn rule(&self) -> &dyn Rule {
        match self {
            Self::Elementwise(rule) => rule.as_ref(),
            Self::WholeTensor(rule) => rule.as_ref(),
        }
    }

    /// Sets a numeric hyperparameter by name.
    ///
    /// # Errors
    /// When the rule has no such hyperparameter, or the value is outside its range; it is then unchanged.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), Error> {
        let rule = self.rule_mut();
        let Some(field) = rule.hyperparameter_mut(name) else { return Err(unknown(rule, name, vec![])) };
        let before = std::mem::replace(field, value);
        rule.check().inspect_err(|_| {
            *rule.hyperparameter_mut(name).expect("it was there before") = before;
        })
    }

    /// Sets a hyperparameter, or one of the rule's [`options`](Rule::options), from text: `0.9`, `true`,
    /// `match_rms_adamw`.
    ///
    /// ```
    /// let mut rule = optim::rule_named::<f32>("sgd")?;
    /// rule.set_text("momentum", "0.85")?;
    /// rule.set_text("nesterov", "true")?;
    /// # Ok::<(), optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rule has nothing of this name, or the text is invalid for it; it is then unchanged.
    pub fn set_text(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let refused =
            |owner, expected| Error::Option { owner, field: name.into(), text: text.into(), expected };
        let rule = self.rule_mut();
        if rule.hyperparameter_mut(name).is_some() {
            let value = text.parse().map_err(|_| refused(rule.name(), "a number"))?;
            return self.set(name, value);
        }
        let before = rule.options().into_iter().find(|(known, _)| *known == name).map(|(_, text)| text);
        match rule.set_option(name, text) {
            Ok(true) => {}
            Ok(false) => return Err(unknown(rule, name, rule.options())),
            Err(expected) => return Err(refused(rule.name(), expected)),
        }
        rule.check().inspect_err(|_| {
            let before = before.expect("what can be set is listed");
            rule.set_option(name, &before).expect("what is written can be read");
        })
    }

    fn rule_mut(&mut self) -> &mut dyn Rule {
        match self {
            Self::Elementwise(rule) => rule.as_mut(),
            Self::WholeTensor(rule) => rule.as_mut(),
        }
    }
}

/// The error for a rule that has no hyperparameter or option of this name.
fn unknown(rule: &dyn Rule, name: &str, options: Vec<(&'static str, String)>) -> Error {
    let numbers = rule.hyperparameters().into_iter().map(|(name, _)| name);
    let known: Vec<_> = numbers.chain(options.into_iter().map(|(name, _)| name)).collect();
    Error::NoHyperparameter { owner: rule.name(), field: name.into(), known: known.join(", ") }
}

impl<F: Real> fmt::Debug for AnyRule<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(self.rule().name());
        for (name, value) in self.rule().hyperparameters() {
            debug.field(name, &value);
        }
        for (name, text) in self.rule().options() {
            debug.field(name, &format_args!("{text}"));
        }
        debug.finish_non_exhaustive()
    }
}
