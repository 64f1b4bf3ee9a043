//! Decay in steps.

use super::shared::{Schedule, divisor};
use crate::{Error, Interval};

/// `lr·gammaᵏ` after `k·step_size` steps.
///
/// The lecture's step decay is `gamma` 0.1. `torch.optim.lr_scheduler.StepLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLr {
    /// The learning rate at step 0.
    pub lr: f64,
    /// Steps between two decays, at least 1.
    pub step_size: u64,
    /// The factor of each decay; PyTorch's default is 0.1.
    pub gamma: f64,
}

impl Schedule for StepLr {
    // ANCHOR: step
    fn lr(&self, step: u64) -> f64 {
        let n_decays = step / divisor("step", "step_size", self.step_size); // not 0
        self.lr * self.gamma.powf(n_decays as f64)
    }
    // ANCHOR_END: step

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("step", "lr", self.lr)?;
        Interval::AT_LEAST_ONE.check("step", "step_size", self.step_size as f64)?;
        Interval::NON_NEGATIVE.check("step", "gamma", self.gamma)
    }
}

/// `lr·gammaᵏ` after `k` of the milestones; a repeated milestone counts again.
///
/// `torch.optim.lr_scheduler.MultiStepLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepLr {
    /// The learning rate at step 0.
    pub lr: f64,
    /// The steps at which it decays, in any order.
    pub milestones: Vec<u64>,
    /// The factor of each decay; PyTorch's default is 0.1.
    pub gamma: f64,
}

impl Schedule for MultiStepLr {
    fn lr(&self, step: u64) -> f64 {
        let n_passed = self.milestones.iter().filter(|&&milestone| milestone <= step).count();
        self.lr * self.gamma.powf(n_passed as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("multi-step", "lr", self.lr)?;
        Interval::NON_NEGATIVE.check("multi-step", "gamma", self.gamma)
    }
}
