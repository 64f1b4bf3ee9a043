//! RMSProp.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// RMSProp: the gradient divided by the root of its running mean square.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// s ← α·s + (1 − α)·g²
/// d = g/(√s + ε)             or, centered,  d = g/(√(s − m²) + ε)  with  m ← α·m + (1 − α)·g
/// w ← w − lr·d               or, with momentum μ,  b ← μ·b + d,  w ← w − lr·b
/// ```
/// With α = 0 it steps by lr·sign(g). ε is outside the root.
///
/// Tieleman and Hinton, "Lecture 6.5: RMSProp", Coursera 2012; centered: Graves, arXiv:1308.0850.
/// `torch.optim.RMSprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Learning rate (default: 1e-2).
    pub lr: f64,
    /// Decay rate α of the mean square (γ in the lecture) in [0, 1) (default: 0.99).
    pub alpha: f64,
    /// ε ≥ 0, outside the root (default: 1e-8). With 0, a coordinate without gradient becomes NaN.
    pub eps: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Momentum μ in [0, 1) (default: 0).
    pub momentum: f64,
    /// Divide by the standard deviation of the gradient (default: false). If the gradient hardly varies,
    /// rounding can make s − m² negative, and PyTorch's step NaN; here it is at least the rounding error of s.
    pub centered: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
            maximize: false,
        }
    }
}

hyperparameters! { RmsProp "rmsprop" {
    "lr" in NON_NEGATIVE: lr;
    "alpha" in DECAY_RATE: alpha;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "momentum" in DECAY_RATE: momentum;
} options { centered; } }

impl<F: Real> Elementwise<F> for RmsProp {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        let names =
            [("square_avg", true), ("grad_avg", self.centered), ("momentum_buffer", self.momentum != 0.0)];
        names.iter().filter(|(_, used)| *used).map(|(name, _)| Slot::each(name, n, 0.0)).collect()
    }

    // ANCHOR: apply
    fn apply(&self, _t: u64, at: Coordinates<'_, F>) {
        let direction = Direction::new(self.maximize, self.weight_decay);
        let [lr, alpha, new, eps, momentum] =
            [self.lr, self.alpha, 1.0 - self.alpha, self.eps, self.momentum].map(F::of);
        let mean_square = move |s: &mut F, g: F| {
            *s = alpha * *s + new * g * g;
            *s
        };
        // If a gradient hardly varies, only rounding noise remains, which can be negative; use at least ε·s.
        let variance = move |s: &mut F, m: &mut F, g: F| {
            *m = alpha * *m + new * g;
            let mean_square = mean_square(s, g);
            (mean_square - *m * *m).larger(F::EPSILON * mean_square)
        };
        match (self.centered, self.momentum != 0.0) {
            (false, false) => at.each(move |w, g, [s]| {
                let g = direction.at(*w, g);
                *w -= lr * g / (mean_square(s, g).sqrt() + eps);
            }),
            (false, true) => at.each(move |w, g, [s, b]| {
                let g = direction.at(*w, g);
                *b = momentum * *b + g / (mean_square(s, g).sqrt() + eps);
                *w -= lr * *b;
            }),
            (true, false) => at.each(move |w, g, [s, m]| {
                let g = direction.at(*w, g);
                *w -= lr * g / (variance(s, m, g).sqrt() + eps);
            }),
            (true, true) => at.each(move |w, g, [s, m, b]| {
                let g = direction.at(*w, g);
                *b = momentum * *b + g / (variance(s, m, g).sqrt() + eps);
                *w -= lr * *b;
            }),
        }
    }
    // ANCHOR_END: apply
}
