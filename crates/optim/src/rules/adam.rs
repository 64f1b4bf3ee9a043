//! Adam, and AMSGrad.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Adam: the running mean of the gradient divided by the root of the running mean of its square.
///
/// ```text
/// g ← ±∇f(w) + λ·w           or, decoupled,  w ← w − lr·λ·w
/// m ← β₁·m + (1 − β₁)·g,     m̂ = m/(1 − β₁ᵗ)
/// v ← β₂·v + (1 − β₂)·g²,    v̂ = v/(1 − β₂ᵗ)
/// w ← w − lr·m̂/(√v̂ + ε)
/// ```
/// AMSGrad uses the largest v so far in place of v.
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980;
/// Reddi et al., "On the Convergence of Adam and Beyond", ICLR 2018. `torch.optim.Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the two means (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Weight decay λ, coupled (L2) unless `decoupled_weight_decay` (default: 0).
    pub weight_decay: f64,
    /// Decay the weights themselves instead of adding to their gradient, as in [`AdamW`](super::AdamW)
    /// (default: false).
    pub decoupled_weight_decay: bool,
    /// Divide by the largest mean square so far (default: false).
    pub amsgrad: bool,
    /// Divide the means by 1 − βᵗ, as the paper does (default: true). Without it both
    /// means start near 0; with the default betas the first step is then 3.2 times as long.
    pub bias_correction: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            amsgrad: false,
            bias_correction: true,
            maximize: false,
        }
    }
}

hyperparameters! { Adam "adam" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} options { decoupled_weight_decay; amsgrad; bias_correction; } }

impl<F: Real> Elementwise<F> for Adam {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        let names: &[_] = if self.amsgrad {
            &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
        } else {
            &["exp_avg", "exp_avg_sq"]
        };
        names.iter().map(|name| Slot::each(name, n, 0.0)).collect()
    }

    // ANCHOR: apply
    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let (direction, decoupled) =
            Direction::with_decay(self.maximize, self.weight_decay, self.decoupled_weight_decay);
        let shrink = F::of(1.0 - self.lr * decoupled);

        let (beta1, beta2) = self.betas;
        let ([beta1, new1], [beta2, new2]) =
            ([beta1, 1.0 - beta1].map(F::of), [beta2, 1.0 - beta2].map(F::of));
        let means = move |w: F, g: F, m: &mut F, v: &mut F| {
            let g = direction.at(w, g);
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
        };

        // With c₁ = 1 − β₁ᵗ and c₂ = 1 − β₂ᵗ:
        //     lr·m̂/(√v̂ + ε) = lr·(m/c₁)/(√(v/c₂) + ε) = (lr/c₁)·m/(√v/√c₂ + ε)
        let correction = |beta: f64| if self.bias_correction { 1.0 - beta.powf(t as f64) } else { 1.0 };
        let (c1, c2) = (correction(self.betas.0), correction(self.betas.1));
        let (lr_over_c1, sqrt_c2, eps) = (F::of(self.lr / c1), F::of(c2.sqrt()), F::of(self.eps));
        let step = move |w: F, m: F, v: F| shrink * w - lr_over_c1 * m / (v.sqrt() / sqrt_c2 + eps);

        if self.amsgrad {
            at.each(move |w, g, [m, v, v_max]| {
                means(*w, g, m, v);
                *v_max = v_max.larger(*v);
                *w = step(*w, *m, *v_max);
            });
        } else {
            at.each(move |w, g, [m, v]| {
                means(*w, g, m, v);
                *w = step(*w, *m, *v);
            });
        }
    }
    // ANCHOR_END: apply
}
