//! Transposed convolution: the passes of [`conv2d_forward`] with swapped roles.
//!
//! | of the transposed convolution | is of the convolution |
//! |---|---|
//! | the output | the input gradient |
//! | the input gradient | the output |
//! | the weight gradient, of dy and x | the weight gradient, of x and dy |
//!
//! So the weight is `[in_channels, out_channels / groups, kh, kw]`, as in PyTorch, and error bounds are those
//! of the passes. If the output padding is the stride or more, the convolution's output is larger than the
//! input, which is then followed by zeros.

use super::{Algorithm, ConvTranspose2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use crate::pad::{PadMode, pad_backward, pad_forward};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::{Beta, Shape, elementwise, scratch};

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
    let convolution = shape.convolution();
    with_zeros_after(x, shape, |x| conv2d_backward_input(y, x, w, &convolution, beta, algorithm));
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
    match (Zeros::after(shape), beta) {
        (None, Beta::Zero) => conv2d_forward(dx, dy, w, None, &convolution, algorithm),
        (None, Beta::One) => scratch::with(dx.len(), |gradient| {
            conv2d_forward(gradient, dy, w, None, &convolution, algorithm);
            elementwise::add_assign(dx, gradient);
        }),
        (Some(zeros), beta) => scratch::with(convolution.output_len(), |gradient| {
            conv2d_forward(gradient, dy, w, None, &convolution, algorithm);
            pad_backward(dx, gradient, &zeros.images, &zeros.padding, ZERO, beta);
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
    let convolution = shape.convolution();
    with_zeros_after(x, shape, |x| {
        conv2d_backward_weight(dw, x, dy, &convolution, shards, beta, algorithm);
    });
}

const ZERO: PadMode = PadMode::Constant(0.0);

/// The zeros that follow the input's rows and columns: see [`ConvTranspose2dShape::zeros_after`].
struct Zeros {
    images: Shape,
    padding: [[usize; 2]; 4],
}

impl Zeros {
    fn after(shape: &ConvTranspose2dShape) -> Option<Self> {
        let [rows, columns] = shape.zeros_after();
        let &ConvTranspose2dShape { batch, height, width, in_channels, .. } = shape;
        (rows + columns > 0).then(|| Self {
            images: Shape::new(&[batch, height, width, in_channels]),
            padding: [[0, 0], [0, rows], [0, columns], [0, 0]],
        })
    }
}

/// Calls `f` with the input as large as the output of the convolution.
#[track_caller]
fn with_zeros_after(x: &[f32], shape: &ConvTranspose2dShape, f: impl FnOnce(&[f32])) {
    let Some(zeros) = Zeros::after(shape) else { return f(x) };
    scratch::with(shape.convolution().output_len(), |padded| {
        pad_forward(padded, x, &zeros.images, &zeros.padding, ZERO);
        f(padded);
    });
}

#[track_caller]
fn check(name: &str, shape: &ConvTranspose2dShape) {
    if let Err(reason) = shape.validate() {
        panic!("{name}: {reason}");
    }
}
