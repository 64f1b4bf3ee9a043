//! Two-dimensional convolution (cross-correlation, as in PyTorch) with stride, padding, dilation and groups.
//!
//! Images are N × H × W × C; weights PyTorch's [out_channels, in_channels / groups, kernel height, kernel
//! width]. The bias gradient is [`crate::reduce::sum_rows`] of `dy` as rows of `out_channels`.
//!
//! Every function takes an [`Algorithm`]; [`Algorithm::Auto`] lets [`Algorithm::choose`] decide by shape.

// Tiles are arrays of registers; loops over them have constant bounds, are unrolled, and index several alike.
#![allow(clippy::needless_range_loop)]

pub mod block;
mod choose;
mod direct;
mod direct_weight;
mod geometry;
mod im2col;
mod pack;
pub(crate) mod reference;
mod shape;
mod sink;
mod sparse;
#[cfg(test)]
mod testing;
mod unit_stride;
mod winograd;

use crate::Beta;
use unit_stride::Dense;

pub use choose::{Algorithm, Pass};
pub use shape::Conv2dShape;

/// y = x ∗ w + bias.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm cannot take it.
#[track_caller]
pub fn conv2d_forward(
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    shape: &Conv2dShape,
    algorithm: Algorithm,
) {
    check("conv2d_forward", y.len(), x.len(), w.len(), shape);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape.out_channels, "conv2d_forward: the bias has out_channels elements");
    }
    match Dense::new(algorithm.resolve(shape, Pass::Forward), shape) {
        Some(dense) => dense.forward(y, x, w, bias),
        None => im2col::forward(y, x, w, bias, shape),
    }
}

/// dx = β·dx + the gradient of [`conv2d_forward`] by its input.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm cannot take it.
#[track_caller]
pub fn conv2d_backward_input(
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    shape: &Conv2dShape,
    beta: Beta,
    algorithm: Algorithm,
) {
    check("conv2d_backward_input", dy.len(), dx.len(), w.len(), shape);
    match Dense::new(algorithm.resolve(shape, Pass::BackwardInput), shape) {
        Some(dense) => dense.backward_input(dx, dy, w, beta),
        None => im2col::backward_input(dx, dy, w, shape, beta),
    }
}

/// dw = β·dw + the gradient of [`conv2d_forward`] by its weight.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm cannot take it.
#[track_caller]
pub fn conv2d_backward_weight(
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &Conv2dShape,
    beta: Beta,
    algorithm: Algorithm,
) {
    check("conv2d_backward_weight", dy.len(), x.len(), dw.len(), shape);
    match Dense::new(algorithm.resolve(shape, Pass::BackwardWeight), shape) {
        Some(dense) => dense.backward_weight(dw, dy, x, beta),
        None => im2col::backward_weight(dw, dy, x, shape, beta),
    }
}

#[track_caller]
fn check(name: &str, y_len: usize, x_len: usize, w_len: usize, shape: &Conv2dShape) {
    if let Err(reason) = shape.validate() {
        panic!("{name}: {reason}");
    }
    assert_eq!(y_len, shape.output_len(), "{name}: output length for {shape:?}");
    assert_eq!(x_len, shape.input_len(), "{name}: input length for {shape:?}");
    assert_eq!(w_len, shape.weight_len(), "{name}: weight length for {shape:?}");
}
