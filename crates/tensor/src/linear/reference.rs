//! The fully connected layer as plain matrix products.

use super::LinearShape;
use crate::matmul::MatmulShape;
use crate::matmul::reference::matmul;

// ANCHOR: linear
/// x · wᵀ + bias.
pub fn linear_forward(x: &[f64], w: &[f64], bias: Option<&[f64]>, shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: m, in_features: k, out_features: n } = shape;
    let mut y = matmul(x, w, &MatmulShape { m, k, n, transpose_a: false, transpose_b: true });
    for (idx, y) in y.iter_mut().enumerate() {
        *y += bias.map_or(0.0, |bias| bias[idx % n]);
    }
    y
}
// ANCHOR_END: linear

// ANCHOR: linear_backward
/// dy · w.
pub fn linear_backward_input(dy: &[f64], w: &[f64], shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: m, in_features: n, out_features: k } = shape;
    matmul(dy, w, &MatmulShape { m, k, n, transpose_a: false, transpose_b: false })
}

/// dyᵀ · x.
pub fn linear_backward_weight(dy: &[f64], x: &[f64], shape: &LinearShape) -> Vec<f64> {
    let &LinearShape { batch: k, in_features: n, out_features: m } = shape;
    matmul(dy, x, &MatmulShape { m, k, n, transpose_a: true, transpose_b: false })
}
// ANCHOR_END: linear_backward
