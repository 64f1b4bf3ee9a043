//! Penalties on the weights, as gradients to add, and a limit on their norm.
//!
//! Each penalty adds its gradient to `grads` and returns its value, to be added to the loss. For weight decay
//! that is decoupled from the gradient, see [`AdamW`](crate::AdamW).

use crate::Real;
use crate::elementwise::Lanes;
use crate::reduce::{l2_norm, rescale, square, sums};

/// L2: the penalty λ/2·Σw², with gradient λ·w. With plain SGD it is the same as weight decay λ.
///
/// # Panics
/// When `values` and `grads` differ in length.
#[track_caller]
pub fn l2<F: Real>(values: &[F], grads: &mut [F], lambda: f64) -> f64 {
    elastic_net(values, grads, 0.0, lambda)
}

/// L1: the penalty λ·Σ|w|, with gradient λ·sign(w), 0 at 0.
///
/// # Panics
/// When `values` and `grads` differ in length.
#[track_caller]
pub fn l1<F: Real>(values: &[F], grads: &mut [F], lambda: f64) -> f64 {
    elastic_net(values, grads, lambda, 0.0)
}

/// Elastic net: the penalty λ₁·Σ|w| + λ₂/2·Σw².
///
/// Zou and Hastie, "Regularization and variable selection via the elastic net", 2005, with ½ before λ₂.
///
/// # Panics
/// When `values` and `grads` differ in length.
#[track_caller]
// ANCHOR: elastic_net
pub fn elastic_net<F: Real>(values: &[F], grads: &mut [F], lambda1: f64, lambda2: f64) -> f64 {
    let (n, n_grads) = (values.len(), grads.len());
    assert!(n == n_grads, "regularize: values has {n} elements, grads {n_grads}");
    let (l1, l2) = (F::of(lambda1), F::of(lambda2));
    Lanes { values: grads, grads: values, slots: [] }.each(move |g, w, []| *g += l1 * w.sign() + l2 * w);
    let [sum, squares] = sums([values], move |[w]| [w.abs().to_f64(), square(w)]);
    // A sum may overflow where its penalty is 0.
    let penalty = |lambda: f64, sum: f64| if lambda == 0.0 { 0.0 } else { lambda * sum };
    penalty(lambda1, sum) + penalty(lambda2 / 2.0, squares)
}
// ANCHOR_END: elastic_net

/// Max-norm: scales down each row of a matrix of `n_rows` rows if its L2 norm exceeds `max_norm`. In
/// PyTorch's layout a row holds the weights into one unit. Call it after a step.
///
/// Srebro and Shraibman, 2005; Srivastava et al., "Dropout", JMLR 2014.
///
/// # Panics
/// When `values` does not divide into `n_rows` rows, or `max_norm` is negative or NaN.
#[track_caller]
pub fn max_norm<F: Real>(values: &mut [F], n_rows: usize, max_norm: f64) {
    let n = values.len();
    assert!(max_norm >= 0.0, "max_norm: the limit {max_norm} must not be negative");
    assert!(
        n_rows > 0 && n.is_multiple_of(n_rows),
        "max_norm: {n} elements cannot be divided into {n_rows} rows"
    );
    for row in values.chunks_exact_mut((n / n_rows).max(1)) {
        let norm = l2_norm(row);
        if norm > max_norm {
            rescale(row, max_norm, norm);
        }
    }
}
