//! The list of events: where and how large the gradients are that pool and ReLU let through.

use std::ops::Range;

use super::Planes;
use crate::fast::simd::{LANES, Simd, Vector, dispatch};

/// The events of some images, by output channel.
pub(crate) struct Events<'a> {
    /// `[channel][capacity]`: the pixel under an event's first tap, counted through the bordered planes of all
    /// images at hand. Integers, as bits of floats.
    pixels: &'a mut [f32],
    /// `[channel][capacity]`: the gradient.
    values: &'a mut [f32],
    /// The number of events of each channel.
    counts: &'a mut [u32],
    /// Room for the events of a channel.
    capacity: usize,
}

impl<'a> Events<'a> {
    /// Floats of scratch for the events of `n_images` images.
    pub(crate) fn scratch_len(planes: &Planes, n_images: usize) -> usize {
        planes.geometry.out_channels * (2 * capacity(planes, n_images) + 1)
    }

    /// Lists in `scratch`, for up to `n_images` images.
    pub(crate) fn new(planes: &Planes, scratch: &'a mut [f32], n_images: usize) -> Self {
        let n_outs = planes.geometry.out_channels;
        let capacity = capacity(planes, n_images);
        let (counts, lists) = scratch[..Self::scratch_len(planes, n_images)].split_at_mut(n_outs);
        let (pixels, values) = lists.split_at_mut(n_outs * capacity);
        // SAFETY: f32 and u32 have the same size and alignment, and every pattern of bits is a value of both.
        let counts = unsafe { std::slice::from_raw_parts_mut(counts.as_mut_ptr().cast(), n_outs) };
        Self { pixels, values, counts, capacity }
    }

    /// An output channel's events.
    #[inline(always)]
    pub(crate) fn of(&self, channel: usize) -> List<'_> {
        let listed = channel * self.capacity..channel * self.capacity + self.counts[channel] as usize;
        List { pixels: &self.pixels[listed.clone()], values: &self.values[listed] }
    }

    /// Appends to a channel's list the lanes whose value is not zero.
    #[inline(always)]
    fn append<V: Vector>(&mut self, channel: usize, pixels: V, values: V, zero: V) {
        let active = V::bits(values.ne(zero));
        let end = channel * self.capacity + self.counts[channel] as usize;
        // A list has room for a vector more than there are windows, so whole vectors can be written.
        pixels.compress(active).write(&mut self.pixels[end..end + LANES]);
        values.compress(active).write(&mut self.values[end..end + LANES]);
        self.counts[channel] += active.count_ones();
    }
}

/// All windows of the images, and a vector more; that is also a cache line, so the channels' lists do not all
/// begin in the same few sets of the cache.
fn capacity(planes: &Planes, n_images: usize) -> usize {
    n_images * planes.pooled_len() / planes.geometry.out_channels + LANES
}

/// The events of one output channel.
#[derive(Clone, Copy)]
pub(crate) struct List<'a> {
    pixels: &'a [f32],
    values: &'a [f32],
}

impl List<'_> {
    /// How many events there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.pixels.len()
    }

    /// An event's pixel and value.
    #[inline(always)]
    pub(crate) fn get(&self, idx: usize) -> (usize, f32) {
        (self.pixels[idx].to_bits() as usize, self.values[idx])
    }
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
    pub(crate) fn list(planes: &Planes, events: &mut Events<'_>, db: &mut [f32], pooled: PooledGradient<'_>)
        = list_with;
}

/// Windows are taken sixteen at a time, and sixteen channels: what is a vector a window, of channels, is
/// transposed to a vector a channel, of windows, and squeezed into that channel's list.
#[inline(always)]
fn list_with<S: Simd>(
    simd: S,
    planes: &Planes,
    events: &mut Events<'_>,
    db: &mut [f32],
    pooled: PooledGradient<'_>,
) {
    let channels = planes.geometry.out_channels;
    let n_windows = pooled.y.len() / channels;
    events.counts.fill(0);
    for first_window in (0..n_windows).step_by(LANES) {
        let windows = first_window..n_windows.min(first_window + LANES);
        for first in (0..channels).step_by(LANES) {
            let lanes = first..channels.min(first + LANES);
            let (values, pixels) = gate(simd, planes, pooled, windows.clone(), lanes.clone());
            let db = &mut db[lanes.clone()];
            let mut sum = simd.read(db);
            for row in 0..LANES {
                sum = sum + values[row];
            }
            sum.write(db);
            let (values, pixels) = (S::V::transpose(values), S::V::transpose(pixels));
            for (lane, channel) in lanes.enumerate() {
                events.append(channel, pixels[lane], values[lane], simd.zero());
            }
        }
    }
}

/// The gated gradients of up to sixteen windows and channels, a vector a window, and their pixels.
#[inline(always)]
fn gate<S: Simd>(
    simd: S,
    planes: &Planes,
    PooledGradient { dy, y, argmax }: PooledGradient<'_>,
    windows: Range<usize>,
    lanes: Range<usize>,
) -> ([S::V; LANES], [S::V; LANES]) {
    let channels = planes.geometry.out_channels;
    let [rows, cols] = planes.windows();
    let layout = planes.layout();
    let mut values = [simd.zero(); LANES];
    let mut pixels = [simd.zero(); LANES];
    for (idx, window) in windows.enumerate() {
        let at = window * channels + lanes.start..window * channels + lanes.end;
        let (dy, y) = (simd.read(&dy[at.clone()]), simd.read(&y[at.clone()]));
        // As PyTorch's threshold: the gradient passes unless y ≤ 0, so also where y is NaN.
        values[idx] = S::V::select(y.gt(simd.zero()) | y.is_nan(), dy, simd.zero());

        let mut bytes = [0; LANES];
        match argmax[at.clone()].first_chunk() {
            Some(whole) => bytes = *whole,
            None => bytes[..at.len()].copy_from_slice(&argmax[at]),
        }
        let position = simd.numbers(&bytes);
        let (row, col) = (window / cols, window % cols);
        let corner = layout.first_pixel(row / rows, 2 * (row % rows)) + 2 * col;
        // Pixel numbers travel as the bits of floats, which are only selected from.
        let number = |distance: usize| simd.splat(f32::from_bits((corner + distance) as u32));
        pixels[idx] = number(0);
        for (place, distance) in [(1.0, 1), (2.0, layout.cols), (3.0, layout.cols + 1)] {
            let elsewhere = position.ne(simd.splat(place));
            pixels[idx] = S::V::select(elsewhere, pixels[idx], number(distance));
        }
    }
    (values, pixels)
}
