//! Direct convolution: multiply-adds straight from the image, without a patch matrix.
//!
//! The tile is 2 rows × 4 columns of output pixels × 32 output channels (2 × 2 × 16 with few registers). Its
//! sums stay in registers while one loop runs over the kernel's rows and, in each, over the
//! `kernel_width · in_channels` input values under it, which are contiguous in memory:
//!
//! ```text
//!  bordered image, N × H × W × C                      packed weights
//!  row y    ▶ ░░░░░░░░░░░░                            [kh][kw][in][16]   [kh][kw][in][16]
//!             └ kw · in ┘ pixel 0                          channels 0–15     channels 16–31
//!                ░░░░░░░░░░░░
//!                └ kw · in ┘ pixel 1   …              each step k: 8 values, broadcast,
//!  row y+1  ▶ ░░░░░░░░░░░░                            times 2 vectors: 16 multiply-adds
//! ```
//!
//! The input gradient is the same kernel on [flipped](super::pack::Orientation) weights.
//!
//! Rounding error: each output is one chain of `kh·kw·in` fused multiply-adds, so
//! |error| ≤ (kh·kw·in + 1)·ε·(|x| ∗ |w|) to first order.

use simd::{Kernel, LANES, Simd};

use super::geometry::{Bordered, Geometry};
use super::images::Images;
use super::pack::block_len;
use super::sink::Sink;
use crate::tile::{Strides, TILE_ROWS, inner_product};

/// Output columns of a tile; half as many with few registers.
const TILE_COLS: usize = 4;

/// The layout of the bordered image that the kernel reads.
pub(crate) fn bordered(geometry: &Geometry) -> Bordered {
    Bordered::new(geometry, [TILE_ROWS, TILE_COLS])
}

/// Convolves the images `x` with `packed` weights into a sink.
pub(crate) struct Convolve<'a, K> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) x: Images<'a>,
    pub(crate) packed: &'a [f32],
    /// Space for one [`bordered`] image.
    pub(crate) scratch: &'a mut [f32],
    pub(crate) sink: K,
}

impl<K: Sink> Kernel for Convolve<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { geometry, x, packed, scratch, mut sink } = self;
        let layout = bordered(geometry);
        scratch.fill(0.0);
        for idx in 0..x.count(geometry.input_len()) {
            x.fill(simd, &layout, scratch, idx);
            let image = Image { geometry, layout, idx, pixels: scratch };
            if S::MANY_REGISTERS {
                image.convolve::<S, K, TILE_COLS, 2>(simd, packed, &mut sink);
            } else {
                image.convolve::<S, K, { TILE_COLS / 2 }, 1>(simd, packed, &mut sink);
            }
        }
    }
}

/// A bordered image and its index.
struct Image<'a> {
    geometry: &'a Geometry,
    layout: Bordered,
    idx: usize,
    pixels: &'a [f32],
}

impl Image<'_> {
    /// Computes all tiles for each block of `VECS` × 16 output channels, whose weights then stay in the
    /// cache.
    #[inline(always)]
    fn convolve<S: Simd, K: Sink, const COLS: usize, const VECS: usize>(
        &self,
        simd: S,
        packed: &[f32],
        sink: &mut K,
    ) {
        let block_len = block_len(self.geometry);
        let n_blocks = self.geometry.out_channels.div_ceil(LANES);
        let mut block = 0;
        while block < n_blocks {
            let n = if n_blocks - block >= VECS { VECS } else { 1 };
            let weights = &packed[block * block_len..][..n * block_len];
            let channel = block * LANES;
            if n == VECS {
                self.tiles::<S, K, COLS, VECS>(simd, weights, channel, sink);
            } else {
                self.tiles::<S, K, COLS, 1>(simd, weights, channel, sink);
            }
            block += n;
        }
    }

    /// Computes all tiles, for `VECS` × 16 output channels from `channel` on.
    #[inline(always)]
    fn tiles<S: Simd, K: Sink, const COLS: usize, const VECS: usize>(
        &self,
        simd: S,
        weights: &[f32],
        channel: usize,
        sink: &mut K,
    ) {
        let &Self { geometry, layout, .. } = self;
        let [kernel_height, kernel_width] = geometry.kernel_size;
        let strides = Strides { row: layout.row_len(), col: geometry.in_channels };
        for row in (0..geometry.out_height()).step_by(TILE_ROWS) {
            for col in (0..geometry.out_width()).step_by(COLS) {
                let corner = &self.pixels[row * layout.row_len() + col * geometry.in_channels..];
                let sums = inner_product::<S, COLS, VECS>(
                    simd,
                    corner,
                    strides,
                    kernel_height,
                    kernel_width * geometry.in_channels,
                    weights,
                    block_len(geometry),
                );
                for vec in 0..VECS {
                    for pair in (0..COLS).step_by(2) {
                        if col + pair >= geometry.out_width() {
                            break;
                        }
                        let window = [
                            [sums[0][pair][vec], sums[0][pair + 1][vec]],
                            [sums[1][pair][vec], sums[1][pair + 1][vec]],
                        ];
                        sink.window(simd, self.idx, row, col + pair, channel + vec * LANES, window);
                    }
                }
            }
        }
    }
}
