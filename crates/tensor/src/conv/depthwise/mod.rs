//! Depthwise convolution, where each channel has its own kernel: as many groups as channels.
//!
//! Channels are contiguous, so a vector holds sixteen of one pixel and a tap is one multiply-add of vectors:
//!
//! ```text
//!  image, N × H × W × C                               weights, [kh][kw][C]
//!  row y    ▶ ░░░░████░░░░ pixel 0                    ░░░░████░░░░ tap (0, 0)
//!             ░░░░████░░░░ pixel 1   …                ░░░░████░░░░ tap (0, 1)   …
//!                 └ 16 channels                           └ the same 16
//! ```
//!
//! Nothing is copied: `im2col` would build a patch matrix with one column per group. [`line`] has the kernel
//! for output and input gradient, [`weight`] that for the weight gradient. Each output is one chain of
//! `kh·kw` multiply-adds, so
//! |error| ≤ (kh·kw + 1)·ε·(|x| ∗ |w|) to first order.

mod line;
#[cfg(test)]
mod tests;
mod weight;

use simd::{Level, dispatch};

use super::Conv2dShape;
use crate::parallel::{Shards, for_each_chunk, rows_mut, sum_over_shards};
use crate::{Beta, scratch};
use line::{MAX_TAPS, Rows};

/// The number of output floats per task.
const TASK_LEN: usize = 1 << 14;

/// A convolution with as many groups as channels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Depthwise {
    pub(super) level: Level,
    pub(super) shape: Conv2dShape,
}

/// The direction of a pass: output from input, or input gradient from output gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Direction {
    Forward,
    Backward,
}

impl Depthwise {
    /// The convolution, if each channel has its own kernel, with few enough taps.
    pub(super) fn of(shape: &Conv2dShape) -> Option<Self> {
        let Conv2dShape { in_channels, out_channels, groups, kernel_size: [kh, kw], .. } = *shape;
        let takes = groups > 1 && in_channels == groups && out_channels == groups;
        let is_small = kh.checked_mul(kw).is_some_and(|n_taps| n_taps <= MAX_TAPS);
        (takes && is_small).then_some(Self { level: Level::current(), shape: *shape })
    }

    /// y = x ∗ w + bias.
    pub(super) fn forward(&self, y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>) {
        self.convolve(Direction::Forward, y, x, w, bias, Beta::Zero);
    }

    /// dx = β·dx + the gradient: at each pixel, from the outputs that depend on it.
    pub(super) fn backward_input(&self, dx: &mut [f32], dy: &[f32], w: &[f32], beta: Beta) {
        self.convolve(Direction::Backward, dx, dy, w, None, beta);
    }

    /// dw = β·dw + the sum over the shards of the batch, combined in the tree.
    pub(super) fn backward_weight(
        &self,
        dw: &mut [f32],
        dy: &[f32],
        x: &[f32],
        shards: &Shards<'_>,
        beta: Beta,
    ) {
        let Self { level, shape } = self;
        let image_len = shape.height * shape.width * shape.in_channels;
        let out_image_len = shape.out_height() * shape.out_width() * shape.out_channels;
        scratch::with(dw.len(), |sum| {
            sum_over_shards(sum, shards, self.work(), (), |images, packed, ()| {
                let x = &x[images.start * image_len..images.end * image_len];
                let dy = &dy[images.start * out_image_len..images.end * out_image_len];
                dispatch(*level, weight::BackwardWeight { shape, packed, dy, x });
            });
            beta.prepare(dw);
            let n_taps = self.n_taps();
            for (tap, sum) in sum.chunks_exact(shape.groups).enumerate() {
                let dw = dw[tap..].iter_mut().step_by(n_taps);
                dw.zip(sum).for_each(|(dw, sum)| *dw += sum);
            }
        });
    }

    /// `to` = β·`to` + the convolution of `from`, in either direction, + bias.
    fn convolve(
        &self,
        direction: Direction,
        to: &mut [f32],
        from: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        beta: Beta,
    ) {
        let Self { level, shape } = self;
        let (height, width) = match direction {
            Direction::Forward => (shape.out_height(), shape.out_width()),
            Direction::Backward => (shape.height, shape.width),
        };
        let row_len = width * shape.groups;
        scratch::with(w.len(), |packed| {
            let n_taps = self.n_taps();
            for (tap, packed) in packed.chunks_exact_mut(shape.groups).enumerate() {
                packed.iter_mut().zip(w[tap..].iter().step_by(n_taps)).for_each(|(packed, &w)| *packed = w);
            }
            let weights = &*packed;
            let chunk = (TASK_LEN / row_len).max(1);
            for_each_chunk(shape.batch * height, chunk, self.work(), rows_mut(to, row_len), |rows, to| {
                let to = to.into_slice();
                dispatch(*level, Rows { shape, direction, rows, to, from, weights, bias, beta });
            });
        });
    }

    fn n_taps(&self) -> usize {
        self.shape.kernel_size[0] * self.shape.kernel_size[1]
    }

    fn work(&self) -> usize {
        self.shape.output_len().saturating_mul(self.n_taps()) / 8
    }
}
