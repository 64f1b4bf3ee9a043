//! NAdam.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// NAdam: Adam with Nesterov momentum that warms up.
///
/// ```text
/// g ← ±∇f(w) + λ·w           or, decoupled,  w ← w − lr·λ·w
/// μₜ = β₁·(1 − ½·0.96^(t·ψ)),   M ← M·μₜ, from M = 1
/// m ← β₁·m + (1 − β₁)·g
/// v ← β₂·v + (1 − β₂)·g²,    d = √(v/(1 − β₂ᵗ)) + ε
/// w ← w − lr·(1 − μₜ)/(1 − M)·g/d − lr·μₜ₊₁/(1 − M·μₜ₊₁)·m/d
/// ```
///
/// Dozat, "Incorporating Nesterov Momentum into Adam", ICLR Workshop 2016. `torch.optim.NAdam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdam {
    /// Learning rate (default: 2e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the two means (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Weight decay λ, coupled (L2) unless `decoupled_weight_decay` (default: 0).
    pub weight_decay: f64,
    /// ψ, how fast the momentum warms up (default: 4e-3).
    pub momentum_decay: f64,
    /// Decay the weights themselves instead of adding to their gradient (default: false).
    pub decoupled_weight_decay: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for NAdam {
    fn default() -> Self {
        Self {
            lr: 2e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

hyperparameters! { NAdam "nadam" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "momentum_decay" in NON_NEGATIVE: momentum_decay;
} options { decoupled_weight_decay; } }

impl<F: Real> Elementwise<F> for NAdam {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![
            Slot::each("exp_avg", n, 0.0),
            Slot::each("exp_avg_sq", n, 0.0),
            Slot::shared("mu_product", 1, 1.0),
        ]
    }

    fn apply(&self, t: u64, mut at: Coordinates<'_, F>) {
        let ((beta1, beta2), t) = (self.betas, t as f64);
        let mu_at = |t: f64| beta1 * (1.0 - 0.5 * 0.96f64.powf(t * self.momentum_decay));
        let (mu, mu_next) = (mu_at(t), mu_at(t + 1.0));
        let mu_product = &mut at.shared("mu_product")[0];
        *mu_product *= F::of(mu);
        let mu_product = mu_product.to_f64();

        let (direction, decoupled) =
            Direction::with_decay(self.maximize, self.weight_decay, self.decoupled_weight_decay);
        let [shrink, beta1, new1, beta2, new2, correction, eps, grad_size, mean_size] = [
            1.0 - self.lr * decoupled,
            beta1,
            1.0 - beta1,
            beta2,
            1.0 - beta2,
            1.0 - beta2.powf(t),
            self.eps,
            self.lr * (1.0 - mu) / (1.0 - mu_product),
            self.lr * mu_next / (1.0 - mu_product * mu_next),
        ]
        .map(F::of);
        at.each(move |w, g, [m, v]| {
            let g = direction.at(*w, g);
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            let d = (*v / correction).sqrt() + eps;
            *w = shrink * *w - grad_size * g / d - mean_size * *m / d;
        });
    }
}
