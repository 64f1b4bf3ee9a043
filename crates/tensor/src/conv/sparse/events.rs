//! The list of events: the positions and values of the gradients that pool and ReLU pass on.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::Planes;

/// A gradient that is not zero.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Event {
    /// The pixel under its first tap, counted through the bordered planes of all current images.
    pub(crate) pixel: u32,
    /// The gradient.
    pub(crate) value: f32,
}

/// The events of some images, by output channel.
pub(crate) struct Events<'a> {
    /// `[channel][capacity]`
    events: &'a mut [Event],
    /// The number of events of each channel.
    counts: &'a mut [u32],
    /// The capacity for the events of a channel.
    capacity: usize,
}

impl<'a> Events<'a> {
    /// The number of scratch floats for the events of `n_images` images.
    pub(crate) fn scratch_len(planes: &Planes, n_images: usize) -> usize {
        planes.geometry.out_channels * (2 * capacity(planes, n_images) + 1)
    }

    /// Creates lists in `scratch`, for up to `n_images` images.
    pub(crate) fn new(planes: &Planes, scratch: &'a mut [f32], n_images: usize) -> Self {
        let n_outs = planes.geometry.out_channels;
        let capacity = capacity(planes, n_images);
        let (counts, events) = scratch[..Self::scratch_len(planes, n_images)].split_at_mut(n_outs);
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is valid for both.
        let counts = unsafe { std::slice::from_raw_parts_mut(counts.as_mut_ptr().cast(), n_outs) };
        // SAFETY: an event is two such values with the same alignment, and there are twice as many floats.
        let events = unsafe { std::slice::from_raw_parts_mut(events.as_mut_ptr().cast(), n_outs * capacity) };
        Self { events, counts, capacity }
    }

    /// An output channel's events.
    #[inline(always)]
    pub(crate) fn of(&self, channel: usize) -> &[Event] {
        &self.events[channel * self.capacity..][..self.counts[channel] as usize]
    }

    #[inline(always)]
    fn push(&mut self, channel: usize, event: Event) {
        let count = &mut self.counts[channel];
        self.events[channel * self.capacity + *count as usize] = event;
        *count += 1;
    }
}

/// All windows of the images, plus a cache line, so that the channels' lists do not start in the same few
/// cache sets.
fn capacity(planes: &Planes, n_images: usize) -> usize {
    n_images * planes.pooled_len() / planes.geometry.out_channels + 64 / size_of::<Event>()
}

/// The output of a pool, the positions of its maxima, and its gradient.
#[derive(Clone, Copy)]
pub struct PooledGradient<'a> {
    /// The gradient of the output.
    pub dy: &'a [f32],
    /// The output of the forward pass.
    pub y: &'a [f32],
    /// The position of each maximum in its window, from the forward pass.
    pub argmax: &'a [u8],
}

impl PooledGradient<'_> {
    /// The part for some images.
    pub(crate) fn of(&self, planes: &Planes, images: &Range<usize>) -> Self {
        let part = images.start * planes.pooled_len()..images.end * planes.pooled_len();
        Self { dy: &self.dy[part.clone()], y: &self.y[part.clone()], argmax: &self.argmax[part] }
    }
}

/// Lists the events of some images, and adds the sums of their values to `db`.
pub(crate) struct List<'a, 'e> {
    pub(crate) planes: &'a Planes,
    pub(crate) events: &'a mut Events<'e>,
    pub(crate) db: &'a mut [f32],
    pub(crate) pooled: PooledGradient<'a>,
}

impl Kernel for List<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { planes, events, db, pooled: PooledGradient { dy, y, argmax } } = self;
        let channels = planes.geometry.out_channels;
        let [rows, cols] = planes.windows();
        let layout = planes.layout();
        // The distances from a window's first pixel to each of its four.
        let distances = [0, 1, layout.cols, layout.cols + 1].map(|distance| distance as u32);
        events.counts.fill(0);
        for (window, y) in y.chunks_exact(channels).enumerate() {
            let (row, col) = (window / cols, window % cols);
            let corner = (layout.first_pixel(row / rows, 2 * (row % rows)) + 2 * col) as u32;
            let at = window * channels..(window + 1) * channels;
            let (dy, argmax) = (&dy[at.clone()], &argmax[at]);
            for first in (0..channels).step_by(LANES) {
                let lanes = first..channels.min(first + LANES);
                let (dy, y) = (simd.read(&dy[lanes.clone()]), simd.read(&y[lanes.clone()]));
                // Like PyTorch's threshold: the gradient passes unless y ≤ 0, so also where y is NaN.
                let gated = S::V::select(y.gt(simd.zero()) | y.is_nan(), dy, simd.zero());
                let mut active = S::V::bits(gated.ne(simd.zero()));
                if active == 0 {
                    continue;
                }
                let db = &mut db[lanes];
                (simd.read(db) + gated).write(db);
                let mut values = [0.0; LANES];
                gated.write(&mut values);
                while active != 0 {
                    let lane = active.trailing_zeros() as usize % LANES;
                    let channel = first + lane;
                    let pixel = corner + distances[usize::from(argmax[channel] & 3)];
                    events.push(channel, Event { pixel, value: values[lane] });
                    active &= active - 1;
                }
            }
        }
    }
}
