//! Winograd's F(4×4, 3×3): 4×4 outputs of a 3×3 convolution from 36 products instead of 144.
//!
//! The output is cut into tiles of 4×4. Input tiles of 6×6 and weights are transformed to 36 points, at each
//! of which a small matrix product over the channels takes place, tiles of several images together; its
//! result is transformed back:
//!
//! ```text
//!   x ─ bordered ─▶ 6×6 tiles ─ Bᵀ·B ─▶ V [36][tiles][in] ┐
//!                                                          ├ 36 products ─▶ M [36][tiles][32] ─ Aᵀ·A ─▶ 4×4
//!   w ─────────────────────── G·Gᵀ ──▶ U [36][in][out]    ┘    (32 output channels at a time)      outputs
//! ```
//!
//! A chunk of tiles is as large as the second-level cache takes. Borders and sizes that do not divide by 4 are
//! the bordered copy's business: outputs past the edge are computed and dropped.
//!
//! The input gradient is the same on rotated weights; the weight gradient ([`weight`]) goes the same way
//! backwards, dU = Σ Vᵀ · (A dy Aᵀ) over all tiles.
//!
//! Rounding: with Winograd's magnitude |Aᵀ| [(|G| |w| |Gᵀ|) ⊙ (|Bᵀ| |x| |B|)] |A|, which is up to a hundred
//! times |x| ∗ |w|, |error| ≤ (in + 30)·ε·magnitude to first order. On random data the error is about four
//! times that of the direct algorithm.

pub(crate) mod transform;
pub(crate) mod weight;

use std::ops::Range;

use super::geometry::{Bordered, Geometry};
use super::sink::{Plain, Pooled, Sink};
use crate::tile::{Strides, TILE_ROWS, inner_product};
use simd::{LANES, Simd, Vector, dispatch};
use transform::{INPUTS, Input, OUTPUTS, Output, POINTS, TAPS, Transform, Weight};

/// The kernel that the algorithm is made for.
pub(crate) const KERNEL_SIZE: [usize; 2] = [TAPS, TAPS];

/// Tiles of a product's register tile; chunks are multiples of it.
const TILE_GRANULE: usize = 8;

/// The floats of transformed input to aim at in a chunk of tiles: half a megabyte.
const CHUNK_LEN: usize = 1 << 17;

/// The fewest tiles of a full chunk, so that transformed weights are read from far caches seldom enough.
const MIN_TILES: usize = 48;

/// The floats of transformed weights that a second-level cache holds beside a chunk of tiles.
const CACHED_WEIGHTS_LEN: usize = 1 << 19;

/// Floats between the matrices of neighbouring points, so that a tile's 36 points do not fall into the same
/// few sets of a cache.
const POINT_GAP: usize = LANES;

/// Floats past the end of a bordered image that the last pixel's last vector may read.
const SLACK: usize = LANES;

/// The matrices of all points: equal numbers of rows of equal length.
#[derive(Clone, Copy, Debug)]
struct Points {
    row_len: usize,
    /// From one point's matrix to the next.
    stride: usize,
}

impl Points {
    fn new(n_rows: usize, row_len: usize) -> Self {
        Self { row_len, stride: n_rows * row_len + POINT_GAP }
    }

    fn len(&self) -> usize {
        POINTS * self.stride
    }
}

/// How the tiles of some images are worked through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    geometry: Geometry,
    tile_rows: usize,
    tile_cols: usize,
    /// Tiles of a chunk, all but the last one.
    chunk: usize,
    n_tiles: usize,
}

impl Tiling {
    /// The tiling of a 3×3 convolution of `n_images` images.
    pub(crate) fn new(geometry: &Geometry, n_images: usize) -> Self {
        debug_assert_eq!(geometry.kernel_size, KERNEL_SIZE);
        let (tile_rows, tile_cols) =
            (geometry.out_height().div_ceil(OUTPUTS), geometry.out_width().div_ceil(OUTPUTS));
        let n_tiles = n_images * tile_rows * tile_cols;
        let most = (CHUNK_LEN / (POINTS * geometry.in_channels.next_multiple_of(LANES))).max(MIN_TILES);
        // Chunks of about equal size.
        let chunk = n_tiles.div_ceil(n_tiles.div_ceil(most).max(1)).next_multiple_of(TILE_GRANULE);
        Self { geometry: *geometry, tile_rows, tile_cols, chunk, n_tiles }
    }

