//! Output and input gradient of a depthwise convolution, row by row.
//!
//! A row is split into lines whose pixels have the same taps: the whole row in the forward pass, and every
//! stride-th pixel in the backward pass, since a pixel only gets the taps that a step of the kernel places on
//! it. In a line the tap at output `j` reads the pixel `column + j·step`, so a tile of eight outputs (four
//! with few registers) is eight chains of multiply-adds with one weight per step.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::Direction;
use crate::Beta;
use crate::conv::Conv2dShape;

/// The maximum number of taps of a kernel: 8 × 8.
pub(super) const MAX_TAPS: usize = 64;

/// Computes some rows of the output, counted through the whole batch.
pub(super) struct Rows<'a> {
    pub(super) shape: &'a Conv2dShape,
    pub(super) direction: Direction,
    pub(super) rows: Range<usize>,
    pub(super) to: &'a mut [f32],
    pub(super) from: &'a [f32],
    /// `[kh][kw][C]`.
    pub(super) weights: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) beta: Beta,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { shape, direction, rows, to, from, weights, bias, beta } = self;
        let output = [shape.out_height(), shape.out_width()];
        let ([height, width], from_size, n_lines, step) = match direction {
            Direction::Forward => (output, [shape.height, shape.width], 1, shape.stride[1]),
            Direction::Backward => ([shape.height, shape.width], output, shape.stride[1], 1),
        };
        let channels = shape.groups;
        let image_len = from_size[0] * from_size[1] * channels;
        for (row, to) in rows.zip(to.chunks_exact_mut(width * channels)) {
            let from = &from[row / height * image_len..][..image_len];
            for first in 0..n_lines.min(width) {
                let taps = Taps::new(shape, direction, from_size, [row % height, first]);
                let n_pixels = (width - first).div_ceil(n_lines);
                let inside = taps.inside(n_pixels, step, from_size[1]);
                let line = Line {
                    channels,
                    taps: &taps,
                    from,
                    from_width: from_size[1],
                    weights,
                    bias,
                    beta,
                    first,
                    n_lines,
                    n_pixels,
                    step,
                    inside,
                };
                for channel in (0..channels).step_by(LANES) {
                    match (S::MANY_REGISTERS, channels - channel >= LANES) {
                        (true, true) => line.channels::<S, 8, 4, false>(simd, to, channel),
                        (true, false) => line.channels::<S, 8, 4, true>(simd, to, channel),
                        (false, true) => line.channels::<S, 4, 2, false>(simd, to, channel),
                        (false, false) => line.channels::<S, 4, 2, true>(simd, to, channel),
                    }
                }
            }
        }
    }
}

/// A tap of a line.
#[derive(Clone, Copy, Default)]
struct Tap {
    /// Its number in the kernel.
    number: usize,
    /// The first pixel of the row that it reads.
    row: usize,
    /// The column that it reads for the line's first pixel; may be outside the image.
    column: isize,
}

/// The taps of a line.
struct Taps {
    taps: [Tap; MAX_TAPS],
    n: usize,
}

