//! Adan.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Adan: means of the gradient, of its change, and of the square of the two combined; proximal weight decay.
///
/// ```text
/// g ← ±∇f(w),  Δ = g − g_prev;   at the first step  m = g,  v = 0,  n = g²,  then
/// m ← β₁·m + (1 − β₁)·g
/// v ← β₂·v + (1 − β₂)·Δ
/// n ← β₃·n + (1 − β₃)·(g + β₂·Δ)²
/// w ← (w − lr·(m + β₂·v)/(√n + ε)) / (1 + λ·lr)
/// ```
/// Here each β weights the past, as everywhere in this crate and in the authors' code; the paper's are 1 − β.
///
/// Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models",
/// arXiv:2208.06677, algorithm 1 without restarts. (The authors' code instead starts all means at 0 and
/// corrects their bias.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adan {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂, β₃) in [0, 1) of the three means (default: (0.98, 0.92, 0.99)).
    pub betas: (f64, f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Proximal weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adan {
    fn default() -> Self {
        Self { lr: 1e-3, betas: (0.98, 0.92, 0.99), eps: 1e-8, weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Adan "adan" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "beta3" in DECAY_RATE: betas.2;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} }

impl<F: Real> Elementwise<F> for Adan {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        ["exp_avg", "exp_avg_diff", "exp_avg_sq", "prev_grad"].map(|name| Slot::each(name, n, 0.0)).into()
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let (beta1, beta2, beta3) = self.betas;
        // At the first step the means consist of the new values alone, and there is no change yet.
        let is_first = t == 1;
        let [(old1, new1), (old3, new3)] =
            [beta1, beta3].map(|beta| if is_first { (0.0, 1.0) } else { (beta, 1.0 - beta) });
        let [lr, old1, new1, beta2, new2, old3, new3, eps, stretch] = [
            self.lr,
            old1,
            new1,
            beta2,
            1.0 - beta2,
            old3,
            new3,
            self.eps,
            1.0 + self.weight_decay * self.lr,
        ]
        .map(F::of);
        let direction = Direction::new(self.maximize, 0.0);
        at.each(move |w, g, [m, v, n, prev]| {
            let g = direction.at(*w, g);
            let change = if is_first { F::ZERO } else { g - *prev };
            let ahead = g + beta2 * change;
            *m = old1 * *m + new1 * g;
            *v = beta2 * *v + new2 * change;
            *n = old3 * *n + new3 * ahead * ahead;
            *prev = g;
            *w = (*w - lr * (*m + beta2 * *v) / (n.sqrt() + eps)) / stretch;
        });
    }
}
