//! The gradient of a convolution followed by ReLU and 2×2 max-pool, as the few non-zero values.
//!
//! Of the four outputs in a pool's window one receives the gradient, or none if the ReLU was inactive. Dense
//! kernels would multiply by zero in at least three of four cases. The sparse ones iterate over a list of
//! *events*, one for each window and channel with a non-zero gradient:
//!
//! ```text
//!   dy, y, argmax of the pool          gradient before the pool
//!   ┌───┐                              ┌───┬───┐
//!   │ g │  argmax = 2        ───▶      │ 0 │ 0 │      g ← 0 where y ≤ 0
//!   └───┘                              ├───┼───┤      an event unless g = 0:
//!                                      │ g │ 0 │      its value g and its pixel
//!                                      └───┴───┘
//! ```
//!
//! [`events`] are listed by output channel, for a few images at a time. The [`weight`] gradient then keeps a
//! channel's sums in registers and adds up g · x; the [`input`] gradient keeps the channel's weights in
//! registers and adds g · w to the pixels. Both work on bordered [`Planes`] of at most 32 input channels.
//!
//! Exact for finite values: products with a zero gradient are left out, so an infinity or NaN that a dense
//! kernel would multiply by that zero has no effect.

pub(crate) mod events;
pub(crate) mod input;
pub(crate) mod weight;

use std::ops::Range;

use simd::{LANES, Simd, Vector};

use super::geometry::{Bordered, Geometry};

/// The kernel size that the sparse kernels are written for.
pub(crate) const KERNEL: usize = 3;

/// The maximum number of input channels of a plane: 3 rows × 3 taps × 32 channels are 18 vectors, which fit
/// into registers.
const PLANE_CHANNELS: usize = 32;

/// How many floats of bordered planes to keep in the L1 cache at a time.
const CACHED_LEN: usize = 8 << 10;

/// How the sparse kernels divide a convolution: its input into bordered planes with equally many channels,
/// and its weights into rows of taps.
///
/// A row of taps is the 3 · channels weights of a kernel row in a plane, which are multiplied with as many
/// contiguous values of the plane; it is padded to whole vectors. Weights and their gradient are kept as
/// `[plane][out][kh][row of taps]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Planes {
    /// The whole convolution.
    pub(crate) geometry: Geometry,
    /// The number of planes of the input.
    pub(crate) count: usize,
    /// The number of channels of a plane. The last plane may have fewer, with zeros for the others.
    pub(crate) channels: usize,
}

impl Planes {
    /// The planes of a 3×3 convolution.
    pub(crate) fn new(geometry: &Geometry) -> Self {
        debug_assert_eq!(geometry.kernel_size, [KERNEL, KERNEL]);
        let count = geometry.in_channels.div_ceil(PLANE_CHANNELS);
        Self { geometry: *geometry, count, channels: geometry.in_channels.div_ceil(count) }
    }

    /// The layout of a bordered plane.
    pub(crate) fn layout(&self) -> Bordered {
        Bordered::new(&Geometry { in_channels: self.channels, ..self.geometry }, [1, 1])
    }

    /// The number of vectors in a row of taps: one to six.
    pub(crate) fn row_vectors(&self) -> usize {
        (KERNEL * self.channels).div_ceil(LANES)
    }

    /// Floats of one output channel's three rows of taps in a plane.
    pub(crate) fn taps_len(&self) -> usize {
        KERNEL * self.row_vectors() * LANES
    }

    /// Floats of all weights.
    pub(crate) fn weights_len(&self) -> usize {
        self.count * self.geometry.out_channels * self.taps_len()
    }

    /// The number of images that are processed together.
    pub(crate) fn images_per_chunk(&self, n_images: usize) -> usize {
        (CACHED_LEN / self.layout().len()).clamp(1, n_images.max(1))
    }

