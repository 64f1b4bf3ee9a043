//! Lookahead: k steps forward, one step back.

use std::ops::Range;

use parameters::Parameters;

use super::shared::{check_length, write};
use crate::elementwise::Lanes;
use crate::{Error, Interval, Real};

/// Slow weights that follow the fast ones every k steps; the fast ones are then set to them.
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
    takes_all: bool,
    slow: Vec<F>,
}

impl<F: Real> Lookahead<F> {
    /// Slow weights initialised to `values`. The paper uses α = 0.5 and k = 5.
    ///
    /// # Errors
    /// When `alpha` is outside (0, 1] or `k` is 0.
    pub fn new(values: &[F], alpha: f64, k: u64) -> Result<Self, Error> {
        Interval::POSITIVE_UNIT.check("look-ahead", "alpha", alpha)?;
        Interval::AT_LEAST_ONE.check("look-ahead", "k", k as f64)?;
        Ok(Self { alpha, k, n_steps: 0, takes_all: false, slow: values.to_vec() })
    }

    /// Also averages running statistics and frozen weights.
    pub fn over_everything(self) -> Self {
        Self { takes_all: true, ..self }
    }

    /// Changes α, for example during training; 0 leaves the slow weights unchanged.
    ///
    /// # Errors
    /// When `alpha` is outside [0, 1].
    pub fn set_alpha(&mut self, alpha: f64) -> Result<(), Error> {
        Interval::UNIT.check("look-ahead", "alpha", alpha)?;
        self.alpha = alpha;
        Ok(())
    }

    /// Sets the fast weights to the slow ones, for use at the end of training.
    ///
    /// # Panics
    /// When the number of weights differs from that at the start.
    #[track_caller]
    pub fn write_to<P: Parameters<Value = F> + ?Sized>(&self, params: &mut P) {
        if self.takes_all {
            check_length("Lookahead::write_to", params.values().len(), self.slow.len());
            params.values_mut().copy_from_slice(&self.slow);
        } else {
            write("Lookahead::write_to", params, &self.slow, |slow, out| out.copy_from_slice(slow));
        }
    }

    /// Counts a step of the fast weights; at each k-th step moves the slow weights and sets the fast ones to
    /// them, for trainable parameters only.
    ///
    /// # Panics
    /// When the number of weights differs from that at the start.
    #[track_caller]
    pub fn after_step<P: Parameters<Value = F> + ?Sized>(&mut self, params: &mut P) {
        if self.count(params.values().len()) {
            for idx in 0..params.n_entries() {
                let entry = params.entry(idx);
                let (is_trainable, range) = (entry.is_trainable, entry.range);
                let values = &mut params.values_mut()[range.clone()];
                if is_trainable || self.takes_all {
                    self.join(range, values);
                } else {
                    // If the parameter is thawed later, it starts from here.
                    self.slow[range].copy_from_slice(values);
                }
            }
        }
    }

    /// [`after_step`](Self::after_step) for a whole bare slice.
    ///
    /// # Panics
    /// When the number of weights differs from that at the start.
    #[track_caller]
    pub fn after_step_slice(&mut self, values: &mut [F]) {
        if self.count(values.len()) {
            self.join(0..values.len(), values);
        }
    }

    /// Counts a step and returns whether it is a k-th one.
    #[track_caller]
    fn count(&mut self, n_values: usize) -> bool {
        check_length("Lookahead::after_step", n_values, self.slow.len());
        self.n_steps += 1;
        self.n_steps.is_multiple_of(self.k)
    }

    fn join(&mut self, range: Range<usize>, values: &mut [F]) {
        let (alpha, slow) = (F::of(self.alpha), &mut self.slow[range]);
        Lanes { values: &mut *slow, grads: values, slots: [] }.each(move |s, w, []| *s = s.lerp(w, alpha));
        values.copy_from_slice(slow);
    }

    /// The slow weights.
    pub fn slow(&self) -> &[F] {
        &self.slow
    }

    /// The number of steps counted.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// Resumes from a saved count and slow weights.
    ///
    /// # Panics
    /// When `slow` has a different length.
    #[track_caller]
    pub fn resume(&mut self, n_steps: u64, slow: &[F]) {
        check_length("Lookahead::resume", slow.len(), self.slow.len());
        self.n_steps = n_steps;
        self.slow.copy_from_slice(slow);
    }
}
