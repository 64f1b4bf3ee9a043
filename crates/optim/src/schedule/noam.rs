//! The inverse square root schedule of the Transformer.

use super::shared::{Schedule, divisor};
use crate::{Error, Interval};

/// A linear warm-up to `lr` at step `warmup_steps − 1`, then `lr·√(warmup_steps/(step + 1))`.
///
/// Vaswani et al., "Attention Is All You Need", 2017, section 5.3 ("Noam"): their schedule is
/// d_model^−½·min(n^−½, n·warmup^−3⁄2) for n = step + 1, which [`of_model`](Self::of_model) returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoamLr {
    /// The largest learning rate.
    pub lr: f64,
    /// The number of warm-up steps, at least 1.
    pub warmup_steps: u64,
}

impl NoamLr {
    /// The paper's schedule for a model of this width.
    pub fn of_model(d_model: usize, warmup_steps: u64) -> Self {
        Self { lr: 1.0 / (d_model as f64 * warmup_steps as f64).sqrt(), warmup_steps }
    }
}

impl Schedule for NoamLr {
    fn lr(&self, step: u64) -> f64 {
        let part = (step as f64 + 1.0) / divisor("noam", "warmup_steps", self.warmup_steps) as f64;
        self.lr * part.min(1.0 / part.sqrt())
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("noam", "lr", self.lr)?;
        Interval::AT_LEAST_ONE.check("noam", "warmup_steps", self.warmup_steps as f64)
    }
}
