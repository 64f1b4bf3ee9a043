//! The cyclic schedule.

use super::shared::{Schedule, divisor};
use crate::{Error, Interval};

/// Up from `base_lr` to `max_lr` and down again, repeatedly; momentum goes the other way.
///
/// Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186.
/// `torch.optim.lr_scheduler.CyclicLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CyclicLr {
    /// The learning rate at the bottom of each cycle.
    pub base_lr: f64,
    /// The learning rate at the top of the first cycle, before the factor of `ExpRange`.
    pub max_lr: f64,
    /// Steps up, at least 1; PyTorch's default is 2,000.
    pub step_size_up: u64,
    /// Steps down, at least 1; by default in PyTorch the same as up.
    pub step_size_down: u64,
    /// How the height of the cycles changes.
    pub mode: CyclicMode,
    /// Momentum (at the top, at the bottom); PyTorch's default is (0.8, 0.9). `None` leaves it unchanged.
    pub momentum: Option<(f64, f64)>,
}

/// How the height of the cycles of [`CyclicLr`] changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CyclicMode {
    /// All cycles are alike.
    Triangular,
    /// Each cycle is half as high as the previous one.
    Triangular2,
    /// The height is multiplied by this at each step.
    ExpRange(f64),
}

impl CyclicLr {
    /// The height at a step as a fraction of max − base: 0 at the bottom, 1 at the top of the first cycle.
    fn height(&self, step: u64) -> f64 {
        let up = divisor("cyclic", "step_size_up", self.step_size_up);
        let down = divisor("cyclic", "step_size_down", self.step_size_down);
        let period = up.saturating_add(down);
        let (cycle, place) = (step / period, step % period);
        let height =
            if place <= up { place as f64 / up as f64 } else { (period - place) as f64 / down as f64 };
        height
            * match self.mode {
                CyclicMode::Triangular => 1.0,
                CyclicMode::Triangular2 => 0.5f64.powf(cycle as f64),
                CyclicMode::ExpRange(gamma) => gamma.powf(step as f64),
            }
    }
}

impl Schedule for CyclicLr {
    fn lr(&self, step: u64) -> f64 {
        self.base_lr + (self.max_lr - self.base_lr) * self.height(step)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.momentum.map(|(base, max)| max - (max - base) * self.height(step))
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("cyclic", "base_lr", self.base_lr)?;
        Interval::NON_NEGATIVE.check("cyclic", "max_lr", self.max_lr)?;
        Interval::AT_LEAST_ONE.check("cyclic", "step_size_up", self.step_size_up as f64)?;
        Interval::AT_LEAST_ONE.check("cyclic", "step_size_down", self.step_size_down as f64)?;
        if let CyclicMode::ExpRange(gamma) = self.mode {
            Interval::NON_NEGATIVE.check("cyclic", "gamma", gamma)?;
        }
        let (base, max) = self.momentum.unwrap_or((0.0, 0.0));
        Interval::DECAY_RATE.check("cyclic", "base_momentum", base)?;
        Interval::DECAY_RATE.check("cyclic", "max_momentum", max)
    }
}
