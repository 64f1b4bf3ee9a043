//! The fully connected layer: y = x · wᵀ + b.
//!
//! `x` is [batch, in_features], `w` as PyTorch stores it, [out_features, in_features], and `y`
//! [batch, out_features]. The bias gradient is [`crate::reduce::sum_rows`]. For the error bound see
//! [`crate::matmul`].

use crate::Beta;
use crate::matmul::{MatmulShape, matmul};

/// The sizes of a fully connected layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinearShape {
    /// Rows of the input and of the output.
    pub batch: usize,
    /// Columns of the input and of the weight.
    pub in_features: usize,
    /// Columns of the output, rows of the weight.
    pub out_features: usize,
}

/// y = x · wᵀ + bias.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_forward(y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &LinearShape) {
    let &LinearShape { batch, in_features, out_features } = shape;
    check("linear_forward", y.len(), x.len(), w.len(), shape);
    let product =
        MatmulShape { m: batch, k: in_features, n: out_features, transpose_a: false, transpose_b: true };
    match bias {
        None => matmul(y, x, w, &product, Beta::Zero),
        Some(bias) => {
            assert_eq!(bias.len(), out_features, "linear_forward: the bias has out_features elements");
            y.chunks_exact_mut(out_features.max(1)).for_each(|y| y.copy_from_slice(bias));
            matmul(y, x, w, &product, Beta::One);
        }
    }
}

/// y = max(x · wᵀ + bias, 0), the linear layer and the activation in one pass. NaN stays NaN.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_relu_forward(y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &LinearShape) {
    linear_forward(y, x, w, bias, shape);
    y.iter_mut().for_each(|y| *y = if *y < 0.0 { 0.0 } else { *y });
}

/// dx = β·dx + dy · w.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_input(dx: &mut [f32], dy: &[f32], w: &[f32], shape: &LinearShape, beta: Beta) {
    let &LinearShape { batch, in_features, out_features } = shape;
    check("linear_backward_input", dy.len(), dx.len(), w.len(), shape);
    let product =
        MatmulShape { m: batch, k: out_features, n: in_features, transpose_a: false, transpose_b: false };
    matmul(dx, dy, w, &product, beta);
}

/// dw = β·dw + dyᵀ · x.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn linear_backward_weight(dw: &mut [f32], dy: &[f32], x: &[f32], shape: &LinearShape, beta: Beta) {
    let &LinearShape { batch, in_features, out_features } = shape;
    check("linear_backward_weight", dy.len(), x.len(), dw.len(), shape);
    let product =
        MatmulShape { m: out_features, k: batch, n: in_features, transpose_a: true, transpose_b: false };
    matmul(dw, dy, x, &product, beta);
}

#[track_caller]
fn check(name: &str, y_len: usize, x_len: usize, w_len: usize, shape: &LinearShape) {
    let &LinearShape { batch, in_features, out_features } = shape;
    assert_eq!(y_len, batch * out_features, "{name}: output length for {shape:?}");
    assert_eq!(x_len, batch * in_features, "{name}: input length for {shape:?}");
    assert_eq!(w_len, in_features * out_features, "{name}: weight length for {shape:?}");
}
