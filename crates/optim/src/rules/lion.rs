//! Lion.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Lion: the sign of a mean of gradients, with decoupled weight decay. One slot; every coordinate moves
/// equally far.
///
/// ```text
/// g ← ±∇f(w)
/// c = β₁·m + (1 − β₁)·g
/// w ← w − lr·(sign(c) + λ·w),     sign(0) = 0
/// m ← β₂·m + (1 − β₂)·g
/// ```
///
/// Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// Learning rate (default: 1e-4). A tenth to a third of Adam's is usual.
    pub lr: f64,
    /// β₁ of the step and β₂ of the stored mean, in [0, 1) (default: (0.9, 0.99)).
    pub betas: (f64, f64),
    /// Decoupled weight decay λ (default: 0). Three to ten times AdamW's is usual.
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Lion {
    fn default() -> Self {
        Self { lr: 1e-4, betas: (0.9, 0.99), weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Lion "lion" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} }

impl<F: Real> Elementwise<F> for Lion {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("exp_avg", n, 0.0)]
    }

    fn apply(&self, _t: u64, at: Coordinates<'_, F>) {
        let (beta1, beta2) = self.betas;
        let [lr, shrink, beta1, new1, beta2, new2] =
            [self.lr, 1.0 - self.lr * self.weight_decay, beta1, 1.0 - beta1, beta2, 1.0 - beta2].map(F::of);
        let direction = Direction::new(self.maximize, 0.0);
        at.each(move |w, g, [m]| {
            let g = direction.at(*w, g);
            *w = shrink * *w - lr * (beta1 * *m + new1 * g).sign();
            *m = beta2 * *m + new2 * g;
        });
    }
}
