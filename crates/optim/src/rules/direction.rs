//! The gradient as a rule uses it: negated when maximising, and with coupled weight decay added.

use crate::Real;

/// g ← ±g + λ·w.
#[derive(Clone, Copy)]
pub(super) struct Direction<F> {
    sign: F,
    weight_decay: F,
    decays: bool,
}

impl<F: Real> Direction<F> {
    pub(super) fn new(maximize: bool, weight_decay: f64) -> Self {
        let sign = if maximize { -F::ONE } else { F::ONE };
        Self { sign, weight_decay: F::of(weight_decay), decays: weight_decay != 0.0 }
    }

    /// The direction and the decoupled weight decay.
    pub(super) fn with_decay(maximize: bool, weight_decay: f64, is_decoupled: bool) -> (Self, f64) {
        let (coupled, decoupled) = if is_decoupled { (0.0, weight_decay) } else { (weight_decay, 0.0) };
        (Self::new(maximize, coupled), decoupled)
    }

    /// Without decay, an infinite weight does not affect the gradient.
    #[inline(always)]
    pub(super) fn at(&self, value: F, grad: F) -> F {
        let grad = self.sign * grad;
        if self.decays { grad + self.weight_decay * value } else { grad }
    }
}
