//! Stochastic gradient descent with momentum.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Stochastic gradient descent, with momentum μ, dampening τ and Nesterov momentum.
///
/// ```text
/// g ← ±∇f(w) + λ·w
/// v ← g  at the first step,  μ·v + (1 − τ)·g  after it
/// w ← w − lr·v        or, Nesterov,  w ← w − lr·(g + μ·v)
/// ```
/// With `averaged` the velocity is the running mean of the gradients, starting from v = 0:
/// ```text
/// v ← μ·v + (1 − μ)·g
/// ```
/// Its steps are 1 − μ times as long as those of the classical form, and start small; the two are not
/// interchangeable.
///
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
/// `torch.optim.SGD`, which has all but `averaged`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Momentum μ in [0, 1) (default: 0). With 0 there is no state.
    pub momentum: f64,
    /// Dampening τ of the momentum in [0, 1] (default: 0).
    pub dampening: f64,
    /// Coupled (L2) weight decay λ (default: 0).
    pub weight_decay: f64,
    /// Nesterov momentum, which requires `momentum` and no dampening (default: false).
    pub nesterov: bool,
    /// Make the velocity a mean of gradients instead of their decaying sum (default: false).
    pub averaged: bool,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            averaged: false,
            maximize: false,
        }
    }
}

hyperparameters! { Sgd "sgd" {
    "lr" in NON_NEGATIVE: lr;
    "momentum" in DECAY_RATE: momentum;
    "dampening" in UNIT: dampening;
    "weight_decay" in NON_NEGATIVE: weight_decay;
} options { nesterov; averaged; } where
    |sgd| !(sgd.nesterov && sgd.momentum == 0.0) => "Nesterov's momentum needs a momentum above 0";
    |sgd| !(sgd.nesterov && (sgd.averaged || sgd.dampening != 0.0))
        => "Nesterov's momentum takes neither dampening nor the averaged form";
    |sgd| !(sgd.averaged && sgd.dampening != 0.0)
        => "the averaged form is already dampened by 1 − momentum: dampening must be 0";
}

impl<F: Real> Elementwise<F> for Sgd {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        if self.momentum == 0.0 { vec![] } else { vec![Slot::each("momentum_buffer", n, 0.0)] }
    }

    // ANCHOR: apply
    fn apply(&self, t: u64, at: Coordinates<'_, F>) {
        let lr = F::of(self.lr);
        let direction = Direction::new(self.maximize, self.weight_decay);
        if self.momentum == 0.0 {
            return at.each(move |w, g, []| *w -= lr * direction.at(*w, g));
        }
        let (old, new) = match (self.averaged, t) {
            (true, _) => (self.momentum, 1.0 - self.momentum),
            (false, 1) => (0.0, 1.0),
            (false, _) => (self.momentum, 1.0 - self.dampening),
        };
        let (old, new, momentum) = (F::of(old), F::of(new), F::of(self.momentum));
        let nesterov = self.nesterov;
        at.each(move |w, g, [v]| {
            let g = direction.at(*w, g);
            *v = old * *v + new * g;
            *w -= lr * if nesterov { g + momentum * *v } else { *v };
        });
    }
    // ANCHOR_END: apply
}
