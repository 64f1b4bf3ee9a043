//! AdamW: Adam with decoupled weight decay.

use super::adam::Adam;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// AdamW: [`Adam`] that decays the weights themselves instead of adding λ·w to the gradient, so the decay is
/// not scaled by the gradient.
///
/// ```text
/// w ← w − lr·λ·w, then Adam's step with g = ±∇f(w)
/// ```
///
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv:1711.05101. `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the two means (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Decoupled weight decay λ (default: 1e-2).
    pub weight_decay: f64,
    /// Divide by the largest mean square so far (default: false).
    pub amsgrad: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 1e-2, amsgrad: false, maximize: false }
    }
}

impl From<AdamW> for Adam {
    fn from(adamw: AdamW) -> Self {
        let AdamW { lr, betas, eps, weight_decay, amsgrad, maximize } = adamw;
        let decoupled_weight_decay = true;
        Adam { lr, betas, eps, weight_decay, decoupled_weight_decay, amsgrad, maximize, ..Adam::default() }
    }
}

hyperparameters! { AdamW "adamw" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} options { amsgrad; } }

impl<F: Real> Elementwise<F> for AdamW {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        Adam::from(*self).slots(n)
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        Adam::from(*self).apply(t, at);
    }
}
