//! The weight gradient by Winograd's transforms: dw = Gᵀ [Σ (Bᵀ x B) ⊙ (A dy Aᵀ)] G, summed over all tiles.
//!
//! ```text
//!   x  ─ 6×6 tiles ─ Bᵀ·B ─▶ V [36][tiles][in]  ┐
//!                                               ├ 36 products over the tiles ─▶ dU ─ Gᵀ·G ─▶ + dw
//!   dy ─ 4×4 tiles ─ A·Aᵀ ─▶ Y [36][tiles][out] ┘
//! ```
//!
//! The whole of dU can be far larger than dw and the caches. So dw is processed in blocks of 64 input
//! channels × 32 output channels, whose dU stays in the L2 cache until it is transformed and added to dw, in
//! the order of [packed](crate::conv::pack) weights. Rounding error:
//! |error| ≤ (tiles + 40)·ε·|Gᵀ| [Σ (|Bᵀ| |x| |B|) ⊙ (|A| |dy| |Aᵀ|)] |G| to first order.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::forward::Source;
use super::points::{Points, read_points, read_tile, write_points};
use super::tiling::{SLACK, TILE_GRANULE, Tiling};
use super::transform::{OUTPUTS, OutputAdjoint, POINTS, TAPS, Transform, WeightAdjoint};
use crate::Beta;
use crate::conv::geometry::{Bordered, Geometry};
use crate::conv::images::Images;
use crate::conv::pack;
use crate::tile::{Items, outer_product};

/// The minimum number of tiles in a full chunk, since each chunk transforms all of dU.
const MIN_TILES: usize = 128;

/// Input channels of a block of dU.
const BLOCK_INPUTS: usize = 64;

/// dU for a block: one row for each of the block's input channels, first for one and then for the other
/// vector of output channels.
fn products() -> Points {
    Points::by_row(2 * BLOCK_INPUTS, LANES)
}

impl Tiling {
    /// The tiling for the weight gradient of `n_images` images.
    pub(crate) fn for_weight_gradient(geometry: &Geometry, n_images: usize) -> Self {
        let tiling = Self::new(geometry, n_images);
        let n_chunks = tiling.n_tiles.div_ceil(MIN_TILES.max(tiling.chunk)).max(1);
        Self { chunk: tiling.n_tiles.div_ceil(n_chunks).next_multiple_of(TILE_GRANULE), ..tiling }
    }

    /// The number of scratch floats that [`BackwardWeight`] needs.
    pub(crate) fn weight_scratch_len(&self) -> usize {
        let images = self.layout().len() + SLACK + gradient_layout(self).len() + SLACK;
        images + inputs(self).len() + gradients(self).len() + products().len()
    }
}

/// The layout of the output gradient in whole tiles.
fn gradient_layout(tiling: &Tiling) -> Bordered {
    tiling.geometry.output_layout([OUTPUTS, OUTPUTS])
}

/// V: one row per tile of the chunk, one column per input channel, padded to whole vectors.
fn inputs(tiling: &Tiling) -> Points {
    Points::by_block(tiling.chunk, tiling.geometry.in_channels.next_multiple_of(LANES))
}

/// Y: one row per tile of the chunk, one column per output channel, padded to whole vectors.
fn gradients(tiling: &Tiling) -> Points {
    Points::by_block(tiling.chunk, tiling.geometry.out_channels.next_multiple_of(LANES))
}

/// Writes the weight gradient of the images `x`, as [packed](crate::conv::pack) weights.
pub(crate) struct BackwardWeight<'a> {
    /// Created by [`Tiling::for_weight_gradient`].
    pub(crate) tiling: &'a Tiling,
    pub(crate) packed: &'a mut [f32],
    pub(crate) dy: Images<'a>,
    pub(crate) x: Images<'a>,
    /// Space for [`Tiling::weight_scratch_len`] floats.
    pub(crate) scratch: &'a mut [f32],
}

impl Kernel for BackwardWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { tiling, packed, dy, x, scratch } = self;
        let (bordered_x, rest) = scratch.split_at_mut(tiling.layout().len() + SLACK);
        let (bordered_dy, rest) = rest.split_at_mut(gradient_layout(tiling).len() + SLACK);
        let (v, rest) = rest.split_at_mut(inputs(tiling).len());
        let (y, du) = rest.split_at_mut(gradients(tiling).len());
        let mut x = Source::new(tiling, x, bordered_x);
        let mut dy = GradientSource::new(tiling, dy, bordered_dy);
        for tiles in tiling.chunks() {
            x.transform(simd, v, inputs(tiling), tiles.clone());
            dy.transform(simd, y, tiles.clone());
            let beta = if tiles.start == 0 { Beta::Zero } else { Beta::One };
            let chunk = Chunk { tiling, v, y, n_tiles: tiles.len(), beta };
            let block_len = pack::block_len(&tiling.geometry);
            for (slab_idx, slab) in packed.chunks_mut(2 * block_len).enumerate() {
                let channel = slab_idx * 2 * LANES;
                if S::MANY_REGISTERS && slab.len() == 2 * block_len {
                    chunk.add::<S, 2>(simd, slab, du, channel);
                } else {
                    for (idx, block) in slab.chunks_mut(block_len).enumerate() {
                        chunk.add::<S, 1>(simd, block, du, channel + idx * LANES);
                    }
                }
            }
        }
    }
}

/// The output gradient, and the copy of the current image's in whole tiles.
struct GradientSource<'a> {
    tiling: &'a Tiling,
    dy: Images<'a>,
    bordered: &'a mut [f32],
    image: Option<usize>,
}

