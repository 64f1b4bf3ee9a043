//! A linear change of the learning rate.

use super::shared::{Schedule, between};
use crate::{Error, Interval};

/// `lr` times a factor that changes linearly from `start_factor` at step 0 to `end_factor` at `total_iters`,
/// then stays constant.
///
/// `torch.optim.lr_scheduler.LinearLR`, whose defaults go from a third to 1 in five steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLr {
    /// The learning rate that the factors multiply.
    pub lr: f64,
    /// The factor at step 0, in [0, 1].
    pub start_factor: f64,
    /// The factor from `total_iters` on, in [0, 1].
    pub end_factor: f64,
    /// The number of steps of the change.
    pub total_iters: u64,
}

impl Schedule for LinearLr {
    fn lr(&self, step: u64) -> f64 {
        if step >= self.total_iters {
            return self.lr * self.end_factor;
        }
        self.lr * between(self.start_factor, self.end_factor, step as f64 / self.total_iters as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("linear", "lr", self.lr)?;
        Interval::UNIT.check("linear", "start_factor", self.start_factor)?;
        Interval::UNIT.check("linear", "end_factor", self.end_factor)
    }
}