    /// The layout of the bordered images that the kernels read.
    fn layout(&self) -> Bordered {
        Bordered::new(&self.geometry, [OUTPUTS, OUTPUTS])
    }

    /// V: a row a tile of the chunk, a column an input channel, filled up to whole vectors.
    fn inputs(&self) -> Points {
        Points::new(self.chunk, self.geometry.in_channels.next_multiple_of(LANES))
    }

    /// M: a row a tile of the chunk, a column an output channel of a slab.
    fn outputs(&self, slab_len: usize) -> Points {
        Points::new(self.chunk, slab_len)
    }

    /// Floats of scratch that the forward kernels need.
    pub(crate) fn scratch_len(&self) -> usize {
        self.layout().len() + SLACK + self.inputs().len() + self.outputs(2 * LANES).len()
    }

    /// The chunks of tiles.
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (chunk, n_tiles) = (self.chunk, self.n_tiles);
        (0..n_tiles).step_by(chunk).map(move |first| first..n_tiles.min(first + chunk))
    }

    /// The image of a tile, and the row and column of its first output.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (row, col) = (tile / self.tile_cols % self.tile_rows, tile % self.tile_cols);
        (tile / (self.tile_rows * self.tile_cols), row * OUTPUTS, col * OUTPUTS)
    }
}

/// In how many tasks `n_images` are convolved, if others take `n_tasks`. Weights that fit no near cache are read once
/// a chunk, so where images are small enough that a task would not fill one, tasks are larger.
pub(crate) fn n_tasks(geometry: &Geometry, n_images: usize, n_tasks: usize) -> usize {
    if weights_len(geometry) <= CACHED_WEIGHTS_LEN {
        return n_tasks;
    }
    let n_full = (Tiling::new(geometry, n_images).n_tiles / MIN_TILES).max(1);
    // A power of two shares out evenly.
    n_tasks.min(1 << n_full.ilog2())
}

/// U: blocks of 16 output channels, in each a row an input channel.
fn weights(geometry: &Geometry) -> Points {
    Points::new(geometry.in_channels, LANES)
}

/// The length of the transformed weights: `[out / 16][36][in][16]`.
pub(crate) fn weights_len(geometry: &Geometry) -> usize {
    geometry.out_channels.div_ceil(LANES) * weights_block_len(geometry)
}

/// The length of the transformed weights of sixteen output channels.
pub(crate) fn weights_block_len(geometry: &Geometry) -> usize {
    weights(geometry).len()
}

