//! Shared code of the convolution tests: shapes, and the magnitudes that rounding errors are measured
//! against.

use proptest::prelude::*;

use super::Conv2dShape;
use super::winograd::transform::{INPUTS, OUTPUTS, TAPS};
use crate::reference::{self, magnitudes};

/// Channel counts that fill a vector, do not fill one, and need several.
pub(crate) fn channels() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 3, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 70])
}

/// The maximum of pixels × input channels × output channels of a test shape: the references are slow.
const MAX_WORK: usize = if cfg!(miri) { 600 } else { 100_000 };

/// The maximum height and width of a test image.
const MAX_SIDE: usize = if cfg!(miri) { 4 } else { 11 };

/// Stride-1 convolutions with kernels of the given sizes, of 1 to 3 or 17 images, down to single pixels.
pub(crate) fn shapes(
    kernel_size: impl Strategy<Value = usize> + Clone,
) -> impl Strategy<Value = Conv2dShape> {
    let axis = || (kernel_size.clone(), 1usize..=MAX_SIDE);
    let batch = prop_oneof![4 => 1usize..=3, 1 => Just(17usize)];
    (batch, axis(), axis(), channels(), channels(), any::<[prop::sample::Index; 2]>()).prop_map(
        |(batch, (kernel_height, height), (kernel_width, width), in_channels, out_channels, paddings)| {
            let padding = [paddings[0].index(kernel_height), paddings[1].index(kernel_width)];
            let mut shape = Conv2dShape {
                batch,
                // Large enough for the kernel.
                height: height.max(kernel_height.saturating_sub(2 * padding[0])),
                width: width.max(kernel_width.saturating_sub(2 * padding[1])),
                in_channels,
                out_channels,
                kernel_size: [kernel_height, kernel_width],
                stride: [1, 1],
                padding,
                dilation: [1, 1],
                groups: 1,
            };
            let work = |shape: &Conv2dShape| {
                shape.batch * shape.out_height() * shape.out_width() * shape.in_channels * shape.out_channels
            };
            while work(&shape) > MAX_WORK && shape.batch > 1 {
                shape.batch /= 2;
            }
            while work(&shape) > MAX_WORK && shape.in_channels > 1 {
                shape.in_channels = shape.in_channels.div_ceil(2);
            }
            while work(&shape) > MAX_WORK && shape.out_channels > 1 {
                shape.out_channels = shape.out_channels.div_ceil(2);
            }
            shape
        },
    )
}

/// The magnitude that an algorithm's rounding error is measured against: its sums with absolute values
/// throughout.
#[derive(Clone, Copy)]
pub(crate) enum Magnitude {
    /// |x| ∗ |w|
    Direct,
    /// |Aᵀ| [(|G| |w| |Gᵀ|) ⊙ (|Bᵀ| |x| |B|)] |A|, and likewise for the gradients.
    Winograd,
}

impl Magnitude {
    pub(crate) fn forward(self, x: &[f32], w: &[f32], shape: &Conv2dShape) -> Vec<f64> {
        match self {
            Self::Direct => reference::conv2d_forward(&magnitudes(x), &magnitudes(w), None, shape),
            Self::Winograd => {
                let mut y = vec![0.0; shape.output_len()];
                for_each_amplified(shape, |x_idx, w_idx, y_idx, factor| {
                    y[y_idx] += factor * f64::from(x[x_idx].abs() * w[w_idx].abs());
                });
                y
            }
        }
    }

