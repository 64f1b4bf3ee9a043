//! Adagrad.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Adagrad: the gradient divided by the root of the sum of all its squares so far.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// s ← s + g²
/// w ← w − lr/(1 + (t − 1)·lr_decay)·g/(√s + ε)
/// ```
///
/// Duchi, Hazan and Singer, "Adaptive Subgradient Methods", JMLR 2011. `torch.optim.Adagrad`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// Learning rate (default: 1e-2).
    pub lr: f64,
    /// Decay of the learning rate (default: 0).
    pub lr_decay: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// The initial sum s (default: 0).
    pub initial_accumulator_value: f64,
    /// ε ≥ 0, outside the root (default: 1e-10). With 0, a coordinate that never had a gradient becomes NaN.
    pub eps: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            lr_decay: 0.0,
            weight_decay: 0.0,
            initial_accumulator_value: 0.0,
            eps: 1e-10,
            maximize: false,
        }
    }
}

hyperparameters! { Adagrad "adagrad" {
    "lr" in NON_NEGATIVE: lr;
    "lr_decay" in NON_NEGATIVE: lr_decay;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "initial_accumulator_value" in NON_NEGATIVE: initial_accumulator_value;
    "eps" in NON_NEGATIVE: eps;
} }

impl<F: Real> Elementwise<F> for Adagrad {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("sum", n, self.initial_accumulator_value)]
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let lr = F::of(self.lr / (1.0 + (t - 1) as f64 * self.lr_decay));
        let eps = F::of(self.eps);
        let direction = Direction::new(self.maximize, self.weight_decay);
        at.each(move |w, g, [sum]| {
            let g = direction.at(*w, g);
            *sum += g * g;
            *w -= lr * g / (sum.sqrt() + eps);
        });
    }
}