impl Taps {
    /// The taps of the line whose first pixel is `[row, column]`.
    fn new(
        shape: &Conv2dShape,
        direction: Direction,
        [height, width]: [usize; 2],
        [row, column]: [usize; 2],
    ) -> Self {
        let mut taps = Self { taps: [Tap::default(); MAX_TAPS], n: 0 };
        let [kernel_height, kernel_width] = shape.kernel_size;
        for tap_row in 0..kernel_height {
            let from_row = place(shape, direction, 0, row, tap_row).and_then(|row| usize::try_from(row).ok());
            let Some(from_row) = from_row.filter(|&row| row < height) else { continue };
            for tap_column in 0..kernel_width {
                if let Some(column) = place(shape, direction, 1, column, tap_column) {
                    let number = tap_row * kernel_width + tap_column;
                    taps.taps[taps.n] = Tap { number, row: from_row * width, column };
                    taps.n += 1;
                }
            }
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = &Tap> {
        self.taps[..self.n].iter()
    }

    /// The pixels of a line for which no tap is outside the image.
    fn inside(&self, n_pixels: usize, step: usize, from_width: usize) -> Range<usize> {
        let (mut start, mut end) = (0, n_pixels);
        for tap in self.iter() {
            start = start.max(usize::try_from(-tap.column).unwrap_or(0).div_ceil(step));
            let behind = usize::try_from(from_width as isize - tap.column).unwrap_or(0).div_ceil(step);
            end = end.min(behind);
        }
        start.min(end)..end
    }
}

/// What a tap reads on an axis for the output at `at`: a place that may be outside the image, or nothing, as
/// in the backward pass if the kernel steps over `at`.
fn place(shape: &Conv2dShape, direction: Direction, axis: usize, at: usize, tap: usize) -> Option<isize> {
    let (stride, padding) = (shape.stride[axis] as isize, shape.padding[axis] as isize);
    let (at, tap) = (at as isize, (tap * shape.dilation[axis]) as isize);
    match direction {
        Direction::Forward => Some(at * stride + tap - padding),
        Direction::Backward => {
            let distance = at + padding - tap;
            (distance % stride == 0).then_some(distance / stride)
        }
    }
}

/// Pixels of a row with the same taps: number `first`, and every `n_lines`-th after it.
struct Line<'a> {
    channels: usize,
    taps: &'a Taps,
    /// The image that is read.
    from: &'a [f32],
    from_width: usize,
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    beta: Beta,
    first: usize,
    n_lines: usize,
    n_pixels: usize,
    /// The distance from what a tap reads for one pixel to what it reads for the next.
    step: usize,
    inside: Range<usize>,
}

impl Line<'_> {
    /// Computes all pixels of the line, for 16 channels from `channel` on; `PARTIAL` when there are fewer.
    #[inline(always)]
    fn channels<S: Simd, const COLS: usize, const FEWER: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        to: &mut [f32],
        channel: usize,
    ) {
        let Range { start, end } = self.inside.clone();
        let mut pixel = 0;
        while pixel < self.n_pixels {
            let left = if pixel >= start { end.saturating_sub(pixel) } else { 0 };
            pixel += if left >= COLS {
                self.tile::<S, COLS, PARTIAL, true>(simd, to, channel, pixel)
            } else if left >= FEWER {
                self.tile::<S, FEWER, PARTIAL, true>(simd, to, channel, pixel)
            } else {
                self.tile::<S, 1, PARTIAL, false>(simd, to, channel, pixel)
            };
        }
    }

    /// Computes `COLS` pixels from number `pixel` on; unless they are `INSIDE`, taps may be outside the
    /// image. Returns `COLS`.
    #[inline(always)]
    fn tile<S: Simd, const COLS: usize, const PARTIAL: bool, const INSIDE: bool>(
        &self,
        simd: S,
        to: &mut [f32],
        channel: usize,
        pixel: usize,
    ) -> usize {
        let channels = self.channels;
        let n = if PARTIAL { channels - channel } else { LANES };
        let bias = self.bias.map_or(simd.zero(), |bias| simd.read(&bias[channel..][..n]));
        let mut sums = [bias; COLS];
        let (stride, reach) = (self.step * channels, (COLS - 1) * self.step * channels + n);
        for tap in self.taps.iter() {
            let column = tap.column + (pixel * self.step) as isize;
            if !INSIDE && !(0..self.from_width as isize).contains(&column) {
                continue;
            }
            let weight = simd.read(&self.weights[tap.number * channels + channel..][..n]);
            let from = &self.from[(tap.row + column as usize) * channels + channel..][..reach];
            for col in 0..COLS {
                // SAFETY: `from` ends after the last of the columns' `n` values.
                let x = unsafe {
                    let x = from.as_ptr().add(col * stride);
                    if PARTIAL { simd.load_partial(x, n) } else { simd.load(x) }
                };
                sums[col] = weight.mul_add(x, sums[col]);
            }
        }
        for (col, sum) in sums.into_iter().enumerate() {
            let to_pixel = self.first + (pixel + col) * self.n_lines;
            let to = &mut to[to_pixel * channels + channel..][..n];
            let sum = if self.beta == Beta::One { sum + simd.read(to) } else { sum };
            sum.write(to);
        }
        COLS
    }
}
