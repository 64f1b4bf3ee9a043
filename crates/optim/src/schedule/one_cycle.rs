//! The one-cycle schedule.

use super::shared::{Schedule, between, half_cosine};
use crate::{Error, Interval};

/// Up to `max_lr`, then far down, over `total_steps` steps; momentum goes the other way.
///
/// From `max_lr/div_factor` to `max_lr` at step `pct_start·total_steps − 1`, then to
/// `max_lr/div_factor/final_div_factor` at the last step. With `three_phase`, the way down first mirrors the
/// way up.
///
/// Smith and Topin, "Super-Convergence", arXiv:1708.07120. `torch.optim.lr_scheduler.OneCycleLR` raises an
/// error after the last step; here the last value is kept. In PyTorch a cycle of one step has its last value,
/// which learns nothing; here it has `max_lr`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycleLr {
    /// The largest learning rate.
    pub max_lr: f64,
    /// The number of steps, at least 1.
    pub total_steps: u64,
    /// The fraction of the steps on the way up, in [0, 1] (default: 0.3).
    pub pct_start: f64,
    /// The shape of each phase (default: cosine).
    pub anneal: Anneal,
    /// Momentum (at the largest learning rate, at the others; default: (0.85, 0.95)). `None` leaves it
    /// unchanged.
    pub momentum: Option<(f64, f64)>,
    /// Largest over initial learning rate (default: 25).
    pub div_factor: f64,
    /// Initial over final learning rate (default: 1e4).
    pub final_div_factor: f64,
    /// Three phases instead of two, for `pct_start` up to ½ (default: false).
    pub three_phase: bool,
}

/// The shape of a phase of [`OneCycleLr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cosine,
    /// A line.
    Linear,
}

impl OneCycleLr {
    /// One cycle with PyTorch's defaults.
    pub fn new(max_lr: f64, total_steps: u64) -> Self {
        Self {
            max_lr,
            total_steps,
            pct_start: 0.3,
            anneal: Anneal::Cosine,
            momentum: Some((0.85, 0.95)),
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// The value at a step of a quantity that is first `start`, then `top` where the learning rate is
    /// largest, and finally `end`.
    fn value(&self, step: u64, start: f64, top: f64, end: f64) -> f64 {
        if self.total_steps == 1 {
            return top;
        }
        let last = self.total_steps as f64 - 1.0;
        let up = self.pct_start * self.total_steps as f64 - 1.0;
        let phases = if self.three_phase {
            [(up, start, top), (2.0 * up, top, start), (last, start, end)]
        } else {
            // A phase that ends where it begins is never used.
            [(up, start, top), (up, top, top), (last, top, end)]
        };
        let step = (step as f64).min(last);
        let mut phase_start = 0.0;
        for (idx, (phase_end, from, to)) in phases.into_iter().enumerate() {
            if step <= phase_end || idx == phases.len() - 1 {
                let length = phase_end - phase_start;
                let part = if length == 0.0 { 1.0 } else { (step - phase_start) / length };
                return match self.anneal {
                    Anneal::Cosine => half_cosine(from, to, part),
                    Anneal::Linear => between(from, to, part),
                };
            }
            phase_start = phase_end;
        }
        unreachable!("the last phase takes every step")
    }
}

impl Schedule for OneCycleLr {
    fn lr(&self, step: u64) -> f64 {
        let initial = self.max_lr / self.div_factor;
        self.value(step, initial, self.max_lr, initial / self.final_div_factor)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.momentum.map(|(base, max)| self.value(step, max, base, max))
    }

    fn check(&self) -> Result<(), Error> {
        Interval::NON_NEGATIVE.check("one-cycle", "max_lr", self.max_lr)?;
        Interval::AT_LEAST_ONE.check("one-cycle", "total_steps", self.total_steps as f64)?;
        let most = if self.three_phase { Interval::HALF } else { Interval::UNIT };
        most.check("one-cycle", "pct_start", self.pct_start)?;
        Interval::POSITIVE.check("one-cycle", "div_factor", self.div_factor)?;
        Interval::POSITIVE.check("one-cycle", "final_div_factor", self.final_div_factor)?;
        let (base, max) = self.momentum.unwrap_or((0.0, 0.0));
        Interval::DECAY_RATE.check("one-cycle", "base_momentum", base)?;
        Interval::DECAY_RATE.check("one-cycle", "max_momentum", max)
    }
}