    /// Floats of one bordered plane of `n_images` images. A vector may extend past the end of a row of taps
    /// by less than its length.
    pub(crate) fn scratch_len(&self, n_images: usize) -> usize {
        n_images * self.layout().len() + LANES
    }

    /// Rows and columns of pool windows.
    pub(crate) fn windows(&self) -> [usize; 2] {
        [self.geometry.out_height() / 2, self.geometry.out_width() / 2]
    }

    /// Elements of the pool's output, per image.
    pub(crate) fn pooled_len(&self) -> usize {
        self.windows().iter().product::<usize>() * self.geometry.out_channels
    }

    /// The input channels of a plane.
    pub(crate) fn channels_of(&self, plane: usize) -> Range<usize> {
        let first = plane * self.channels;
        first..self.geometry.in_channels.min(first + self.channels)
    }

    /// The start of a tap's weights in an output channel's rows of taps.
    #[inline(always)]
    pub(crate) fn tap_index(&self, tap: usize) -> usize {
        tap / KERNEL * self.row_vectors() * LANES + tap % KERNEL * self.channels
    }

    /// Copies plane `plane` of the images `x` into `scratch`, whose borders are zero.
    #[inline(always)]
    pub(crate) fn fill<S: Simd>(&self, simd: S, scratch: &mut [f32], x: &[f32], plane: usize) {
        let Geometry { height, width, in_channels, .. } = self.geometry;
        let layout = self.layout();
        let channels = self.channels_of(plane);
        for (row_idx, row) in x.chunks_exact(width * in_channels).enumerate() {
            let start = layout.row_start(row_idx / height, row_idx % height);
            let dst = &mut scratch[start..][..width * self.channels];
            if self.count == 1 {
                dst.copy_from_slice(row);
                continue;
            }
            for (dst, pixel) in dst.chunks_exact_mut(self.channels).zip(row.chunks_exact(in_channels)) {
                let (values, rest) = dst.split_at_mut(channels.len());
                for (dst, src) in values.chunks_mut(LANES).zip(pixel[channels.clone()].chunks(LANES)) {
                    simd.read(src).write(dst);
                }
                // Left over from the previous plane, if the last one is narrower.
                rest.fill(0.0);
            }
        }
    }
}

/// A kernel on rows of taps, with the numbers of rows and vectors as constants.
pub(crate) trait Tile {
    /// Computes `ROWS` kernel rows from `kernel_row` on, each of `VECS` vectors. If there are so few sums
    /// that additions wait for each other, they may be spread over `SETS` sets.
    fn compute<const ROWS: usize, const VECS: usize, const SETS: usize>(&mut self, kernel_row: usize);
}

/// Runs a kernel over the three rows of taps: at once with many registers, otherwise one by one.
#[inline(always)]
pub(crate) fn for_each_row_of_taps<S: Simd>(planes: &Planes, tile: &mut impl Tile) {
    match planes.row_vectors() {
        1 if S::MANY_REGISTERS => tile.compute::<KERNEL, 1, 4>(0),
        2 if S::MANY_REGISTERS => tile.compute::<KERNEL, 2, 2>(0),
        3 if S::MANY_REGISTERS => tile.compute::<KERNEL, 3, 1>(0),
        4 if S::MANY_REGISTERS => tile.compute::<KERNEL, 4, 1>(0),
        5 if S::MANY_REGISTERS => tile.compute::<KERNEL, 5, 1>(0),
        6 if S::MANY_REGISTERS => tile.compute::<KERNEL, 6, 1>(0),
        1 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 1, 4>(kernel_row)),
        2 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 2, 2>(kernel_row)),
        3 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 3, 1>(kernel_row)),
        4 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 4, 1>(kernel_row)),
        5 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 5, 1>(kernel_row)),
        6 => (0..KERNEL).for_each(|kernel_row| tile.compute::<1, 6, 1>(kernel_row)),
        more => unreachable!("a row of taps has one to six vectors, not {more}"),
    }
}
