//! Direct convolution: multiply-adds straight from the image, without a patch matrix.
//!
//! The tile is 2 rows × 4 columns of output pixels × 32 output channels (2 × 2 × 16 where registers are few).
//! Its sums stay in registers while one loop runs over the kernel's rows and, in each, over the
//! `kernel_width · in_channels` input values under it, which lie one after another in memory:
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
//! The input gradient is the same kernel on [rotated](super::pack::Rotation) weights.
//!
//! Rounding: each output is one chain of `kh·kw·in` fused multiply-adds, so
//! |error| ≤ (kh·kw·in + 1)·ε·(|x| ∗ |w|) to first order.

use super::geometry::{Bordered, Geometry};
use super::pack::block_len;
use super::sink::{Plain, Pooled, Sink};
use crate::tile::{Strides, TILE_ROWS, inner_product};
use simd::{LANES, Simd, dispatch};

/// Output columns of a tile; where registers are few it computes half of them.
const TILE_COLS: usize = 4;

/// The layout of the bordered image that the kernels below read.
pub(crate) fn bordered(geometry: &Geometry) -> Bordered {
    Bordered::new(geometry, [TILE_ROWS, TILE_COLS])
}

dispatch! {
    /// Convolves the images `x` with `packed` weights into a plain output. `scratch` holds one [`bordered`]
    /// image.
    pub(crate) fn forward(geometry: &Geometry, x: &[f32], packed: &[f32], scratch: &mut [f32], sink: Plain<'_>)
        = convolve;

    /// The same through bias, ReLU and 2×2 max-pool.
    pub(crate) fn forward_pooled(geometry: &Geometry, x: &[f32], packed: &[f32], scratch: &mut [f32], sink: Pooled<'_>)
        = convolve;
}

#[inline(always)]
fn convolve<S: Simd, K: Sink<S>>(
    simd: S,
    geometry: &Geometry,
    x: &[f32],
    packed: &[f32],
    scratch: &mut [f32],
    mut sink: K,
) {
    let layout = bordered(geometry);
    scratch.fill(0.0);
    for (image, pixels) in x.chunks_exact(geometry.input_len()).enumerate() {
        layout.fill(scratch, pixels);
        if S::MANY_REGISTERS {
            convolve_image::<S, K, TILE_COLS, 2>(simd, geometry, layout, scratch, packed, image, &mut sink);
        } else {
            convolve_image::<S, K, { TILE_COLS / 2 }, 1>(
                simd, geometry, layout, scratch, packed, image, &mut sink,
            );
        }
    }
}

/// One image: for each block of `VECS` × 16 output channels, whose weights then stay in the cache, all tiles.
#[inline(always)]
fn convolve_image<S: Simd, K: Sink<S>, const COLS: usize, const VECS: usize>(
    simd: S,
    geometry: &Geometry,
    layout: Bordered,
    x: &[f32],
    packed: &[f32],
    image: usize,
    sink: &mut K,
) {
    let block_len = block_len(geometry);
    let n_blocks = geometry.out_channels.div_ceil(LANES);
    let mut block = 0;
    while block < n_blocks {
        let n = if n_blocks - block >= VECS { VECS } else { 1 };
        let weights = &packed[block * block_len..][..n * block_len];
        let channel = block * LANES;
        if n == VECS {
            convolve_block::<S, K, COLS, VECS>(simd, geometry, layout, x, weights, image, channel, sink);
        } else {
            convolve_block::<S, K, COLS, 1>(simd, geometry, layout, x, weights, image, channel, sink);
        }
        block += n;
    }
}

/// All tiles of one image for `VECS` × 16 output channels from `channel` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn convolve_block<S: Simd, K: Sink<S>, const COLS: usize, const VECS: usize>(
    simd: S,
    geometry: &Geometry,
    layout: Bordered,
    x: &[f32],
    weights: &[f32],
    image: usize,
    channel: usize,
    sink: &mut K,
) {
    let [kernel_height, kernel_width] = geometry.kernel_size;
    let strides = Strides { row: layout.row_len(), col: geometry.in_channels };
    for row in (0..geometry.out_height()).step_by(TILE_ROWS) {
        for col in (0..geometry.out_width()).step_by(COLS) {
            let corner = &x[row * layout.row_len() + col * geometry.in_channels..];
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
                    sink.window(simd, image, row, col + pair, channel + vec * LANES, window);
                }
            }
        }
    }
}
