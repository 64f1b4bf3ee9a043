//! Smooth decay: exponential and polynomial.

use super::shared::Schedule;
use crate::{Error, Interval};

/// `lr·gammaˢᵗᵉᵖ`. `torch.optim.lr_scheduler.ExponentialLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialLr {
    /// The learning rate at step 0.
    pub lr: f64,
    /// The factor of each step.
    pub gamma: f64,
}

impl Schedule for ExponentialLr {
    fn lr(&self, step: u64) -> f64 {
        self.lr * self.gamma.powf(step as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("exponential", "lr", self.lr)?;
        Interval::NON_NEGATIVE.check("exponential", "gamma", self.gamma)
    }
}

/// `lr·(1 − step/total_iters)^power`, and 0 from `total_iters` on.
///
/// `torch.optim.lr_scheduler.PolynomialLR`, whose defaults are five steps and power 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialLr {
    /// The learning rate at step 0.
    pub lr: f64,
    /// The step at which it reaches 0.
    pub total_iters: u64,
    /// The power; 1 is linear.
    pub power: f64,
}

impl Schedule for PolynomialLr {
    fn lr(&self, step: u64) -> f64 {
        if step >= self.total_iters {
            return 0.0;
        }
        self.lr * (1.0 - step as f64 / self.total_iters as f64).powf(self.power)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("polynomial", "lr", self.lr)?;
        Interval::POSITIVE.check("polynomial", "power", self.power)
    }
}
