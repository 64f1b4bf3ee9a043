//! Adamax.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Adamax: Adam with a decaying maximum of |g| in place of the root mean square.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// m ← β₁·m + (1 − β₁)·g
/// u ← max(β₂·u, |g| + ε)
/// w ← w − lr/(1 − β₁ᵗ)·m/u
/// ```
///
/// Kingma and Ba, arXiv:1412.6980, section 7.1. `torch.optim.Adamax`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adamax {
    /// Learning rate (default: 2e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the mean and the maximum (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, added to |g| (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adamax {
    fn default() -> Self {
        Self { lr: 2e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Adamax "adamax" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} }

impl<F: Real> Elementwise<F> for Adamax {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("exp_avg", n, 0.0), Slot::each("exp_inf", n, 0.0)]
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let (beta1, beta2) = self.betas;
        let [step_size, beta1, new, beta2, eps] =
            [self.lr / (1.0 - beta1.powf(t as f64)), beta1, 1.0 - beta1, beta2, self.eps].map(F::of);
        let direction = Direction::new(self.maximize, self.weight_decay);
        at.each(move |w, g, [m, u]| {
            let g = direction.at(*w, g);
            *m = beta1 * *m + new * g;
            *u = (beta2 * *u).larger(g.abs() + eps);
            *w -= step_size * *m / *u;
        });
    }
}
