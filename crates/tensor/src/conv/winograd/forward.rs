//! The forward pass: transforms images to points, multiplies over the channels at each point, and transforms
//! back into a sink.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::points::{Points, read_points, read_tile, write_points};
use super::tiling::{SLACK, TILE_GRANULE, Tiling, weights, weights_block_len};
use super::transform::{INPUTS, Input, OUTPUTS, Output, POINTS, TAPS, Transform, Weight};
use crate::conv::geometry::Geometry;
use crate::conv::images::Images;
use crate::conv::sink::Sink;
use crate::tile::{Strides, TILE_ROWS, inner_product};

/// Transforms a block of [packed](crate::conv::pack) weights: sixteen output channels.
pub(crate) struct TransformWeights<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) transformed: &'a mut [f32],
    pub(crate) packed: &'a [f32],
}

impl Kernel for TransformWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { geometry, transformed, packed } = self;
        let points = weights(geometry);
        let tap_len = geometry.in_channels * LANES;
        for input in 0..geometry.in_channels {
            let mut kernel = [[simd.zero(); TAPS]; TAPS];
            for row in 0..TAPS {
                for col in 0..TAPS {
                    kernel[row][col] = simd.read(&packed[(row * TAPS + col) * tap_len + input * LANES..]);
                }
            }
            let kernel = Weight::apply_2d(simd, kernel);
            write_points(kernel, &mut transformed[input * LANES..], points);
        }
    }
}

/// Convolves the images `x` with transformed `weights` into a sink.
pub(crate) struct Convolve<'a, K> {
    pub(crate) tiling: &'a Tiling,
    pub(crate) x: Images<'a>,
    pub(crate) weights: &'a [f32],
    /// Space for [`Tiling::scratch_len`] floats.
    pub(crate) scratch: &'a mut [f32],
    pub(crate) sink: K,
}

impl<K: Sink> Kernel for Convolve<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { tiling, x, weights, scratch, mut sink } = self;
        let (bordered, rest) = scratch.split_at_mut(tiling.layout().len() + SLACK);
        let (v, m) = rest.split_at_mut(tiling.inputs().len());
        let mut source = Source::new(tiling, x, bordered);
        let block_len = weights_block_len(&tiling.geometry);
        for tiles in tiling.chunks() {
            source.transform(simd, v, tiling.inputs(), tiles.clone());
            clear_rest(tiling, v, tiles.len());
            let mut channel = 0;
            for slab in weights.chunks(2 * block_len) {
                if S::MANY_REGISTERS && slab.len() == 2 * block_len {
                    multiply::<S, 4, 2>(simd, tiling, m, v, slab, tiles.len());
                    emit::<S, K, 2>(simd, tiling, m, tiles.clone(), channel, &mut sink);
                } else {
                    for (idx, block) in slab.chunks(block_len).enumerate() {
                        multiply::<S, 2, 1>(simd, tiling, m, v, block, tiles.len());
                        emit::<S, K, 1>(simd, tiling, m, tiles.clone(), channel + idx * LANES, &mut sink);
                    }
                }
                channel += 2 * LANES;
            }
        }
    }
}

/// The images `x`, and the bordered copy of the current one.
pub(super) struct Source<'a> {
    tiling: &'a Tiling,
    x: Images<'a>,
    bordered: &'a mut [f32],
    image: Option<usize>,
}

impl<'a> Source<'a> {
    #[inline(always)]
    pub(super) fn new(tiling: &'a Tiling, x: Images<'a>, bordered: &'a mut [f32]) -> Self {
        bordered.fill(0.0);
        Self { tiling, x, bordered, image: None }
    }

