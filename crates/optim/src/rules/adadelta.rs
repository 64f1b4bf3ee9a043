//! Adadelta.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Adadelta: the gradient divided by its own root mean square, times that of the past steps.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// s ← ρ·s + (1 − ρ)·g²
/// d = g·√(a + ε)/√(s + ε)
/// a ← ρ·a + (1 − ρ)·d²
/// w ← w − lr·d
/// ```
/// ε is inside the roots because the first step starts from it.
///
/// Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701. `torch.optim.Adadelta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    /// Learning rate, a factor that the paper does not have (default: 1).
    pub lr: f64,
    /// Decay rate ρ of both means in [0, 1) (default: 0.9).
    pub rho: f64,
    /// ε ≥ 0, inside the roots (default: 1e-6). With 0 nothing ever moves, and a coordinate without gradient
    /// becomes NaN.
    pub eps: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Adadelta "adadelta" {
    "lr" in NON_NEGATIVE: lr;
    "rho" in DECAY_RATE: rho;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} }

impl<F: Real> Elementwise<F> for Adadelta {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("square_avg", n, 0.0), Slot::each("acc_delta", n, 0.0)]
    }

    fn apply(&self, _t: u64, at: Coordinates<'_, F>) {
        let [lr, rho, new, eps] = [self.lr, self.rho, 1.0 - self.rho, self.eps].map(F::of);
        let direction = Direction::new(self.maximize, self.weight_decay);
        at.each(move |w, g, [s, a]| {
            let g = direction.at(*w, g);
            *s = rho * *s + new * g * g;
            let d = (*a + eps).sqrt() / (*s + eps).sqrt() * g;
            *a = rho * *a + new * d * d;
            *w -= lr * d;
        });
    }
}
