//! The weight gradient of a 3×3 convolution from the events after its pool.
//!
//! An event of output channel o with value g at pixel (y, x) adds g · x[y + kh][x + kw][in] to
//! dw[o][kh][kw][in]. The sums of one output channel stay in registers while a loop runs over its events,
//! without a branch:
//!
//! ```text
//!   bordered plane of ≤ 32 input channels          sums of one output channel
//!        pixel x  pixel x+1  pixel x+2
//!   y    ░░░███████████████████████████░░░  · g ▶  kh = 0: 3 · channels, up to 6 vectors
//!   y+1  ░░░███████████████████████████░░░  · g ▶  kh = 1
//!   y+2  ░░░███████████████████████████░░░  · g ▶  kh = 2
//! ```
//!
//! The three taps of a kernel row are contiguous in memory, so the nine values of three input channels take
//! one vector instead of three.
//!
//! Rounding error: chains of one multiply-add per event, |error| ≤ (events + 4)·ε·(|x| ∗ |g|) to first order.

use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

use super::events::{Event, Events};
use super::{KERNEL, Planes, Tile, for_each_row_of_taps};
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::transpose::write_transposed;

/// `dw = β·dw +` the weight gradient of the images `x` with these events, as `[plane][out][kh][row of taps]`.
pub(crate) struct BackwardWeight<'a, 'e> {
    pub(crate) planes: &'a Planes,
    pub(crate) dw: &'a mut [f32],
    pub(crate) x: &'a [f32],
    pub(crate) events: &'a Events<'e>,
    /// Space for a plane of all images, see [`Planes::scratch_len`].
    pub(crate) scratch: &'a mut [f32],
    pub(crate) beta: Beta,
}

impl Kernel for BackwardWeight<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { planes, dw, x, events, scratch, beta } = self;
        scratch.fill(0.0);
        let mut taps = dw.chunks_exact_mut(planes.taps_len());
        for plane in 0..planes.count {
            planes.fill(simd, scratch, x, plane);
            for (out, dw) in taps.by_ref().take(planes.geometry.out_channels).enumerate() {
                let events = events.of(out);
                let row_len = planes.layout().row_len();
                let mut sums =
                    Sums { simd, dw, x: scratch, row_len, channels: planes.channels, events, beta };
                for_each_row_of_taps::<S>(planes, &mut sums);
            }
        }
    }
}

/// The sums of one output channel in one plane.
struct Sums<'a, S> {
    simd: S,
    dw: &'a mut [f32],
    x: &'a [f32],
    row_len: usize,
    channels: usize,
    events: &'a [Event],
    beta: Beta,
}

impl<S: Simd> Tile for Sums<'_, S> {
    #[inline(always)]
    fn compute<const ROWS: usize, const VECS: usize, const SETS: usize>(&mut self, kernel_row: usize) {
        let mut sets = [[[self.simd.zero(); VECS]; ROWS]; SETS];
        let (whole, rest) = self.events.as_chunks::<SETS>();
        for events in whole {
            for set in 0..SETS {
                self.add_event(&mut sets[set], kernel_row, events[set]);
            }
        }
        for &event in rest {
            self.add_event(&mut sets[0], kernel_row, event);
        }
        for row in 0..ROWS {
            for vec in 0..VECS {
                let mut sum = sets[0][row][vec];
                for set in 1..SETS {
                    sum = sum + sets[set][row][vec];
                }
                let dw = &mut self.dw[((kernel_row + row) * VECS + vec) * LANES..][..LANES];
                if self.beta == Beta::One {
                    sum = sum + self.simd.read(dw);
                }
                sum.write(dw);
            }
        }
    }
}

impl<S: Simd> Sums<'_, S> {
    /// Adds one event to the sums of `ROWS` kernel rows from `kernel_row` on.
    #[inline(always)]
    fn add_event<const ROWS: usize, const VECS: usize>(
        &self,
        sums: &mut [[S::V; VECS]; ROWS],
        kernel_row: usize,
        event: Event,
    ) {
        let first = event.pixel as usize * self.channels + kernel_row * self.row_len;
        let x = &self.x[first..first + (ROWS - 1) * self.row_len + VECS * LANES];
        let value = self.simd.splat(event.value);
        for row in 0..ROWS {
            for vec in 0..VECS {
                // SAFETY: `x` extends to the last vector of the last row.
                let x = unsafe { self.simd.load(x.as_ptr().add(row * self.row_len + vec * LANES)) };
                sums[row][vec] = value.mul_add(x, sums[row][vec]);
            }
        }
    }
}

/// `dw = β·dw + gradient`, from `[plane][out][kh][row of taps]` to PyTorch's order.
pub(crate) fn unpack(level: Level, dw: &mut [f32], gradient: &[f32], planes: &Planes, beta: Beta) {
    let row_len = planes.geometry.in_channels * KERNEL * KERNEL;
    for_each_chunk(planes.geometry.out_channels, LANES, dw.len(), rows_mut(dw, row_len), |outs, rows| {
        dispatch(level, UnpackRows { planes, rows: rows.into_slice(), gradient, first: outs.start, beta });
    });
}

/// Unpacks the rows of some output channels from `first` on.
struct UnpackRows<'a> {
    planes: &'a Planes,
    rows: &'a mut [f32],
    gradient: &'a [f32],
    first: usize,
    beta: Beta,
}

impl Kernel for UnpackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { planes, rows, gradient, first, beta } = self;
        let n_taps = KERNEL * KERNEL;
        for (out, row) in rows.chunks_exact_mut(planes.geometry.in_channels * n_taps).enumerate() {
            for plane in 0..planes.count {
                let taps = (plane * planes.geometry.out_channels + first + out) * planes.taps_len();
                let channels = planes.channels_of(plane);
                let row = &mut row[channels.start * n_taps..channels.end * n_taps];
                for (idx, row) in row.chunks_mut(LANES * n_taps).enumerate() {
                    let n = row.len() / n_taps;
                    let mut columns = [simd.zero(); LANES];
                    for tap in 0..n_taps {
                        columns[tap] =
                            simd.read(&gradient[taps + planes.tap_index(tap) + idx * LANES..][..n]);
                    }
                    write_transposed(simd, columns, row, n_taps, n, n_taps, beta);
                }
            }
        }
    }
}
