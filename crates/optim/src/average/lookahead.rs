//! Look-ahead: k steps forward, one step back.

use super::check_length;
use crate::lanes::Lanes;
use crate::{Error, Interval, Real};

/// Slow weights that follow the fast ones every k steps, and take them back along.
///
/// ```text
/// every k steps:   s ← s + α·(w − s),   w ← s
/// ```
///
/// Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", arXiv:1907.08610. Call
/// [`after_step`](Self::after_step) after each step of any rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookahead<F> {
    alpha: f64,
    k: u64,
    n_steps: u64,
    slow: Vec<F>,
}

impl<F: Real> Lookahead<F> {
    /// Slow weights that start as `values`. The paper's α is 0.5, its k 5.
    ///
    /// # Errors
    /// When `alpha` is outside (0, 1] or `k` is 0.
    pub fn new(values: &[F], alpha: f64, k: u64) -> Result<Self, Error> {
        Interval::POSITIVE_UNIT.check("look-ahead", "alpha", alpha)?;
        Interval::AT_LEAST_ONE.check("look-ahead", "k", k as f64)?;
        Ok(Self { alpha, k, n_steps: 0, slow: values.to_vec() })
    }

    /// Counts a step of the fast weights; at each k-th moves the slow ones and sets the fast ones to them.
    ///
    /// # Panics
    /// When the number of weights is another than at the start.
    #[track_caller]
    pub fn after_step(&mut self, values: &mut [F]) {
        check_length("Lookahead::after_step", values.len(), self.slow.len());
        self.n_steps += 1;
        if !self.n_steps.is_multiple_of(self.k) {
            return;
        }
        let alpha = F::of(self.alpha);
        Lanes { values: &mut self.slow, grads: values, slots: [] }
            .each(move |s, w, []| *s = s.lerp(w, alpha));
        values.copy_from_slice(&self.slow);
    }

    /// The slow weights.
    pub fn slow(&self) -> &[F] {
        &self.slow
    }

    /// The number of steps counted.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// Continues from a saved count and slow weights.
    ///
    /// # Panics
    /// When `slow` has another length.
    #[track_caller]
    pub fn resume(&mut self, n_steps: u64, slow: &[F]) {
        check_length("Lookahead::resume", slow.len(), self.slow.len());
        self.n_steps = n_steps;
        self.slow.copy_from_slice(slow);
    }
}
