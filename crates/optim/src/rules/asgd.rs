//! Averaged stochastic gradient descent.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Averaged SGD: descends with a decreasing step and keeps the mean of the points it visits in the slot `ax`.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// ηₜ = lr/(1 + lambd·lr·(t − 1))^alpha,     μₜ = 1/max(1, t − 1 − t0)
/// w ← (1 − lambd·ηₜ)·w − ηₜ·g
/// ax ← ax + μₜ·(w − ax)
/// ```
/// Until step t0 + 2 the mean is just the last point. `lambd` shrinks the weights even where the gradient is
/// 0.
///
/// Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992. `torch.optim.ASGD`,
/// where η reacts to a changed learning rate one step later than here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asgd {
    /// Learning rate at the first step (default: 1e-2).
    pub lr: f64,
    /// Decay of the weights and of the step (default: 1e-4).
    pub lambd: f64,
    /// Power of the step's decay (default: 0.75).
    pub alpha: f64,
    /// The step after which points are averaged (default: 1e6).
    pub t0: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Asgd {
    fn default() -> Self {
        Self { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weight_decay: 0.0, maximize: false }
    }
}

hyperparameters! { Asgd "asgd" {
    "lr" in NON_NEGATIVE: lr;
    "lambd" in NON_NEGATIVE: lambd;
    "alpha" in NON_NEGATIVE: alpha;
    "t0" in NON_NEGATIVE: t0;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} }

impl<F: Real> Elementwise<F> for Asgd {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("ax", n, 0.0)]
    }

    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let steps_before = (t - 1) as f64;
        let eta = self.lr / (1.0 + self.lambd * self.lr * steps_before).powf(self.alpha);
        let mu = F::of(1.0 / (steps_before - self.t0).max(1.0));
        let (shrink, eta) = (F::of(1.0 - self.lambd * eta), F::of(eta));
        let direction = Direction::new(self.maximize, self.weight_decay);
        at.each(move |w, g, [ax]| {
            let g = direction.at(*w, g);
            *w = shrink * *w - eta * g;
            *ax = ax.lerp(*w, mu);
        });
    }
}
