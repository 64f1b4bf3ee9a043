//! Learning-rate schedules: pure functions of the step.
//!
//! A step is whatever the caller counts, batches or epochs, from 0. The value depends only on the schedule's
//! fields and the step, so a resumed run needs no saved schedule. Pass the value to
//! [`Optimizer::set_lr`](crate::Optimizer::set_lr), or the schedule to
//! [`Optimizer::follow`](crate::Optimizer::follow).
//!
//! The fields are public; [`Schedule::check`] validates them.
//!
//! | here | `torch.optim.lr_scheduler` |
//! |---|---|
//! | [`ConstantLr`], [`LinearLr`], [`StepLr`], [`MultiStepLr`] | the same |
//! | [`ExponentialLr`], [`PolynomialLr`] | the same |
//! | [`CosineAnnealingLr`], [`CosineAnnealingWarmRestarts`] | the same |
//! | [`CyclicLr`], [`OneCycleLr`] | the same, momentum included |
//! | [`LambdaLr`], [`MultiplicativeLr`] | the same |
//! | [`ChainedLr`], [`SequentialLr`] | `ChainedScheduler`, `SequentialLR` |
//! | [`ReduceLrOnPlateau`](crate::ReduceLrOnPlateau), which has state | `ReduceLROnPlateau` |
//! | [`NoamLr`], [`TrapezoidLr`], [`Warmup`] | not there |

mod combine;
mod constant;
mod cosine;
mod cyclic;
mod decay;
mod lambda;
mod linear;
mod named;
mod noam;
mod one_cycle;
mod step;
mod trapezoid;

pub use combine::{ChainedLr, SequentialLr, Warmup};
pub use constant::ConstantLr;
pub use cosine::{CosineAnnealingLr, CosineAnnealingWarmRestarts};
pub use cyclic::{CyclicLr, CyclicMode};
pub use decay::{ExponentialLr, PolynomialLr};
pub use lambda::{LambdaLr, MultiplicativeLr};
pub use linear::LinearLr;
pub use named::{SCHEDULE_NAMES, schedule_named};
pub use noam::NoamLr;
pub use one_cycle::{Anneal, OneCycleLr};
pub use step::{MultiStepLr, StepLr};
pub use trapezoid::TrapezoidLr;

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

/// A line from `start` at 0 to `end` at 1, exact at both ends.
fn between(start: f64, end: f64, part: f64) -> f64 {
    start * (1.0 - part) + end * part
}

/// Half a cosine from `start` at 0 to `end` at 1.
fn half_cosine(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
}
