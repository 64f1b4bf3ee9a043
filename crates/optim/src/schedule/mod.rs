//! Learning-rate schedules: pure functions of the step.
//!
//! A step is whatever the caller counts, batches or epochs, from 0. The value at a step depends on the
//! schedule's fields and the step alone, so a resumed run needs no saved schedule. Hand the value to
//! [`Optimizer::set_lr`](crate::Optimizer::set_lr), or the schedule to
//! [`Optimizer::follow`](crate::Optimizer::follow).

mod constant;
mod step;

pub use constant::ConstantLr;
pub use step::StepLr;

use crate::Error;

/// A learning rate, and perhaps a momentum, for each step.
///
/// Every function `Fn(u64) -> f64` is a schedule too.
///
/// ```
/// use optim::schedule::{Schedule, StepLr};
/// let schedule = StepLr { lr: 0.1, step_size: 30, gamma: 0.1 };
/// assert_eq!(schedule.lr(29), 0.1);
/// assert!((schedule.lr(30) - 0.01).abs() < 1e-15);
/// ```
pub trait Schedule: Send + Sync {
    /// The learning rate at a step counted from 0.
    fn lr(&self, step: u64) -> f64;

    /// The momentum at a step; `None` if the schedule leaves it alone.
    fn momentum(&self, _step: u64) -> Option<f64> {
        None
    }

    /// Checks the fields.
    ///
    /// # Errors
    /// Names the first field outside its range, its value and the range.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Fn(u64) -> f64 + Send + Sync> Schedule for T {
    fn lr(&self, step: u64) -> f64 {
        self(step)
    }
}
