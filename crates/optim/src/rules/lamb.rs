//! LAMB.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::elementwise::Lanes;
use crate::reduce::{l2_norm_of, l2_norm_of_terms, square, sums};
use crate::{Real, Slot, WholeTensor};

/// LAMB: Adam's direction, scaled in each tensor by the norm of its weights. For large batches.
///
/// ```text
/// g ← ±∇f(w)
/// m ← β₁·m + (1 − β₁)·g,     m̂ = m/(1 − β₁ᵗ)
/// v ← β₂·v + (1 − β₂)·g²,    v̂ = v/(1 − β₂ᵗ)
/// u = m̂/(√v̂ + ε) + λ·w
/// w ← w − lr·φ(‖w‖)/‖u‖·u,   φ(z) = min(max(z, φ_min), φ_max)
/// ```
/// If φ(‖w‖) or ‖u‖ is 0, the ratio is 1, so that a tensor of zeros can move.
///
/// You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
/// arXiv:1904.00962, algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lamb {
    /// Learning rate (default: 1e-3).
    pub lr: f64,
    /// Decay rates (β₁, β₂) in [0, 1) of the two means (default: (0.9, 0.999)).
    pub betas: (f64, f64),
    /// ε ≥ 0, outside the root (default: 1e-6). With 0, a coordinate that never had a gradient becomes NaN,
    /// and through the norm the whole tensor.
    pub eps: f64,
    /// Weight decay λ, included in the norm (default: 1e-2).
    pub weight_decay: f64,
    /// (φ_min, φ_max), the bounds on the norm of the weights (default: (0, ∞)).
    pub norm_range: (f64, f64),
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Lamb {
    fn default() -> Self {
        let norm_range = (0.0, f64::INFINITY);
        Self { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-6, weight_decay: 1e-2, norm_range, maximize: false }
    }
}

hyperparameters! { Lamb "lamb" {
    "lr" in NON_NEGATIVE: lr;
    "beta1" in DECAY_RATE: betas.0;
    "beta2" in DECAY_RATE: betas.1;
    "eps" in NON_NEGATIVE: eps;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "norm_min" in NON_NEGATIVE: norm_range.0;
    "norm_max" in NON_NEGATIVE_OR_INFINITE: norm_range.1;
} where
    |lamb| lamb.norm_range.0 <= lamb.norm_range.1 => "norm_min must not exceed norm_max";
}

impl<F: Real> WholeTensor<F> for Lamb {
    fn slots(&self, shape: &[usize]) -> Vec<Slot<F>> {
        let n = shape.iter().product();
        vec![Slot::each("exp_avg", n, 0.0), Slot::each("exp_avg_sq", n, 0.0)]
    }

    fn apply(&self, t: u64, _shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]) {
        let ((beta1, beta2), t) = (self.betas, t as f64);
        let [correction1, correction2] = [1.0 - beta1.powf(t), 1.0 - beta2.powf(t)].map(F::of);
        let ([beta1, new1], [beta2, new2]) =
            ([beta1, 1.0 - beta1].map(F::of), [beta2, 1.0 - beta2].map(F::of));
        let [eps, weight_decay] = [self.eps, self.weight_decay].map(F::of);
        let direction = Direction::new(self.maximize, 0.0);
        let [m, v] = slots else { unreachable!("LAMB has two slots") };
        let (m, v) = (&mut m.values[..], &mut v.values[..]);
        Lanes { values: &mut *values, grads, slots: [&mut *m, &mut *v] }.each(move |w, g, [m, v]| {
            let g = direction.at(*w, g);
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
        });
        let update = move |w: F, m: F, v: F| {
            let (m_hat, v_hat) = (m / correction1, v / correction2);
            m_hat / (v_hat.sqrt() + eps) + weight_decay * w
        };
        let [value_squares, update_squares] =
            sums([&*values, &*m, &*v], move |[w, m, v]| [square(w), square(update(w, m, v))]);
        let norm = l2_norm_of(values, value_squares).max(self.norm_range.0).min(self.norm_range.1);
        let update_norm =
            l2_norm_of_terms([&*values, &*m, &*v], update_squares, move |[w, m, v]| update(w, m, v));
        let ratio = if norm == 0.0 || update_norm == 0.0 { 1.0 } else { norm / update_norm };
        let step_size = F::of(self.lr * ratio);
        Lanes { values, grads: m, slots: [v] }.each(move |w, m, [v]| *w -= step_size * update(*w, m, *v));
    }
}
