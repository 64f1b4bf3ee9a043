//! User-defined functions of the step.

use super::shared::Schedule;
use crate::{Error, Interval};

/// `lr·factor(step)`. `torch.optim.lr_scheduler.LambdaLR`.
///
/// ```
/// use optim::schedule::{LambdaLr, Schedule};
/// let schedule = LambdaLr { lr: 0.1, factor: |step| 0.95f64.powf(step as f64) };
/// assert_eq!(schedule.lr(0), 0.1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaLr<T> {
    /// The learning rate that the function multiplies.
    pub lr: f64,
    /// The factor at a step.
    pub factor: T,
}

impl<T: Fn(u64) -> f64 + Send + Sync> Schedule for LambdaLr<T> {
    fn lr(&self, step: u64) -> f64 {
        self.lr * (self.factor)(step)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("lambda", "lr", self.lr)
    }
}

/// `lr·factor(1)·factor(2)·…·factor(step)`, recomputed at each step, in time proportional to `step`.
///
/// `torch.optim.lr_scheduler.MultiplicativeLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiplicativeLr<T> {
    /// The learning rate at step 0.
    pub lr: f64,
    /// The factor from the previous step to this one.
    pub factor: T,
}

impl<T: Fn(u64) -> f64 + Send + Sync> Schedule for MultiplicativeLr<T> {
    fn lr(&self, step: u64) -> f64 {
        (1..=step).fold(self.lr, |lr, step| lr * (self.factor)(step))
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("multiplicative", "lr", self.lr)
    }
}
