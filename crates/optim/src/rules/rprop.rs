//! Resilient backpropagation.

use super::hyperparameters::hyperparameters;
use crate::{Coordinates, Elementwise, Real, Slot};

/// Rprop: each coordinate has its own step, which grows while the sign of its gradient stays the same and
/// shrinks when it changes; only the sign of the gradient is used. For full batches.
///
/// ```text
/// g ← ±∇f(w)
/// step ← clamp(step·η⁺)  if g·g_prev > 0,   clamp(step·η⁻) and g ← 0  if g·g_prev < 0,   clamp(step)  if 0
/// w ← w − sign(g)·step,   g_prev ← g
/// ```
///
/// Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning", 1993.
/// `torch.optim.Rprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rprop {
    /// The initial step of every coordinate (default: 1e-2). Later changes have no effect.
    pub lr: f64,
    /// (η⁻, η⁺) with 0 < η⁻ < 1 < η⁺ (default: (0.5, 1.2)).
    pub etas: (f64, f64),
    /// The smallest and the largest step (default: (1e-6, 50)).
    pub step_sizes: (f64, f64),
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Rprop {
    fn default() -> Self {
        Self { lr: 1e-2, etas: (0.5, 1.2), step_sizes: (1e-6, 50.0), maximize: false }
    }
}

hyperparameters! { Rprop "rprop" {
    "lr" in NON_NEGATIVE: lr;
    "eta_minus" in INSIDE_UNIT: etas.0;
    "eta_plus" in ABOVE_ONE: etas.1;
    "step_size_min" in NON_NEGATIVE: step_sizes.0;
    "step_size_max" in NON_NEGATIVE: step_sizes.1;
} where
    |rprop| rprop.step_sizes.0 <= rprop.step_sizes.1 => "step_size_min must not exceed step_size_max";
}

impl<F: Real> Elementwise<F> for Rprop {
    fn slots(&self, n: usize) -> Vec<Slot<F>> {
        vec![Slot::each("prev", n, 0.0), Slot::each("step_size", n, self.lr)]
    }

    fn apply(&self, _t: u64, at: Coordinates<'_, F>) {
        let [eta_minus, eta_plus, min, max] =
            [self.etas.0, self.etas.1, self.step_sizes.0, self.step_sizes.1].map(F::of);
        let sign = if self.maximize { -F::ONE } else { F::ONE };
        at.each(move |w, g, [prev, step]| {
            let g = sign * g;
            let turn = g * *prev;
            let eta = if turn > F::ZERO { eta_plus } else { F::ONE };
            let eta = if turn < F::ZERO { eta_minus } else { eta };
            *step = (*step * eta).larger(min).smaller(max);
            let g = if turn < F::ZERO { F::ZERO } else { g };
            *w -= g.sign() * *step;
            *prev = g;
        });
    }
}