    pub(crate) fn backward_input(self, dy: &[f32], w: &[f32], shape: &Conv2dShape) -> Vec<f64> {
        match self {
            Self::Direct => reference::conv2d_backward_input(&magnitudes(dy), &magnitudes(w), shape),
            // The kernel is the forward one of the mirrored convolution, whose tiles cover dx.
            Self::Winograd => {
                let (taps, ins, outs) = (TAPS * TAPS, shape.in_channels, shape.out_channels);
                let mirrored = Conv2dShape {
                    height: shape.out_height(),
                    width: shape.out_width(),
                    in_channels: outs,
                    out_channels: ins,
                    padding: shape.padding.map(|padding| TAPS - 1 - padding),
                    ..*shape
                };
                let mut rotated = vec![0.0; w.len()];
                for (idx, &w) in w.iter().enumerate() {
                    let (out, input, tap) = (idx / taps / ins, idx / taps % ins, idx % taps);
                    rotated[(input * outs + out) * taps + taps - 1 - tap] = w;
                }
                self.forward(dy, &rotated, &mirrored)
            }
        }
    }

    pub(crate) fn backward_weight(self, dy: &[f32], x: &[f32], shape: &Conv2dShape) -> Vec<f64> {
        match self {
            Self::Direct => reference::conv2d_backward_weight(&magnitudes(dy), &magnitudes(x), shape),
            Self::Winograd => {
                let mut dw = vec![0.0; shape.weight_len()];
                for_each_amplified(shape, |x_idx, w_idx, y_idx, factor| {
                    dw[w_idx] += factor * f64::from(x[x_idx].abs() * dy[y_idx].abs());
                });
                dw
            }
        }
    }
}

/// The transforms, by row.
const B_T: [[f64; INPUTS]; INPUTS] = [
    [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
    [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
    [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
    [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
    [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
    [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
];
const G: [[f64; TAPS]; INPUTS] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];
const A_T: [[f64; INPUTS]; OUTPUTS] = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
    [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
    [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
];

/// Calls `f(x_idx, w_idx, y_idx, factor)` for each input, weight and output that interact in a Winograd tile;
/// `factor` is the sum over the points of |Aᵀ| |G| |Bᵀ| in both directions.
fn for_each_amplified(shape: &Conv2dShape, mut f: impl FnMut(usize, usize, usize, f64)) {
    let mut factors = [[[0.0f64; INPUTS]; TAPS]; OUTPUTS];
    for (output, tap, input) in (0..OUTPUTS * TAPS * INPUTS).map(|i| (i / 18, i / 6 % 3, i % 6)) {
        factors[output][tap][input] =
            (0..INPUTS).map(|point| (A_T[output][point] * G[point][tap] * B_T[point][input]).abs()).sum();
    }
    // The inputs that share a tile with an output, in one direction: (tap, input, factor).
    let meetings = |axis: usize, output: usize, size: usize| {
        let first = (output / OUTPUTS * OUTPUTS) as isize - shape.padding[axis] as isize;
        let factors = factors[output % OUTPUTS];
        (0..TAPS * INPUTS).filter_map(move |i| {
            let place = first + (i % INPUTS) as isize;
            let inside = place >= 0 && place < size as isize;
            inside.then_some((i / INPUTS, place as usize, factors[i / INPUTS][i % INPUTS]))
        })
    };
    let (out_height, out_width) = (shape.out_height(), shape.out_width());
    for pixel in 0..shape.batch * out_height * out_width {
        let (image, out_row, out_col) =
            (pixel / (out_height * out_width), pixel / out_width % out_height, pixel % out_width);
        for (tap_row, row, row_factor) in meetings(0, out_row, shape.height) {
            for (tap_col, col, col_factor) in meetings(1, out_col, shape.width) {
                let x_pixel = (image * shape.height + row) * shape.width + col;
                let tap = tap_row * TAPS + tap_col;
                for out in 0..shape.out_channels {
                    for input in 0..shape.in_channels {
                        let w_idx = (out * shape.in_channels + input) * TAPS * TAPS + tap;
                        let (x_idx, y_idx) =
                            (x_pixel * shape.in_channels + input, pixel * shape.out_channels + out);
                        f(x_idx, w_idx, y_idx, row_factor * col_factor);
                    }
                }
            }
        }
    }
}