dispatch! {
    /// Transforms a block of [packed](super::pack) weights: sixteen output channels.
    pub(crate) fn transform_weights(geometry: &Geometry, transformed: &mut [f32], packed: &[f32])
        = transform_weight_block;

    /// Convolves the images `x` with transformed `weights` into a plain output.
    pub(crate) fn forward(tiling: &Tiling, x: &[f32], weights: &[f32], scratch: &mut [f32], sink: Plain<'_>)
        = convolve;

    /// The same through bias, ReLU and 2×2 max-pool.
    pub(crate) fn forward_pooled(tiling: &Tiling, x: &[f32], weights: &[f32], scratch: &mut [f32], sink: Pooled<'_>)
        = convolve;
}

#[inline(always)]
fn transform_weight_block<S: Simd>(simd: S, geometry: &Geometry, transformed: &mut [f32], packed: &[f32]) {
    let points = weights(geometry);
    let tap_len = geometry.in_channels * LANES;
    for input in 0..geometry.in_channels {
        let mut kernel = [[simd.zero(); TAPS]; TAPS];
        for row in 0..TAPS {
            for col in 0..TAPS {
                kernel[row][col] = simd.read(&packed[(row * TAPS + col) * tap_len + input * LANES..]);
            }
        }
        let kernel = Weight::apply_both_ways(simd, kernel);
        write_points(kernel, &mut transformed[input * LANES..], points);
    }
}

#[inline(always)]
fn convolve<S: Simd, K: Sink<S>>(
    simd: S,
    tiling: &Tiling,
    x: &[f32],
    weights: &[f32],
    scratch: &mut [f32],
    mut sink: K,
) {
    let (bordered, rest) = scratch.split_at_mut(tiling.layout().len() + SLACK);
    let (v, m) = rest.split_at_mut(tiling.inputs().len());
    let mut source = Source::new(tiling, x, bordered);
    let block_len = weights_block_len(&tiling.geometry);
    for tiles in tiling.chunks() {
        source.transform(simd, v, tiles.clone());
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

/// The input of some images, and the bordered copy of the one at hand.
struct Source<'a> {
    tiling: &'a Tiling,
    x: &'a [f32],
    bordered: &'a mut [f32],
    image: Option<usize>,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn new(tiling: &'a Tiling, x: &'a [f32], bordered: &'a mut [f32]) -> Self {
        bordered.fill(0.0);
        Self { tiling, x, bordered, image: None }
    }

    /// V for a chunk of tiles; rows up to the next multiple of [`TILE_GRANULE`] are zero.
    #[inline(always)]
    fn transform<S: Simd>(&mut self, simd: S, v: &mut [f32], tiles: Range<usize>) {
        let (tiling, layout, points) = (self.tiling, self.tiling.layout(), self.tiling.inputs());
        let channels = tiling.geometry.in_channels;
        for (row, tile) in tiles.clone().enumerate() {
            let (image, first_row, first_col) = tiling.place(tile);
            if self.image != Some(image) {
                let input_len = tiling.geometry.input_len();
                layout.fill(self.bordered, &self.x[image * input_len..][..input_len]);
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
                let tile = Input::apply_both_ways(simd, tile);
                write_points(tile, &mut v[row * points.row_len + channel..], points);
            }
        }
        let filled = tiles.len().next_multiple_of(TILE_GRANULE);
        for point in v.chunks_exact_mut(points.stride) {
            point[tiles.len() * points.row_len..filled * points.row_len].fill(0.0);
        }
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
    let strides = Strides { row: COLS * inputs.row_len, col: inputs.row_len };
    for point in 0..POINTS {
        let v = &v[point * inputs.stride..];
        let m = &mut m[point * outputs.stride..];
        let weights = &weights[point * u.stride..];
        for first in (0..n_tiles).step_by(TILE_ROWS * COLS) {
            let sums = inner_product::<S, COLS, VECS>(
                simd,
                &v[first * inputs.row_len..],
                strides,
                1,
                tiling.geometry.in_channels,
                weights,
                u.len(),
            );
            let m = &mut m[first * outputs.row_len..][..TILE_ROWS * COLS * outputs.row_len];
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

/// Transforms M back and hands the outputs on, for `VECS` × 16 output channels from `channel` on.
#[inline(always)]
fn emit<S: Simd, K: Sink<S>, const VECS: usize>(
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
            let tile = read_points(simd, &m[tile_row * points.row_len + vec * LANES..], points);
            let tile = Output::apply_both_ways(simd, tile);
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

/// N×N pixels of sixteen channels, from the first on; `row_len` and `pixel_len` floats apart.
#[inline(always)]
fn read_tile<S: Simd, const N: usize>(
    simd: S,
    pixels: &[f32],
    row_len: usize,
    pixel_len: usize,
) -> [[S::V; N]; N] {
    assert!(pixels.len() >= (N - 1) * (row_len + pixel_len) + LANES);
    let mut tile = [[simd.zero(); N]; N];
    for row in 0..N {
        for col in 0..N {
            // SAFETY: the furthest vector is that of the last row and column: inside by the assertion above.
            tile[row][col] = unsafe { simd.load(pixels.as_ptr().add(row * row_len + col * pixel_len)) };
        }
    }
    tile
}

/// The 36 points of a row and vector, `first` being the first of them.
#[inline(always)]
fn read_points<S: Simd>(simd: S, first: &[f32], points: Points) -> [[S::V; INPUTS]; INPUTS] {
    assert!(first.len() >= (POINTS - 1) * points.stride + LANES);
    let mut tile = [[simd.zero(); INPUTS]; INPUTS];
    for row in 0..INPUTS {
        for col in 0..INPUTS {
            // SAFETY: the furthest vector is that of the last point: inside by the assertion above.
            tile[row][col] = unsafe { simd.load(first.as_ptr().add((row * INPUTS + col) * points.stride)) };
        }
    }
    tile
}

/// Writes the 36 points of a row and vector, `first` being the first of them.
#[inline(always)]
fn write_points<V: Vector>(tile: [[V; INPUTS]; INPUTS], first: &mut [f32], points: Points) {
    assert!(first.len() >= (POINTS - 1) * points.stride + LANES);
    for row in 0..INPUTS {
        for col in 0..INPUTS {
            // SAFETY: the furthest vector is that of the last point: inside by the assertion above.
            unsafe { tile[row][col].store(first.as_mut_ptr().add((row * INPUTS + col) * points.stride)) };
        }
    }
}
