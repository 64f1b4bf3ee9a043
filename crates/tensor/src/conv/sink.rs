//! Where a forward kernel's results go: stored as they are, or through bias, optional ReLU, and 2×2 max-pool.
//!
//! Every forward kernel passes its results on as windows of 2×2 output pixels × 16 channels, still in
//! registers, so pooling costs no pass over memory.

use super::geometry::Geometry;
use crate::Beta;
use simd::{LANES, Simd, Vector};

/// The output's sizes, which determine the part of a window inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputSize {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl OutputSize {
    /// The size of a convolution's output.
    pub(crate) fn of(geometry: &Geometry) -> Self {
        Self { height: geometry.out_height(), width: geometry.out_width(), channels: geometry.out_channels }
    }
}

/// Receives the windows of some images, in any order.
pub(crate) trait Sink {
    /// Receives the 2×2 outputs with top left (`row`, `col`), for channels `channel..channel + 16`. Both may
    /// extend past the output's edge.
    fn window<S: Simd>(
        &mut self,
        simd: S,
        image: usize,
        row: usize,
        col: usize,
        channel: usize,
        window: [[S::V; 2]; 2],
    );
}

/// `y = β·y + window + bias`, for the images in `y`.
pub(crate) struct Plain<'a> {
    pub(crate) y: &'a mut [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) beta: Beta,
    pub(crate) size: OutputSize,
}

impl Sink for Plain<'_> {
    #[inline(always)]
    fn window<S: Simd>(
        &mut self,
        simd: S,
        image: usize,
        row: usize,
        col: usize,
        channel: usize,
        window: [[S::V; 2]; 2],
    ) {
        let OutputSize { height, width, channels } = self.size;
        let n = LANES.min(channels - channel);
        let bias = self.bias.map(|bias| simd.read(&bias[channel..]));
        for row_idx in 0..2.min(height - row) {
            for col_idx in 0..2.min(width - col) {
                let pixel = (image * height + row + row_idx) * width + col + col_idx;
                let y = &mut self.y[pixel * channels + channel..][..n];
                let mut value = window[row_idx][col_idx];
                if let Some(bias) = bias {
                    value = value + bias;
                }
                if self.beta == Beta::One {
                    value = value + simd.read(y);
                }
                value.write(y);
            }
        }
    }
}

/// `y = max-pool(relu(window + bias))`, or without the ReLU, with the position 2·row + col of each maximum in
/// `argmax`.
///
/// `size` is that of the convolution's output; `y` and `argmax` have half as many rows and columns, rounded
/// down.
pub(crate) struct Pooled<'a> {
    pub(crate) y: &'a mut [f32],
    pub(crate) argmax: &'a mut [u8],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) relu: bool,
    pub(crate) size: OutputSize,
}

impl Sink for Pooled<'_> {
    #[inline(always)]
    fn window<S: Simd>(
        &mut self,
        simd: S,
        image: usize,
        row: usize,
        col: usize,
        channel: usize,
        window: [[S::V; 2]; 2],
    ) {
        let OutputSize { height, width, channels } = self.size;
        if row + 1 >= height || col + 1 >= width {
            return;
        }
        let n = LANES.min(channels - channel);
        let bias = self.bias.map_or(simd.zero(), |bias| simd.read(&bias[channel..]));
        // The bias is added first, so that values that round to a tie are tied, as without fusion.
        let mut max = window[0][0] + bias;
        let mut argmax = simd.zero();
        for position in 1..4 {
            let value = window[position / 2][position % 2] + bias;
            // As in PyTorch, the first of equal maxima wins, and NaN beats everything.
            let wins = value.gt(max) | value.is_nan();
            max = S::V::select(wins, value, max);
            argmax = S::V::select(wins, simd.splat(position as f32), argmax);
        }
        let pixel = (image * (height / 2) + row / 2) * (width / 2) + col / 2;
        let start = pixel * channels + channel;
        let y = if self.relu { max.relu() } else { max };
        y.write(&mut self.y[start..][..n]);
        let bytes = argmax.to_bytes();
        // A copy of exactly sixteen bytes compiles to a move instead of a call.
        match self.argmax[start..][..n].first_chunk_mut() {
            Some(whole) => *whole = bytes,
            None => self.argmax[start..][..n].copy_from_slice(&bytes[..n]),
        }
    }
}
