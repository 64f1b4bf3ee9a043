//! RAdam: rectified Adam.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// RAdam: Adam that steps by the mean gradient alone until the variance of its mean square is under control.
///
/// ```text
/// g ← ±∇f(w) + λ·w           or, decoupled,  w ← w − lr·λ·w
/// m ← β₁·m + (1 − β₁)·g,     m̂ = m/(1 − β₁ᵗ)
/// v ← β₂·v + (1 − β₂)·g²,    l = √(1 − β₂ᵗ)/(√v + ε)
/// ρ∞ = 2/(1 − β₂) − 1,       ρₜ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ)
/// r = √((ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ))
/// w ← w − lr·m̂·r·l   if ρₜ > 5,   w − lr·m̂   otherwise
/// ```
///
/// Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265.
/// `torch.optim.RAdam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdam {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the two means (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Weight decay λ, coupled (L2) unless `decoupled_weight_decay` (default: 0).
    pub weight_decay: f64,
    /// Decay the weights themselves instead of adding to their gradient (default: false).
    pub decoupled_weight_decay: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for RAdam {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

hyperparameters! { RAdam "radam" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} options { decoupled_weight_decay; } }

impl<F: Real> Elementwise<F> for RAdam {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("exp_avg", n, 0.0), Slot::each("exp_avg_sq", n, 0.0)]
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let ((beta1, beta2), t) = (self.betas, t as f64);
        let correction2 = 1.0 - beta2.powf(t);
        let rho_inf = 2.0 / (1.0 - beta2) - 1.0;
        let rho = rho_inf - 2.0 * t * beta2.powf(t) / correction2;
        let rectifier =
            ((rho - 4.0) * (rho - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho)).sqrt();
        let is_rectified = rho > 5.0;

        let (direction, decoupled) =
            Direction::with_decay(self.maximize, self.weight_decay, self.decoupled_weight_decay);
        let mean_size = self.lr / (1.0 - beta1.powf(t));
        let [shrink, beta1, new1, beta2, new2, eps, mean_size, rectified_size] = [
            1.0 - self.lr * decoupled,
            beta1,
            1.0 - beta1,
            beta2,
            1.0 - beta2,
            self.eps,
            mean_size,
            mean_size * rectifier * correction2.sqrt(),
        ]
        .map(F::of);
        at.each(move |w, g, [m, v]| {
            let g = direction.at(*w, g);
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            let step = if is_rectified { rectified_size * *m / (v.sqrt() + eps) } else { mean_size * *m };
            *w = shrink * *w - step;
        });
    }
}
