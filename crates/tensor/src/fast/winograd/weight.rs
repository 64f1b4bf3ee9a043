//! The weight gradient by Winograd's transforms: dw = Gᵀ [Σ (Bᵀ x B) ⊙ (A dy Aᵀ)] G, summed over all tiles.
//!
//! ```text
//!   x  ─ 6×6 tiles ─ Bᵀ·B ─▶ V [36][tiles][in]  ┐
//!                                               ├ 36 products over the tiles ─▶ dU [out/16][36][in][16]
//!   dy ─ 4×4 tiles ─ A·Aᵀ ─▶ Y [36][tiles][out] ┘
//! ```
//!
//! dU is added up over the chunks of a group of images and transformed to [packed](crate::fast::pack) order at
//! the end. Rounding: |error| ≤ (tiles + 40)·ε·|Gᵀ| [Σ (|Bᵀ| |x| |B|) ⊙ (|A| |dy| |Aᵀ|)] |G| to first order.

use std::ops::Range;

use super::transform::{OUTPUTS, OutputAdjoint, POINTS, TAPS, Transform, WeightAdjoint};
use super::{
    Points, SLACK, Source, TILE_GRANULE, Tiling, read_points, read_tile, weights, weights_block_len,
    write_points,
};
use crate::Beta;
use crate::fast::geometry::{Bordered, Geometry};
use crate::fast::simd::{LANES, Simd, Vector, dispatch};
use crate::fast::tile::{Items, outer_product};

/// The fewest tiles of a full chunk: each chunk reads and writes all of dU.
const MIN_TILES: usize = 128;

/// The tiling for the weight gradient of `n_images` images.
pub(crate) fn tiling(geometry: &Geometry, n_images: usize) -> Tiling {
    let tiling = Tiling::new(geometry, n_images);
    let n_chunks = tiling.n_tiles.div_ceil(MIN_TILES.max(tiling.chunk)).max(1);
    Tiling { chunk: tiling.n_tiles.div_ceil(n_chunks).next_multiple_of(TILE_GRANULE), ..tiling }
}

/// Floats of scratch that [`backward_weight`] needs.
pub(crate) fn scratch_len(tiling: &Tiling) -> usize {
    let images = tiling.layout().len() + SLACK + gradient_layout(tiling).len() + SLACK;
    images + tiling.inputs().len() + gradients(tiling).len() + super::weights_len(&tiling.geometry)
}

/// The layout of the output gradient in whole tiles.
fn gradient_layout(tiling: &Tiling) -> Bordered {
    let Geometry { out_channels, .. } = tiling.geometry;
    let output = Geometry {
        height: tiling.geometry.out_height(),
        width: tiling.geometry.out_width(),
        in_channels: out_channels,
        out_channels,
        kernel_size: [1, 1],
        padding: [0, 0],
    };
    Bordered::new(&output, [OUTPUTS, OUTPUTS])
}

/// Y: a row a tile of the chunk, a column an output channel, filled up to whole vectors.
fn gradients(tiling: &Tiling) -> Points {
    Points::new(tiling.chunk, tiling.geometry.out_channels.next_multiple_of(LANES))
}

dispatch! {
    /// Writes the weight gradient of a group of images, as [packed](crate::fast::pack) weights.
    pub(crate) fn backward_weight(tiling: &Tiling, packed: &mut [f32], dy: &[f32], x: &[f32], scratch: &mut [f32])
        = group_gradient;
}

#[inline(always)]
fn group_gradient<S: Simd>(
    simd: S,
    tiling: &Tiling,
    packed: &mut [f32],
    dy: &[f32],
    x: &[f32],
    scratch: &mut [f32],
) {
    let (bordered_x, rest) = scratch.split_at_mut(tiling.layout().len() + SLACK);
    let (bordered_dy, rest) = rest.split_at_mut(gradient_layout(tiling).len() + SLACK);
    let (v, rest) = rest.split_at_mut(tiling.inputs().len());
    let (y, du) = rest.split_at_mut(gradients(tiling).len());
    let mut x = Source::new(tiling, x, bordered_x);
    let mut dy = GradientSource::new(tiling, dy, bordered_dy);
    for tiles in tiling.chunks() {
        x.transform(simd, v, tiles.clone());
        dy.transform(simd, y, tiles.clone());
        let beta = if tiles.start == 0 { Beta::Zero } else { Beta::One };
        multiply(simd, tiling, du, v, y, tiles.len(), beta);
    }
    let block_len = weights_block_len(&tiling.geometry);
    let packed_blocks = packed.chunks_exact_mut(TAPS * TAPS * tiling.geometry.in_channels * LANES);
    for (packed, du) in packed_blocks.zip(du.chunks_exact(block_len)) {
        transform_back(simd, &tiling.geometry, packed, du);
    }
}

/// The output gradient of a group of images, and the copy of the one at hand in whole tiles.
struct GradientSource<'a> {
    tiling: &'a Tiling,
    dy: &'a [f32],
    bordered: &'a mut [f32],
    image: Option<usize>,
}

