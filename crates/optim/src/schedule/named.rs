//! Schedules by name, for command lines.

use std::cell::{Cell, RefCell};

use super::*;
use crate::{Error, Interval};

/// The numbers of steps that may be given.
const STEPS: Interval = Interval::NON_NEGATIVE_OR_INFINITE;

/// Options with their numbers.
type InEffect = Vec<(&'static str, Vec<f64>)>;

/// The options given for a schedule, by name: a number, or several for `milestones`.
struct Given<'a> {
    options: &'a [(&'a str, &'a [f64])],
    /// The names the schedule has asked for, which are all it accepts, and whether it takes one number.
    known: RefCell<Vec<(&'static str, bool)>>,
    /// The numbers it uses, given or by default.
    in_effect: RefCell<InEffect>,
    /// The first number of steps that is negative or NaN.
    wrong: Cell<Option<(&'static str, f64)>>,
}

impl Given<'_> {
    fn list(&self, name: &'static str) -> Option<&[f64]> {
        self.values(name, false)
    }

    fn get(&self, name: &'static str) -> Option<f64> {
        self.values(name, true)?.first().copied()
    }

    fn values(&self, name: &'static str, takes_one: bool) -> Option<&[f64]> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&(name, takes_one)) {
            known.push((name, takes_one));
        }
        self.options.iter().rev().find(|(given, _)| *given == name).map(|(_, values)| *values)
    }

    fn number(&self, name: &'static str, default: f64) -> f64 {
        let x = self.get(name).unwrap_or(default);
        self.uses(name, vec![x]);
        x
    }

    /// A number of steps.
    fn steps(&self, name: &'static str, default: u64) -> u64 {
        self.steps_within(name, default, u64::MAX)
    }

    /// A number of steps, or the largest possible one if it is larger.
    fn steps_within(&self, name: &'static str, default: u64, most: u64) -> u64 {
        let n = self.get(name).map_or(default, |n| self.count(name, n)).min(most);
        self.uses(name, vec![n as f64]);
        n
    }

    /// Records the numbers of an option that the schedule uses.
    fn uses(&self, name: &'static str, values: Vec<f64>) {
        self.in_effect.borrow_mut().push((name, values));
    }

    /// A number of steps, rounded down. One that is negative or NaN fails the [`check`](Self::check).
    fn count(&self, name: &'static str, n: f64) -> u64 {
        if self.wrong.get().is_none() && !STEPS.contains(n) {
            self.wrong.set(Some((name, n)));
        }
        n as u64
    }

    /// Checks that every given option is one the schedule accepts, with as many numbers as it takes, and that
    /// no number of steps is negative.
    fn check(&self, owner: &'static str) -> Result<(), Error> {
        if let Some((field, n)) = self.wrong.get() {
            STEPS.check(owner, field, n)?;
        }
        let known = self.known.borrow();
        for &(field, values) in self.options {
            match known.iter().find(|(name, _)| *name == field) {
                Some((_, true)) if values.len() != 1 => {
                    let text = values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
                    let text = if text.is_empty() { "nothing".into() } else { text };
                    return Err(Error::Option { owner, field: field.into(), text, expected: "one number" });
                }
                Some(_) => {}
                None => {
                    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                    let known = if names.is_empty() { "none".into() } else { names.join(", ") };
                    return Err(Error::NoHyperparameter { owner, field: field.into(), known });
                }
            }
        }
        Ok(())
    }
}

