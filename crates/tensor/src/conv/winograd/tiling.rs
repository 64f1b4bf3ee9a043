//! How the work is divided: images into tiles, tiles into chunks, a batch into tasks; and all sizes.

use std::ops::Range;

use simd::LANES;

use super::KERNEL_SIZE;
use super::points::Points;
use super::transform::{OUTPUTS, POINTS};
use crate::conv::geometry::{Bordered, Geometry};

/// The number of tiles in a product's register tile; chunks are multiples of it.
pub(super) const TILE_GRANULE: usize = 8;

/// The target number of floats of transformed input in a chunk of tiles: half a megabyte.
const CHUNK_LEN: usize = 1 << 17;

/// The minimum number of tiles in a full chunk, so that transformed weights are rarely read from outer
/// caches.
const MIN_TILES: usize = 48;

/// How many floats of transformed weights fit in the L2 cache alongside a chunk of tiles.
const CACHED_WEIGHTS_LEN: usize = 1 << 19;

/// How many floats past the end of a bordered image the last pixel's last vector may read.
pub(super) const SLACK: usize = LANES;

/// How the tiles of some images are processed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    pub(super) geometry: Geometry,
    pub(super) tile_rows: usize,
    pub(super) tile_cols: usize,
    /// The number of tiles in each chunk but the last.
    pub(super) chunk: usize,
    pub(super) n_tiles: usize,
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
    pub(super) fn layout(&self) -> Bordered {
        Bordered::new(&self.geometry, [OUTPUTS, OUTPUTS])
    }

    /// V: one row per tile of the chunk, one column per input channel, padded to whole vectors.
    pub(super) fn inputs(&self) -> Points {
        Points::by_row(self.chunk, self.geometry.in_channels.next_multiple_of(LANES))
    }

    /// M: one row per tile of the chunk, one column per output channel of a slab.
    pub(super) fn outputs(&self, slab_len: usize) -> Points {
        Points::by_row(self.chunk, slab_len)
    }

    /// The number of scratch floats that the forward kernels need.
    pub(crate) fn scratch_len(&self) -> usize {
        self.layout().len() + SLACK + self.inputs().len() + self.outputs(2 * LANES).len()
    }

    /// The chunks of tiles.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (chunk, n_tiles) = (self.chunk, self.n_tiles);
        (0..n_tiles).step_by(chunk).map(move |first| first..n_tiles.min(first + chunk))
    }

    /// The image of a tile, and the row and column of its first output.
    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (row, col) = (tile / self.tile_cols % self.tile_rows, tile % self.tile_cols);
        (tile / (self.tile_rows * self.tile_cols), row * OUTPUTS, col * OUTPUTS)
    }
}

/// The number of tasks for `n_images`, if other methods use `n_tasks`. Weights too large for the L2 cache are
/// read once per chunk, so if images are so small that a task would not fill a chunk, tasks are larger.
pub(crate) fn n_tasks(geometry: &Geometry, n_images: usize, n_tasks: usize) -> usize {
    if weights_len(geometry) <= CACHED_WEIGHTS_LEN {
        return n_tasks;
    }
    let n_full = (Tiling::new(geometry, n_images).n_tiles / MIN_TILES).max(1);
    // A power of two divides evenly.
    n_tasks.min(1 << n_full.ilog2())
}

/// U: blocks of 16 output channels, each with one row per input channel.
pub(super) fn weights(geometry: &Geometry) -> Points {
    Points::by_row(geometry.in_channels, LANES)
}

/// The length of the transformed weights: `[out / 16][36][in][16]`.
pub(crate) fn weights_len(geometry: &Geometry) -> usize {
    geometry.out_channels.div_ceil(LANES) * weights_block_len(geometry)
}

/// The length of the transformed weights of sixteen output channels.
pub(crate) fn weights_block_len(geometry: &Geometry) -> usize {
    weights(geometry).len()
}
