//! Two-dimensional convolution (cross-correlation, as in PyTorch) with stride, padding, dilation and groups.
//!
//! Images are N × H × W × C; weights are in PyTorch's layout [out_channels, in_channels / groups, kernel
//! height, kernel width]. The bias gradient is the sum by [`crate::reduce::reduce_rows`] of `dy` as rows of
//! `out_channels`.
//!
//! Every function takes an [`Algorithm`]; [`Algorithm::Auto`] chooses by the shape. The input is a slice, or a
//! [`Pointwise`] to be computed as it is read, if the algorithm [can](Algorithm::takes_computed_input).
//!
//! ```text
//! conv2d_* ── check, choose ──┬─▶ im2col ───────────────▶ matrixmultiply
//!    ▲                        ├─▶ depthwise
//! conv_transpose2d_*          └─▶ unit_stride ──┬─▶ direct, direct_weight
//! block::conv_pool_* ────────── forward ────────┤└─▶ winograd
//!            ├───────── without a ReLU, backward ─┘
//!            └──────── behind a ReLU, backward ──▶ sparse
//! ```

// Tiles are arrays of registers; loops over them have constant bounds, are unrolled and index several arrays.
#![allow(clippy::needless_range_loop)]

pub mod block;
mod choose;
mod depthwise;
mod direct;
mod direct_weight;
mod geometry;
mod im2col;
mod images;
mod pack;
pub(crate) mod reference;
mod shape;
mod sink;
mod sparse;
#[cfg(test)]
mod testing;
mod transpose;
mod unit_stride;
mod winograd;

use crate::Beta;
use crate::norm::Pointwise;
use crate::parallel::Shards;
use choose::Plan;
use images::Images;

pub use choose::Algorithm;
pub use shape::{Conv2dShape, ConvTranspose2dShape};
pub use transpose::{
    conv_transpose2d_backward_input, conv_transpose2d_backward_weight, conv_transpose2d_forward,
};

/// y = x ∗ w + bias.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, a forced algorithm does not support it, or the
/// algorithm takes no computed input and `x` is not stored.
#[track_caller]
pub fn conv2d_forward<'a>(
    y: &mut [f32],
    x: impl Into<Pointwise<'a>>,
    w: &[f32],
    bias: Option<&[f32]>,
    shape: &Conv2dShape,
    algorithm: Algorithm,
) {
    const NAME: &str = "conv2d_forward";
    let x = Pointwise::of_channels(x.into(), NAME, shape.in_channels);
    let plan = check(NAME, [y.len(), x.len(), w.len()], shape, algorithm);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape.out_channels, "{NAME}: the bias has out_channels elements");
    }
    match plan {
        Plan::UnitStride(convolution) => convolution.forward(y, x.into(), w, bias),
        Plan::Depthwise(convolution) => convolution.forward(y, stored(NAME, x), w, bias),
        Plan::Im2col => im2col::forward(y, stored(NAME, x), w, bias, shape),
    }
}

/// dx = β·dx + the gradient of [`conv2d_forward`] with respect to its input.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm does not support it.
#[track_caller]
pub fn conv2d_backward_input(
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    shape: &Conv2dShape,
    beta: Beta,
    algorithm: Algorithm,
) {
    match check("conv2d_backward_input", [dy.len(), dx.len(), w.len()], shape, algorithm) {
        Plan::UnitStride(convolution) => convolution.backward_input(dx, Images::Dense(dy), w, beta),
        Plan::Depthwise(convolution) => convolution.backward_input(dx, dy, w, beta),
        Plan::Im2col => im2col::backward_input(dx, dy, w, shape, beta),
    }
}

/// dw = β·dw + the gradient of [`conv2d_forward`] with respect to its weight, a sum over the batch within
/// each shard, combined in the tree of [`crate::parallel`].
///
/// # Panics
/// As [`conv2d_forward`].
#[track_caller]
pub fn conv2d_backward_weight<'a>(
    dw: &mut [f32],
    dy: &[f32],
    x: impl Into<Pointwise<'a>>,
    shape: &Conv2dShape,
    shards: &Shards<'_>,
    beta: Beta,
    algorithm: Algorithm,
) {
    const NAME: &str = "conv2d_backward_weight";
    let x = Pointwise::of_channels(x.into(), NAME, shape.in_channels);
    match check(NAME, [dy.len(), x.len(), dw.len()], shape, algorithm) {
        Plan::UnitStride(convolution) => {
            convolution.backward_weight(dw, Images::Dense(dy), x.into(), shards, beta);
        }
        Plan::Depthwise(convolution) => {
            convolution.backward_weight(dw, dy, stored(NAME, x), shards, beta);
        }
        Plan::Im2col => im2col::backward_weight(dw, dy, stored(NAME, x), shape, shards, beta),
    }
}

/// The input, for an algorithm that takes no computed one.
#[track_caller]
fn stored<'a>(name: &str, x: Pointwise<'a>) -> &'a [f32] {
    x.as_slice().unwrap_or_else(|| panic!("{name}: this algorithm takes no computed input; store it before"))
}

/// Chooses how to compute the convolution, after checking its sizes and the lengths of y, x and w.
#[track_caller]
fn check(name: &str, [y_len, x_len, w_len]: [usize; 3], shape: &Conv2dShape, algorithm: Algorithm) -> Plan {
    if let Err(reason) = shape.validate() {
        panic!("{name}: {reason}");
    }
    assert_eq!(y_len, shape.output_len(), "{name}: output length for {shape:?}");
    assert_eq!(x_len, shape.input_len(), "{name}: input length for {shape:?}");
    assert_eq!(w_len, shape.weight_len(), "{name}: weight length for {shape:?}");
    Plan::new(shape, algorithm).unwrap_or_else(|| panic!("{name}: {algorithm:?} does not support {shape:?}"))
}
