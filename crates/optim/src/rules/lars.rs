//! LARS.

use super::direction::Direction;
use super::hyperparameters::hyperparameters;
use crate::elementwise::Lanes;
use crate::reduce::{l2_norm_of, square, sums};
use crate::{Real, Slot, WholeTensor};

/// LARS: SGD with momentum, with a learning rate for each tensor proportional to the ratio of the norms of
/// its weights and gradient. For large batches.
///
/// ```text
/// g ← ±∇f(w)
/// r = η·‖w‖/(‖g‖ + λ·‖w‖)
/// v ← μ·v + lr·r·(g + λ·w)
/// w ← w − v
/// ```
/// If ‖w‖ or ‖g‖ is 0, r is 1, so that a tensor of zeros can move.
///
/// You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", arXiv:1708.03888,
/// algorithm 1, whose momentum 0.9, weight decay and η are the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lars {
    /// Learning rate (default: 0.1). (In the paper it grows with the batch size.)
    pub lr: f64,
    /// Momentum μ in [0, 1) (default: 0.9).
    pub momentum: f64,
    /// Weight decay λ, included in the ratio and the gradient (default: 5e-4).
    pub weight_decay: f64,
    /// η ≥ 0, how far a tensor may move relative to its norm (default: 1e-3).
    pub trust_coefficient: f64,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

impl Default for Lars {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9, weight_decay: 5e-4, trust_coefficient: 1e-3, maximize: false }
    }
}

hyperparameters! { Lars "lars" {
    "lr" in NON_NEGATIVE: lr;
    "momentum" in DECAY_RATE: momentum;
    "weight_decay" in NON_NEGATIVE: weight_decay;
    "trust_coefficient" in NON_NEGATIVE: trust_coefficient;
} }

impl<F: Real> WholeTensor<F> for Lars {
    fn slots(&self, shape: &[usize]) -> Vec<Slot<F>> {
        vec![Slot::each("momentum_buffer", shape.iter().product(), 0.0)]
    }

    fn apply(&self, _t: u64, _shape: &[usize], values: &mut [F], grads: &[F], slots: &mut [Slot<F>]) {
        let [value_squares, grad_squares] = sums([&*values, grads], move |[w, g]| [square(w), square(g)]);
        let (value_norm, grad_norm) = (l2_norm_of(values, value_squares), l2_norm_of(grads, grad_squares));
        let ratio = if value_norm == 0.0 || grad_norm == 0.0 {
            1.0
        } else {
            self.trust_coefficient * value_norm / (grad_norm + self.weight_decay * value_norm)
        };
        let (momentum, size) = (F::of(self.momentum), self.lr * ratio);
        let step_size = F::of(size);
        let direction = Direction::new(self.maximize, self.weight_decay);
        let [v] = slots else { unreachable!("LARS has one slot") };
        let lanes = Lanes { values, grads, slots: [&mut v.values] };
        if step_size.is_finite() && (step_size >= F::MIN_POSITIVE || size == 0.0) {
            lanes.each(move |w, g, [v]| {
                *v = momentum * *v + step_size * direction.at(*w, g);
                *w -= *v;
            });
        } else {
            // Too large or too small for `F`, while the step need not be.
            lanes.each(move |w, g, [v]| {
                *v = momentum * *v + F::of(size * direction.at(*w, g).to_f64());
                *w -= *v;
            });
        }
    }
}