impl<'a> GradientSource<'a> {
    #[inline(always)]
    fn new(tiling: &'a Tiling, dy: &'a [f32], bordered: &'a mut [f32]) -> Self {
        bordered.fill(0.0);
        Self { tiling, dy, bordered, image: None }
    }

    /// Y for a chunk of tiles.
    #[inline(always)]
    fn transform<S: Simd>(&mut self, simd: S, y: &mut [f32], tiles: Range<usize>) {
        let (tiling, layout, points) = (self.tiling, gradient_layout(self.tiling), gradients(self.tiling));
        let channels = tiling.geometry.out_channels;
        for (row, tile) in tiles.enumerate() {
            let (image, first_row, first_col) = tiling.place(tile);
            if self.image != Some(image) {
                let output_len = tiling.geometry.output_len();
                layout.fill(self.bordered, &self.dy[image * output_len..][..output_len]);
                self.image = Some(image);
            }
            let corner = first_row * layout.row_len() + first_col * channels;
            for channel in (0..channels).step_by(LANES) {
                let pixels = &self.bordered[corner + channel..];
                let tile = read_tile::<S, OUTPUTS>(simd, pixels, layout.row_len(), channels);
                let tile = OutputAdjoint::apply_both_ways(simd, tile);
                write_points(tile, &mut y[row * points.row_len + channel..], points);
            }
        }
    }
}

/// dU = β·dU + Vᵀ · Y at every point, over the `n_tiles` tiles of a chunk.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    tiling: &Tiling,
    du: &mut [f32],
    v: &[f32],
    y: &[f32],
    n_tiles: usize,
    beta: Beta,
) {
    let (inputs, gradients, products) = (tiling.inputs(), gradients(tiling), weights(&tiling.geometry));
    let n_blocks = tiling.geometry.out_channels.div_ceil(LANES);
    for point in 0..POINTS {
        let v = Rows { values: &v[point * inputs.stride..], row_len: inputs.row_len };
        let mut block = 0;
        while block < n_blocks {
            let y =
                Rows { values: &y[point * gradients.stride + block * LANES..], row_len: gradients.row_len };
            let du = &mut du[block * products.len() + point * products.stride..];
            let mut sums = Sums { du, block_len: products.len(), v, y, n_tiles, beta };
            if S::MANY_REGISTERS && block + 2 <= n_blocks {
                sums.block::<S, 2>(simd, tiling.geometry.in_channels);
                block += 2;
            } else {
                sums.block::<S, 1>(simd, tiling.geometry.in_channels);
                block += 1;
            }
        }
    }
}

/// A matrix with a row a tile.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    row_len: usize,
}

/// One point's product, for one or two blocks of output channels.
struct Sums<'a> {
    /// `[in][16]`, the second block `block_len` further on.
    du: &'a mut [f32],
    block_len: usize,
    v: Rows<'a>,
    y: Rows<'a>,
    n_tiles: usize,
    beta: Beta,
}

impl Sums<'_> {
    #[inline(always)]
    fn block<S: Simd, const VECS: usize>(&mut self, simd: S, in_channels: usize) {
        let mut input = 0;
        while input < in_channels {
            input += match in_channels - input {
                8.. if S::MANY_REGISTERS => self.tile::<S, 8, VECS>(simd, input),
                4.. => self.tile::<S, 4, VECS>(simd, input),
                2.. => self.tile::<S, 2, VECS>(simd, input),
                _ => self.tile::<S, 1, VECS>(simd, input),
            };
        }
    }

    /// The gradient of `ROWS` input channels from `input` on; returns `ROWS`.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECS: usize>(&mut self, simd: S, input: usize) -> usize {
        let mut sums = [[simd.zero(); VECS]; ROWS];
        let (v, y) = (&self.v.values[input..], self.y.values);
        let tiles = Items {
            n: self.n_tiles,
            a_stride: self.v.row_len,
            b_stride: self.y.row_len,
            vec_stride: LANES,
        };
        outer_product::<S, ROWS, VECS, false>(simd, &mut sums, v, y, tiles, LANES);
        for vec in 0..VECS {
            let du = &mut self.du[vec * self.block_len + input * LANES..][..ROWS * LANES];
            for row in 0..ROWS {
                let du = &mut du[row * LANES..][..LANES];
                let sum =
                    if self.beta == Beta::One { sums[row][vec] + simd.read(du) } else { sums[row][vec] };
                sum.write(du);
            }
        }
        ROWS
    }
}

/// Gᵀ dU G for sixteen output channels.
#[inline(always)]
fn transform_back<S: Simd>(simd: S, geometry: &Geometry, packed: &mut [f32], du: &[f32]) {
    let points = weights(geometry);
    let tap_len = geometry.in_channels * LANES;
    for input in 0..geometry.in_channels {
        let du = read_points(simd, &du[input * LANES..], points);
        let kernel = WeightAdjoint::apply_both_ways(simd, du);
        for row in 0..TAPS {
            for col in 0..TAPS {
                kernel[row][col].write(&mut packed[(row * TAPS + col) * tap_len + input * LANES..][..LANES]);
            }
        }
    }
}
