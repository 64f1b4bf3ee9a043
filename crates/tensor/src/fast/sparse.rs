//! The gradient of a convolution behind ReLU and 2×2 max-pool, as the few values that are not zero.
//!
//! Of the four outputs in a pool's window one receives the gradient, and none where ReLU was shut. Dense
//! kernels would multiply zeros three times out of four and more. The sparse ones walk a list of *events*,
//! one for each window and channel whose gradient is not zero:
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
//! Events are listed by output channel, for a few images at a time ([`list_events`]). The weight gradient then
//! holds a channel's sums in registers and adds up g · x; the input gradient holds the channel's weights
//! in registers and adds g · w to the pixels: [`sparse_weight`](super::sparse_weight),
//! [`sparse_input`](super::sparse_input). Both work on bordered [`Planes`] of at most 32 input channels.
//!
//! Exact for finite values: products with a zero gradient are left out, so an infinity or NaN that a dense
//! kernel would multiply with that zero does not show.

use std::ops::Range;

use super::geometry::{Bordered, Geometry};
use super::simd::{LANES, Simd, Vector, dispatch};

/// The kernel size that the sparse kernels are written for.
pub(crate) const KERNEL: usize = 3;

/// The most input channels of a plane: 3 rows × 3 taps × 32 channels are 18 vectors, which fit into registers.
const PLANE_CHANNELS: usize = 32;

/// The floats of bordered planes to have in the first-level cache at a time.
const CACHED_LEN: usize = 8 << 10;

/// How the sparse kernels cut up a convolution: its input into planes of equally many channels, with borders,
/// and its weights into rows of taps.
///
/// A row of taps are the 3 · channels weights of a kernel row in a plane, which meet as many neighbouring
/// values of the plane; it is padded to whole vectors. Weights and their gradient are kept as
/// `[plane][out][kh][row of taps]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    /// The whole convolution.
    pub(crate) geometry: Geometry,
    /// Planes of the input.
    pub(crate) count: usize,
    /// Channels of a plane. The last plane may have fewer, and zeros for the others.
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

    /// Vectors in a row of taps: one to six.
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

    /// The number of images that are handled together.
    pub(crate) fn images_per_chunk(&self, n_images: usize) -> usize {
        (CACHED_LEN / self.layout().len()).clamp(1, n_images.max(1))
    }

    /// Floats of one bordered plane of `n_images` images. A vector may reach over the end of a row of taps
    /// by less than its length.
    pub(crate) fn scratch_len(&self, n_images: usize) -> usize {
        n_images * self.layout().len() + LANES
    }

    /// Rows and columns of pool windows.
    pub(crate) fn windows(&self) -> [usize; 2] {
        [self.geometry.out_height() / 2, self.geometry.out_width() / 2]
    }

    /// Elements of the pool's output, an image.
    pub(crate) fn pooled_len(&self) -> usize {
        self.windows().iter().product::<usize>() * self.geometry.out_channels
    }

    /// The input channels of a plane.
    pub(crate) fn channels_of(&self, plane: usize) -> Range<usize> {
        let first = plane * self.channels;
        first..self.geometry.in_channels.min(first + self.channels)
    }

    /// Where in an output channel's rows of taps the weights of a tap begin.
    #[inline(always)]
    pub(crate) fn tap_index(&self, tap: usize) -> usize {
        tap / KERNEL * self.row_vectors() * LANES + tap % KERNEL * self.channels
    }

    /// Copies plane `plane` of the images `x` into `scratch`, whose borders are zero.
    #[inline(always)]
    pub(crate) fn fill(&self, scratch: &mut [f32], x: &[f32], plane: usize) {
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
                dst[..channels.len()].copy_from_slice(&pixel[channels.clone()]);
                // Left from the plane before, where the last one is narrower.
                dst[channels.len()..].fill(0.0);
            }
        }
    }
}

/// The events of some images, by output channel.
pub(crate) struct Events<'a> {
    /// `[channel][capacity]`: the pixel under the event's first tap, in the bordered planes of all images.
    pub(crate) pixels: &'a mut [u32],
    /// `[channel][capacity]`: the gradient.
    pub(crate) values: &'a mut [f32],
    /// The number of events of each channel.
    pub(crate) counts: &'a mut [u32],
    /// Room for the events of a channel: all its windows.
    pub(crate) capacity: usize,
}

impl<'a> Events<'a> {
    /// Floats of scratch for the events of `n_images` images.
    pub(crate) fn scratch_len(planes: &Planes, n_images: usize) -> usize {
        2 * n_images * planes.pooled_len() + planes.geometry.out_channels
    }

