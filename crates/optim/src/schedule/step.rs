//! Decay in steps.

use super::Schedule;
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
    fn lr(&self, step: u64) -> f64 {
        self.lr * self.gamma.powf((step / self.step_size) as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("step", "lr", self.lr)?;
        Interval::AT_LEAST_ONE.check("step", "step_size", self.step_size as f64)?;
        Interval::NON_NEGATIVE.check("step", "gamma", self.gamma)
    }
}