impl<'a> GradientSource<'a> {
    #[inline(always)]
    fn new(tiling: &'a Tiling, dy: Images<'a>, bordered: &'a mut [f32]) -> Self {
        bordered.fill(0.0);
        Self { tiling, dy, bordered, image: None }
    }

    /// Computes Y for a chunk of tiles.
    #[inline(always)]
    fn transform<S: Simd>(&mut self, simd: S, y: &mut [f32], tiles: Range<usize>) {
        let (tiling, layout, points) = (self.tiling, gradient_layout(self.tiling), gradients(self.tiling));
        let channels = tiling.geometry.out_channels;
        for (row, tile) in tiles.enumerate() {
            let (image, first_row, first_col) = tiling.place(tile);
            if self.image != Some(image) {
                self.dy.fill(simd, &layout, self.bordered, image);
                self.image = Some(image);
            }
            let corner = first_row * layout.row_len() + first_col * channels;
            for channel in (0..channels).step_by(LANES) {
                let pixels = &self.bordered[corner + channel..];
                let tile = read_tile::<S, OUTPUTS>(simd, pixels, layout.row_len(), channels);
                let tile = OutputAdjoint::apply_2d(simd, tile);
                write_points(tile, &mut y[points.at(row, channel)..], points);
            }
        }
    }
}

/// A transformed chunk of tiles.
struct Chunk<'a> {
    tiling: &'a Tiling,
    v: &'a [f32],
    y: &'a [f32],
    n_tiles: usize,
    /// Whether the gradient is added to the existing contents.
    beta: Beta,
}

impl Chunk<'_> {
    /// `packed = β·packed +` the gradient of `VECS` × 16 output channels from `channel` on.
    #[inline(always)]
    fn add<S: Simd, const VECS: usize>(&self, simd: S, packed: &mut [f32], du: &mut [f32], channel: usize) {
        let in_channels = self.tiling.geometry.in_channels;
        for first in (0..in_channels).step_by(BLOCK_INPUTS) {
            let inputs = first..in_channels.min(first + BLOCK_INPUTS);
            self.multiply::<S, VECS>(simd, du, inputs.clone(), channel);
            self.transform_back::<S, VECS>(simd, packed, du, inputs);
        }
    }

    /// dU = Vᵀ · Y at every point, for a block.
    #[inline(always)]
    fn multiply<S: Simd, const VECS: usize>(
        &self,
        simd: S,
        du: &mut [f32],
        inputs: Range<usize>,
        channel: usize,
    ) {
        let (v, y) = (self::inputs(self.tiling), gradients(self.tiling));
        let tiles = Items {
            n: self.n_tiles,
            a_stride: v.row_stride,
            b_stride: y.row_stride,
            vec_stride: y.block_stride,
        };
        for point in 0..POINTS {
            let y = &self.y[point * y.stride + y.at(0, channel)..];
            for first in inputs.clone().step_by(LANES) {
                let mut sums = Sums {
                    du: &mut du[point * products().stride + products().at(first - inputs.start, 0)..],
                    v: &self.v[point * v.stride + v.at(0, first)..],
                    y,
                    tiles,
                };
                let n_inputs = LANES.min(inputs.end - first);
                let mut input = 0;
                while input < n_inputs {
                    input += match n_inputs - input {
                        8.. if S::MANY_REGISTERS => sums.tile::<S, 8, VECS>(simd, input),
                        6.. if !S::MANY_REGISTERS => sums.tile::<S, 6, VECS>(simd, input),
                        4.. => sums.tile::<S, 4, VECS>(simd, input),
                        2.. => sums.tile::<S, 2, VECS>(simd, input),
                        _ => sums.tile::<S, 1, VECS>(simd, input),
                    };
                }
            }
        }
    }

    /// `packed = β·packed + Gᵀ dU G`, for a block.
    #[inline(always)]
    fn transform_back<S: Simd, const VECS: usize>(
        &self,
        simd: S,
        packed: &mut [f32],
        du: &[f32],
        inputs: Range<usize>,
    ) {
        let tap_len = self.tiling.geometry.in_channels * LANES;
        for vec in 0..VECS {
            for (row, input) in inputs.clone().enumerate() {
                let du = read_points(simd, &du[(vec * BLOCK_INPUTS + row) * LANES..], products());
                let kernel = WeightAdjoint::apply_2d(simd, du);
                for tap in 0..TAPS * TAPS {
                    let packed = &mut packed[(vec * TAPS * TAPS + tap) * tap_len + input * LANES..][..LANES];
                    let mut sum = kernel[tap / TAPS][tap % TAPS];
                    if self.beta == Beta::One {
                        sum = sum + simd.read(packed);
                    }
                    sum.write(packed);
                }
            }
        }
    }
}

/// One point's product for a block.
struct Sums<'a> {
    du: &'a mut [f32],
    v: &'a [f32],
    y: &'a [f32],
    tiles: Items,
}

impl Sums<'_> {
    /// Computes the gradient of the block's `ROWS` input channels from `input` on; returns `ROWS`.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECS: usize>(&mut self, simd: S, input: usize) -> usize {
        let mut sums = [[simd.zero(); VECS]; ROWS];
        let v = &self.v[input..];
        outer_product::<S, ROWS, VECS, false>(simd, &mut sums, v, self.y, self.tiles, LANES);
        for vec in 0..VECS {
            let du = &mut self.du[(vec * BLOCK_INPUTS + input) * LANES..][..ROWS * LANES];
            for row in 0..ROWS {
                sums[row][vec].write(&mut du[row * LANES..][..LANES]);
            }
        }
        ROWS
    }
}