    /// Lists in `scratch`, for up to `n_images` images.
    pub(crate) fn new(planes: &Planes, scratch: &'a mut [f32], n_images: usize) -> Self {
        let len = n_images * planes.pooled_len();
        let (values, rest) = scratch.split_at_mut(len);
        let (pixels, counts) = as_u32(rest).split_at_mut(len);
        Self { pixels, values, counts, capacity: len / planes.geometry.out_channels }
    }

    /// The pixels and values of an output channel's events.
    #[inline(always)]
    pub(crate) fn of(&self, channel: usize) -> (&[u32], &[f32]) {
        let listed = channel * self.capacity..channel * self.capacity + self.counts[channel] as usize;
        (&self.pixels[listed.clone()], &self.values[listed])
    }

    /// Appends an event.
    #[inline(always)]
    fn push(&mut self, channel: usize, pixel: u32, value: f32) {
        let slot = channel * self.capacity + self.counts[channel] as usize;
        self.pixels[slot] = pixel;
        self.values[slot] = value;
        self.counts[channel] += 1;
    }
}

/// A slice of floats as one of integers: scratch memory is kept as floats.
fn as_u32(floats: &mut [f32]) -> &mut [u32] {
    // SAFETY: f32 and u32 have the same size and alignment, and every pattern of bits is a value of both.
    unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), floats.len()) }
}

/// A pooled output and its gradient, for some images.
#[derive(Clone, Copy)]
pub(crate) struct PooledGradient<'a> {
    pub(crate) dy: &'a [f32],
    pub(crate) y: &'a [f32],
    pub(crate) argmax: &'a [u8],
}

impl PooledGradient<'_> {
    /// The part of some images.
    pub(crate) fn of(&self, planes: &Planes, images: &Range<usize>) -> Self {
        let part = images.start * planes.pooled_len()..images.end * planes.pooled_len();
        Self { dy: &self.dy[part.clone()], y: &self.y[part.clone()], argmax: &self.argmax[part] }
    }
}

dispatch! {
    /// Lists the events of some images, and adds the sums of their values to `db`.
    pub(crate) fn list_events(planes: &Planes, events: &mut Events<'_>, db: &mut [f32], pooled: PooledGradient<'_>)
        = list;
}

#[inline(always)]
fn list<S: Simd>(
    simd: S,
    planes: &Planes,
    events: &mut Events<'_>,
    db: &mut [f32],
    PooledGradient { dy, y, argmax }: PooledGradient<'_>,
) {
    let channels = planes.geometry.out_channels;
    let [rows, cols] = planes.windows();
    let layout = planes.layout();
    // From a window's first pixel to each of its four.
    let distances = [0, 1, layout.cols, layout.cols + 1].map(|distance| distance as u32);
    events.counts.fill(0);
    for first in (0..channels).step_by(LANES) {
        let n = LANES.min(channels - first);
        let mut sum = simd.zero();
        for row in 0..y.len() / (channels * cols) {
            let corner = layout.first_pixel(row / rows, 2 * (row % rows)) as u32;
            for col in 0..cols {
                let at = (row * cols + col) * channels + first;
                let (dy, y) = (simd.read(&dy[at..at + n]), simd.read(&y[at..at + n]));
                // As PyTorch's threshold: the gradient passes unless y ≤ 0, so also where y is NaN.
                let gated = S::V::select(y.gt(simd.zero()) | y.is_nan(), dy, simd.zero());
                sum = sum + gated;

                let mut active = S::V::bits(gated.ne(simd.zero()));
                if active != 0 {
                    let mut values = [0.0; LANES];
                    gated.write(&mut values);
                    while active != 0 {
                        let lane = active.trailing_zeros() as usize;
                        let distance = distances[usize::from(argmax[at + lane] & 3)];
                        events.push(first + lane, corner + 2 * col as u32 + distance, values[lane]);
                        active &= active - 1;
                    }
                }
            }
        }
        let db = &mut db[first..first + n];
        (simd.read(db) + sum).write(db);
    }
}

/// A kernel on rows of taps, with the numbers of rows and vectors as constants.
pub(crate) trait Tile {
    /// Computes `ROWS` kernel rows from `kernel_row` on, each of `VECS` vectors. Sums that wait for each other
    /// because there are few of them may be spread over `SETS` sets.
    fn compute<const ROWS: usize, const VECS: usize, const SETS: usize>(&mut self, kernel_row: usize);
}

/// Runs a kernel over the three rows of taps: at once where there are many registers, else one by one.
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