macro_rules! named_schedules {
    (|$lr:ident, $n:ident, $given:ident| $($name:literal, $over_the_run:literal => $schedule:expr;)+) => {
        /// The names that [`schedule_named`] knows.
        pub const SCHEDULE_NAMES: &[&str] = &[$($name),+];

        /// A schedule for a run of `total_steps` steps with the (largest) learning rate `lr`. `options` set
        /// fields of the schedule by name, such as `("gamma", &[0.5])`. A run of one step uses `lr`, whatever
        /// the schedule.
        ///
        /// | name | over the run, without options |
        /// |---|---|
        $(#[doc = concat!("| `", $name, "` | ", $over_the_run, " |")])+
        ///
        /// ```
        /// use optim::schedule::schedule_named;
        /// let schedule = schedule_named("step", 0.1, 300, &[("step_size", &[30.0]), ("gamma", &[0.5])])?;
        /// assert_eq!(schedule.lr(60), 0.025);
        /// # Ok::<(), optim::Error>(())
        /// ```
        ///
        /// # Errors
        /// When there is no such schedule (the message lists the names), it has no such option (likewise), or
        /// `lr` or an option is outside its range.
        pub fn schedule_named(
            name: &str,
            lr: f64,
            total_steps: u64,
            options: &[(&str, &[f64])],
        ) -> Result<Box<dyn Schedule>, Error> {
            named(name, lr, total_steps, options).map(|(schedule, _)| schedule)
        }

        /// The options in effect in [`schedule_named`] with the same arguments: all that the schedule uses, as given
        /// or by default. With them as `options` the schedule is the same, except that `step` without `step_size` and
        /// `cosine-restarts` without `t_0` have `milestones` instead: the steps at which the learning rate jumps. A
        /// run of one step uses none.
        ///
        /// ```
        /// use optim::schedule::options_in_effect;
        /// let options = options_in_effect("noam", 0.1, 300, &[])?;
        /// assert_eq!(options, [("warmup_steps", vec![30.0])]);
        /// # Ok::<(), optim::Error>(())
        /// ```
        ///
        /// # Errors
        /// As [`schedule_named`].
        pub fn options_in_effect(
            name: &str,
            lr: f64,
            total_steps: u64,
            options: &[(&str, &[f64])],
        ) -> Result<Vec<(&'static str, Vec<f64>)>, Error> {
            named(name, lr, total_steps, options).map(|(_, in_effect)| in_effect)
        }

        fn named(
            name: &str,
            lr: f64,
            total_steps: u64,
            options: &[(&str, &[f64])],
        ) -> Result<(Box<dyn Schedule>, InEffect), Error> {
            let ($lr, $n) = (lr, total_steps.max(1));
            let $given = &Given {
                options,
                known: RefCell::default(),
                in_effect: RefCell::default(),
                wrong: Cell::new(None),
            };
            let (owner, schedule): (_, Box<dyn Schedule>) = match name {
                $($name => ($name, Box::new($schedule)),)+
                _ => {
                    let (name, known) = (name.into(), SCHEDULE_NAMES.join(", "));
                    return Err(Error::UnknownName { kind: "schedule", name, known });
                }
            };
            Interval::NON_NEGATIVE.check(owner, "lr", lr)?;
            $given.check(owner)?;
            schedule.check()?;
            if $n == 1 {
                return Ok((Box::new(ConstantLr::new(lr)), InEffect::new()));
            }
            Ok((schedule, $given.in_effect.take()))
        }
    };
}

named_schedules! { |lr, n, given|
    "constant", "`lr`" => ConstantLr::new(lr);
    "linear", "linearly to 0" => LinearLr {
        lr,
        start_factor: given.number("start_factor", 1.0),
        end_factor: given.number("end_factor", 0.0),
        total_iters: n,
    };
    "step", "×0.1 after each third of the run" => steps(lr, n, given);
    "multi-step", "×0.1 at one half and at three quarters of the run" => milestones(lr, n, given);
    "exponential", "exponentially to 1 % of `lr`" =>
        ExponentialLr { lr, gamma: given.number("gamma", 0.01f64.powf(1.0 / n as f64)) };
    "polynomial", "to 0 as a polynomial with power 2" =>
        PolynomialLr { lr, total_iters: n, power: given.number("power", 2.0) };
    "cosine", "along half a cosine to 0" =>
        CosineAnnealingLr { lr, t_max: given.steps("t_max", n), eta_min: given.number("eta_min", 0.0) };
    "cosine-restarts", "along half a cosine to 0 in each of three periods: 1/7, 2/7 and 4/7 of the run; a \
        single period in a run of fewer than 14 steps" => restarts(lr, n, given)?;
    "cyclic", "up and down between `lr/10` and `lr`, an eighth of the run (at least one step) each way, each \
        cycle half as high as the one before" => CyclicLr {
            base_lr: given.number("base_lr", lr / 10.0),
            max_lr: lr,
            step_size_up: given.steps("step_size_up", (n / 8).max(1)),
            step_size_down: given.steps("step_size_down", (n / 8).max(1)),
            mode: CyclicMode::Triangular2,
            momentum: None,
        };
    "one-cycle", "PyTorch's defaults, but the momentum stays constant" => OneCycleLr {
        momentum: None,
        pct_start: given.number("pct_start", 0.3),
        div_factor: given.number("div_factor", 25.0),
        final_div_factor: given.number("final_div_factor", 1e4),
        ..OneCycleLr::new(lr, n)
    };
    "noam", "up for a tenth of the run, then down with the inverse square root of the step" =>
        NoamLr { lr, warmup_steps: given.steps("warmup_steps", (n / 10).max(1)) };
    "trapezoid", "up for a twentieth of the run, down for its last fifth, constant between" =>
        trapezoid(lr, n, given);
}

fn steps(lr: f64, n: u64, given: &Given<'_>) -> Box<dyn Schedule> {
    let gamma = given.number("gamma", 0.1);
    if given.get("step_size").is_some() {
        return Box::new(StepLr { lr, step_size: given.steps("step_size", 1), gamma });
    }
    let schedule = steps_down(lr, n.div_ceil(3), 2 * n.div_ceil(3), n, gamma);
    given.uses("milestones", as_numbers(&schedule.milestones));
    Box::new(schedule)
}

fn milestones(lr: f64, n: u64, given: &Given<'_>) -> MultiStepLr {
    let gamma = given.number("gamma", 0.1);
    let schedule = match given.list("milestones") {
        Some(steps) => {
            let milestones = steps.iter().map(|&step| given.count("milestones", step)).collect();
            MultiStepLr { lr, milestones, gamma }
        }
        None => steps_down(lr, n / 2, n * 3 / 4, n, gamma),
    };
    given.uses("milestones", as_numbers(&schedule.milestones));
    schedule
}

fn as_numbers(steps: &[u64]) -> Vec<f64> {
    steps.iter().map(|&step| step as f64).collect()
}

/// Decay at two steps; in a short run they are moved to differ and, if possible, to lie within it.
fn steps_down(lr: f64, first: u64, second: u64, n: u64, gamma: f64) -> MultiStepLr {
    let first = first.max(1);
    MultiStepLr { lr, milestones: vec![first, second.min(n - 1).max(first + 1)], gamma }
}

fn trapezoid(lr: f64, n: u64, given: &Given<'_>) -> TrapezoidLr {
    let warmup_steps = given.steps_within("warmup_steps", n / 20, n);
    let decay_steps = given.steps_within("decay_steps", n / 5, n - warmup_steps);
    let stable_steps = n - warmup_steps - decay_steps;
    TrapezoidLr { lr, warmup_steps, stable_steps, decay_steps, final_lr: given.number("final_lr", 0.0) }
}

/// Periods of a given length, or three that fill the run without cutting the last one short.
fn restarts(lr: f64, n: u64, given: &Given<'_>) -> Result<Box<dyn Schedule>, Error> {
    let (t_0, t_mult) = (given.get("t_0"), given.get("t_mult"));
    let eta_min = given.number("eta_min", 0.0);
    if let Some(t_mult) = t_mult.filter(|t_mult| t_mult.fract() != 0.0) {
        let (field, text) = ("t_mult".into(), t_mult.to_string());
        return Err(Error::Option { owner: "cosine-restarts", field, text, expected: "a whole number" });
    }
    if t_0.is_some() {
        let (t_0, t_mult) = (given.steps("t_0", 1), given.steps("t_mult", 1));
        return Ok(Box::new(CosineAnnealingWarmRestarts { lr, t_0, t_mult, eta_min }));
    }
    if t_mult.is_some() {
        return Err(Error::Combination { owner: "cosine-restarts", rule: "`t_mult` needs `t_0`" });
    }
    let milestones = if n < 14 { vec![] } else { vec![n / 7, n * 3 / 7] };
    given.uses("milestones", as_numbers(&milestones));
    let starts = [0].into_iter().chain(milestones.iter().copied());
    let ends = milestones.iter().copied().chain([n]);
    let period = |(start, end)| -> Box<dyn Schedule> {
        Box::new(CosineAnnealingLr { lr, t_max: end - start, eta_min })
    };
    Ok(Box::new(SequentialLr { schedules: starts.zip(ends).map(period).collect(), milestones }))
}
