//! What a schedule is, and what several share.

use crate::{Error, Interval};

/// A learning rate, and optionally a momentum, for each step.
///
/// ```
/// use optim::schedule::{Schedule, StepLr};
/// let schedule = StepLr { lr: 0.1, step_size: 30, gamma: 0.1 };
/// assert_eq!(schedule.lr(29), 0.1);
/// assert!((schedule.lr(30) - 0.01).abs() < 1e-15);
/// ```
pub trait Schedule: Send + Sync {
    /// The learning rate at a step counted from 0.
    ///
    /// # Panics
    /// The schedules of this module panic with the message of [`check`](Self::check) when the learning rate is
    /// undefined: a period has no steps, or a sequence lacks a schedule.
    fn lr(&self, step: u64) -> f64;

    /// The momentum at a step; `None` if the schedule leaves it unchanged.
    fn momentum(&self, _step: u64) -> Option<f64> {
        None
    }

    /// Checks the fields.
    ///
    /// # Errors
    /// Names the first field outside its range, its value and the range, or says what must hold between
    /// fields.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn lr(&self, step: u64) -> f64 {
        (**self).lr(step)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        (**self).momentum(step)
    }

    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }
}

/// A number of steps to divide by.
///
/// # Panics
/// When it is 0, with the message of [`Schedule::check`].
pub(super) fn divisor(owner: &'static str, field: &'static str, n: u64) -> u64 {
    if let Err(error) = Interval::AT_LEAST_ONE.check(owner, field, n as f64) {
        panic!("{error}");
    }
    n
}

/// A line from `start` at 0 to `end` at 1, exact at both ends.
pub(super) fn between(start: f64, end: f64, part: f64) -> f64 {
    start * (1.0 - part) + end * part
}

/// Half a cosine from `start` at 0 to `end` at 1.
pub(super) fn half_cosine(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
}