    /// Computes V, laid out as `points`, for a chunk of tiles.
    #[inline(always)]
    pub(super) fn transform<S: Simd>(&mut self, simd: S, v: &mut [f32], points: Points, tiles: Range<usize>) {
        let (tiling, layout) = (self.tiling, self.tiling.layout());
        let channels = tiling.geometry.in_channels;
        for (row, tile) in tiles.enumerate() {
            let (image, first_row, first_col) = tiling.place(tile);
            if self.image != Some(image) {
                self.x.fill(simd, &layout, self.bordered, image);
                self.image = Some(image);
            }
            let corner = first_row * layout.row_len() + first_col * channels;
            for channel in (0..channels).step_by(LANES) {
                let tile = read_tile::<S, INPUTS>(
                    simd,
                    &self.bordered[corner + channel..],
                    layout.row_len(),
                    channels,
                );
                let tile = Input::apply_2d(simd, tile);
                write_points(tile, &mut v[points.at(row, channel)..], points);
            }
        }
    }
}

/// Sets the rows of V from `n_tiles` up to the next multiple of [`TILE_GRANULE`] to zero.
fn clear_rest(tiling: &Tiling, v: &mut [f32], n_tiles: usize) {
    let points = tiling.inputs();
    let rest = points.at(n_tiles, 0)..points.at(n_tiles.next_multiple_of(TILE_GRANULE), 0);
    for point in v.chunks_exact_mut(points.stride) {
        point[rest.clone()].fill(0.0);
    }
}

/// M = V · U at every point, for `VECS` × 16 output channels and a chunk of `n_tiles` tiles.
#[inline(always)]
fn multiply<S: Simd, const COLS: usize, const VECS: usize>(
    simd: S,
    tiling: &Tiling,
    m: &mut [f32],
    v: &[f32],
    weights: &[f32],
    n_tiles: usize,
) {
    let (inputs, outputs) = (tiling.inputs(), tiling.outputs(VECS * LANES));
    let u = self::weights(&tiling.geometry);
    let strides = Strides { row: COLS * inputs.row_stride, col: inputs.row_stride };
    for point in 0..POINTS {
        let v = &v[point * inputs.stride..];
        let m = &mut m[point * outputs.stride..];
        let weights = &weights[point * u.stride..];
        for first in (0..n_tiles).step_by(TILE_ROWS * COLS) {
            let sums = inner_product::<S, COLS, VECS>(
                simd,
                &v[inputs.at(first, 0)..],
                strides,
                1,
                tiling.geometry.in_channels,
                weights,
                u.len(),
            );
            let m = &mut m[outputs.at(first, 0)..][..TILE_ROWS * COLS * outputs.row_stride];
            for row in 0..TILE_ROWS {
                for col in 0..COLS {
                    for vec in 0..VECS {
                        sums[row][col][vec].write(&mut m[((row * COLS + col) * VECS + vec) * LANES..]);
                    }
                }
            }
        }
    }
}

/// Transforms M back and passes the outputs to the sink, for `VECS` × 16 output channels from `channel` on.
#[inline(always)]
fn emit<S: Simd, K: Sink, const VECS: usize>(
    simd: S,
    tiling: &Tiling,
    m: &[f32],
    tiles: Range<usize>,
    channel: usize,
    sink: &mut K,
) {
    let points = tiling.outputs(VECS * LANES);
    let (height, width) = (tiling.geometry.out_height(), tiling.geometry.out_width());
    for (tile_row, tile) in tiles.enumerate() {
        let (image, first_row, first_col) = tiling.place(tile);
        for vec in 0..VECS {
            let tile = read_points(simd, &m[points.at(tile_row, vec * LANES)..], points);
            let tile = Output::apply_2d(simd, tile);
            for row in (0..OUTPUTS).step_by(2) {
                for col in (0..OUTPUTS).step_by(2) {
                    if first_row + row < height && first_col + col < width {
                        let window = [
                            [tile[row][col], tile[row][col + 1]],
                            [tile[row + 1][col], tile[row + 1][col + 1]],
                        ];
                        let (row, col) = (first_row + row, first_col + col);
                        sink.window(simd, image, row, col, channel + vec * LANES, window);
                    }
                }
            }
        }
    }
}
