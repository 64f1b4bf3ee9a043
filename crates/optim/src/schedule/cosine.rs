//! Cosine annealing, with and without warm restarts.

use super::shared::{Schedule, divisor, half_cosine};
use crate::{Error, Interval};

/// Half a cosine from `lr` at step 0 to `eta_min` at `t_max`, and back to `lr` at 2·`t_max`, repeated.
///
/// Loshchilov and Hutter, "SGDR", ICLR 2017, without the restarts.
/// `torch.optim.lr_scheduler.CosineAnnealingLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingLr {
    /// The learning rate at step 0.
    pub lr: f64,
    /// The step of the first minimum, at least 1.
    pub t_max: u64,
    /// The minimum; PyTorch's default is 0.
    pub eta_min: f64,
}

impl Schedule for CosineAnnealingLr {
    fn lr(&self, step: u64) -> f64 {
        let t_max = divisor("cosine", "t_max", self.t_max);
        // Reduced to one period, so that late steps are as exact as early ones.
        let place = step % t_max.saturating_mul(2);
        half_cosine(self.lr, self.eta_min, place as f64 / t_max as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("cosine", "lr", self.lr)?;
        Interval::AT_LEAST_ONE.check("cosine", "t_max", self.t_max as f64)?;
        Interval::NON_NEGATIVE.check("cosine", "eta_min", self.eta_min)
    }
}

/// Half a cosine from `lr` towards `eta_min`, restarted at the end of each period; periods last `t_0`,
/// `t_0·t_mult`, `t_0·t_mult²`, … steps.
///
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
/// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    /// The learning rate at the start of each period.
    pub lr: f64,
    /// The length of the first period, at least 1.
    pub t_0: u64,
    /// The factor between periods, at least 1; PyTorch's default is 1.
    pub t_mult: u64,
    /// The learning rate that a period approaches; PyTorch's default is 0.
    pub eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// The steps since the last restart, and the length of the period.
    fn place(&self, step: u64) -> (u64, u64) {
        let owner = "cosine-restarts";
        let (t_0, t_mult) = (divisor(owner, "t_0", self.t_0), divisor(owner, "t_mult", self.t_mult));
        if t_mult == 1 {
            return (step % t_0, t_0);
        }
        let (mut place, mut period) = (step, t_0);
        while place >= period {
            place -= period;
            period = period.saturating_mul(t_mult);
        }
        (place, period)
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn lr(&self, step: u64) -> f64 {
        let (place, period) = self.place(step);
        half_cosine(self.lr, self.eta_min, place as f64 / period as f64)
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("cosine-restarts", "lr", self.lr)?;
        Interval::AT_LEAST_ONE.check("cosine-restarts", "t_0", self.t_0 as f64)?;
        Interval::AT_LEAST_ONE.check("cosine-restarts", "t_mult", self.t_mult as f64)?;
        Interval::NON_NEGATIVE.check("cosine-restarts", "eta_min", self.eta_min)
    }
}
