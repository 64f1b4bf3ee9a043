//! Look-ahead: slow weights that the fast ones are pulled towards.

use anyhow::{Context, Result};
use autograd::Params;
use optim::average::Lookahead;

/// Slow weights as in airbench94: every `k` steps they move towards the weights, and the weights are set to
/// them.
///
/// They keep decayᵏ·(t/T)³ of themselves at step t of T: at first they follow closely, at the end they hardly
/// move. The last step sets the weights to them. Running statistics are averaged, too.
pub(super) struct Slow {
    weights: Lookahead<f32>,
    k: u64,
    decay: f64,
    n_steps: u64,
}

impl Slow {
    /// Slow weights that start from the network's, for a run of `n_steps` steps.
    ///
    /// # Errors
    /// When `k` is 0.
    pub(super) fn new(params: &Params, k: u64, decay: f64, n_steps: u64) -> Result<Self> {
        let weights = Lookahead::new(params.values(), 1.0, k).context("--lookahead")?.over_everything();
        Ok(Self { weights, k, decay, n_steps })
    }

    /// Called after the step `step`, which counts from 0.
    pub(super) fn after_step(&mut self, params: &mut Params, step: u64) {
        let progress = (step + 1) as f64 / self.n_steps.max(1) as f64;
        let kept = self.decay.powf(self.k as f64) * progress.min(1.0).powi(3);
        self.weights.set_alpha(1.0 - kept).expect("a decay and a share of the run are from 0 to 1");
        self.weights.after_step(params);
        if step + 1 >= self.n_steps {
            self.weights.write_to(params);
        }
    }

    pub(super) fn values(&self) -> &[f32] {
        self.weights.slow()
    }

    pub(super) fn resume(&mut self, n_updates: u64, values: &[f32]) {
        self.weights.resume(n_updates, values);
    }
}
