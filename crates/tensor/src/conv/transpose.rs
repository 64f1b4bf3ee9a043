//! Transposed convolution: the passes of [`conv2d_forward`] with swapped roles.
//!
//! | of the transposed convolution | is of the convolution |
//! |---|---|
//! | the output | the input gradient |
//! | the input gradient | the output |
//! | the weight gradient, of dy and x | the weight gradient, of x and dy |
//!
//! So the weight is `[in_channels, out_channels / groups, kh, kw]`, as in PyTorch, and error bounds are those
//! of the passes.

use super::{Algorithm, ConvTranspose2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::{Beta, elementwise, scratch};

/// y = Σ x · w + bias, with each input spread over the outputs that the kernel reaches from it.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm does not support it.
#[track_caller]
pub fn conv_transpose2d_forward(
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    shape: &ConvTranspose2dShape,
    algorithm: Algorithm,
) {
    check("conv_transpose2d_forward", shape);
    let beta = match bias {
        Some(bias) => {
            let channels = shape.out_channels;
            assert_eq!(bias.len(), channels, "conv_transpose2d_forward: the bias has out_channels elements");
            let n_pixels = y.len() / channels;
            for_each_chunk(n_pixels, (1 << 14) / channels + 1, y.len(), rows_mut(y, channels), |_, y| {
                y.into_slice().chunks_exact_mut(channels).for_each(|y| y.copy_from_slice(bias));
            });
            Beta::One
        }
        None => Beta::Zero,
    };
    conv2d_backward_input(y, x, w, &shape.convolution(), beta, algorithm);
}

/// dx = β·dx + the gradient of [`conv_transpose2d_forward`] with respect to its input.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm does not support it.
#[track_caller]
pub fn conv_transpose2d_backward_input(
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    shape: &ConvTranspose2dShape,
    beta: Beta,
    algorithm: Algorithm,
) {
    check("conv_transpose2d_backward_input", shape);
    let convolution = shape.convolution();
    match beta {
        Beta::Zero => conv2d_forward(dx, dy, w, None, &convolution, algorithm),
        Beta::One => scratch::with(dx.len(), |gradient| {
            conv2d_forward(gradient, dy, w, None, &convolution, algorithm);
            elementwise::add_assign(dx, gradient);
        }),
    }
}

/// dw = β·dw + the gradient of [`conv_transpose2d_forward`] with respect to its weight, summed like that of a
/// convolution.
///
/// # Panics
/// When the shape is invalid, a length does not fit it, or a forced algorithm does not support it.
#[track_caller]
pub fn conv_transpose2d_backward_weight(
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    shape: &ConvTranspose2dShape,
    shards: &Shards<'_>,
    beta: Beta,
    algorithm: Algorithm,
) {
    check("conv_transpose2d_backward_weight", shape);
    conv2d_backward_weight(dw, x, dy, &shape.convolution(), shards, beta, algorithm);
}

#[track_caller]
fn check(name: &str, shape: &ConvTranspose2dShape) {
    if let Err(reason) = shape.validate() {
        panic!("{name}: {reason}");
    }
}
