//! A constant learning rate, optionally a fraction of it at first.

use super::shared::Schedule;
use crate::{Error, Interval};

/// `lr·factor` before step `total_iters`, then `lr`.
///
/// With `total_iters` 0 it is simply `lr`. `torch.optim.lr_scheduler.ConstantLR`, whose defaults are
/// a third for five steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantLr {
    /// The learning rate.
    pub lr: f64,
    /// Its initial factor, in [0, 1].
    pub factor: f64,
    /// The number of steps with the factor.
    pub total_iters: u64,
}

impl ConstantLr {
    /// `lr` at every step.
    pub fn new(lr: f64) -> Self {
        Self { lr, factor: 1.0, total_iters: 0 }
    }
}

impl Schedule for ConstantLr {
    fn lr(&self, step: u64) -> f64 {
        if step < self.total_iters { self.lr * self.factor } else { self.lr }
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("constant", "lr", self.lr)?;
        Interval::UNIT.check("constant", "factor", self.factor)
    }
}
