//! Warm-up, stable, decay.

use super::shared::{Schedule, between};
use crate::{Error, Interval};

/// A linear rise to `lr`, a plateau, and a linear decay to `final_lr`, which is then kept ("WSD").
///
/// Zhai et al., "Scaling Vision Transformers", arXiv:2106.04560; Hu et al., "MiniCPM", arXiv:2404.06395.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrapezoidLr {
    /// The learning rate on the plateau.
    pub lr: f64,
    /// Steps of the warm-up: the learning rate at step `s` is `lr·(s + 1)/warmup_steps`.
    pub warmup_steps: u64,
    /// Steps on the plateau.
    pub stable_steps: u64,
    /// Steps of the decay.
    pub decay_steps: u64,
    /// The learning rate at the end.
    pub final_lr: f64,
}

impl Schedule for TrapezoidLr {
    fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.lr * ((step + 1) as f64 / self.warmup_steps as f64);
        }
        let stable_step = step - self.warmup_steps;
        if stable_step < self.stable_steps {
            return self.lr;
        }
        let decay_step = stable_step - self.stable_steps;
        if decay_step >= self.decay_steps {
            return self.final_lr;
        }
        between(self.lr, self.final_lr, decay_step as f64 / self.decay_steps as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("trapezoid", "lr", self.lr)?;
        Interval::NON_NEGATIVE.check("trapezoid", "final_lr", self.final_lr)
    }
}
