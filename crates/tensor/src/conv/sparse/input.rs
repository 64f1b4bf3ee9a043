//! The input gradient of a 3×3 convolution from the events after its pool.
//!
//! An event of output channel o with value g at pixel (y, x) adds g · w[o][kh][kw][in] to the input gradient
//! at (y + kh, x + kw), for the nine taps. The weights of one output channel stay in registers while a loop
//! runs over its events, without a branch:
//!
//! ```text
//!   weights of one output channel               bordered plane of ≤ 32 input channels
//!                                                    pixel x  pixel x+1  pixel x+2
//!   kh = 0: 3 · channels, up to 6 vectors  · g ▶ y    ░░░███████████████████████████░░░
//!   kh = 1                                 · g ▶ y+1  ░░░███████████████████████████░░░
//!   kh = 2                                 · g ▶ y+2  ░░░███████████████████████████░░░
//! ```
//!
//! The plane is then added to the gradient without its border.
//!
//! Rounding error: chains of one multiply-add per tap and output channel, |error| ≤ (9·out + 1)·ε·(|g| ∗ |w|)
//! to first order.

use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

use super::events::{Event, Events};
use super::{KERNEL, Planes, Tile, for_each_row_of_taps};
use crate::Beta;
use crate::conv::geometry::Geometry;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::transpose::read_transposed;

/// Packs PyTorch's weights as `[plane][out][kh][row of taps]`.
pub(crate) fn pack(level: Level, packed: &mut [f32], w: &[f32], planes: &Planes) {
    let n_outs = planes.geometry.out_channels;
    let rows = rows_mut(packed, planes.taps_len());
    for_each_chunk(planes.count * n_outs, n_outs, w.len(), rows, |taps, rows| {
        dispatch(level, PackPlane { planes, packed: rows.into_slice(), w, plane: taps.start / n_outs });
    });
}

/// Packs the weights of one plane.
struct PackPlane<'a> {
    planes: &'a Planes,
    packed: &'a mut [f32],
    w: &'a [f32],
    plane: usize,
}

impl Kernel for PackPlane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { planes, packed, w, plane } = self;
        let n_taps = KERNEL * KERNEL;
        let channels = planes.channels_of(plane);
        packed.fill(0.0);
        let rows = w.chunks_exact(planes.geometry.in_channels * n_taps);
        for (packed, w) in packed.chunks_exact_mut(planes.taps_len()).zip(rows) {
            for (idx, w) in
                w[channels.start * n_taps..channels.end * n_taps].chunks(LANES * n_taps).enumerate()
            {
                let n = w.len() / n_taps;
                let taps = read_transposed(simd, w, n_taps, n, n_taps);
                for tap in 0..n_taps {
                    taps[tap].write(&mut packed[planes.tap_index(tap) + idx * LANES..][..n]);
                }
            }
        }
    }
}

/// `dx = β·dx +` the input gradient of images with these events.
pub(crate) struct BackwardInput<'a, 'e> {
    pub(crate) planes: &'a Planes,
    pub(crate) dx: &'a mut [f32],
    pub(crate) events: &'a Events<'e>,
    pub(crate) packed: &'a [f32],
    /// Space for a plane of all images, see [`Planes::scratch_len`].
    pub(crate) scratch: &'a mut [f32],
    pub(crate) beta: Beta,
}

impl Kernel for BackwardInput<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { planes, dx, events, packed, scratch, beta } = self;
        let mut taps = packed.chunks_exact(planes.taps_len());
        for plane in 0..planes.count {
            scratch.fill(0.0);
            for (out, weights) in taps.by_ref().take(planes.geometry.out_channels).enumerate() {
                let events = events.of(out);
                let row_len = planes.layout().row_len();
                let mut scatter =
                    Scatter { simd, dx: scratch, weights, row_len, channels: planes.channels, events };
                for_each_row_of_taps::<S>(planes, &mut scatter);
            }
            write_plane(simd, planes, dx, scratch, plane, beta);
        }
    }
}

/// The events of one output channel, to be added to one plane.
struct Scatter<'a, S> {
    simd: S,
    dx: &'a mut [f32],
    weights: &'a [f32],
    row_len: usize,
    channels: usize,
    events: &'a [Event],
}

impl<S: Simd> Tile for Scatter<'_, S> {
    #[inline(always)]
    fn compute<const ROWS: usize, const VECS: usize, const SETS: usize>(&mut self, kernel_row: usize) {
        let mut weights = [[self.simd.zero(); VECS]; ROWS];
        for row in 0..ROWS {
            for vec in 0..VECS {
                weights[row][vec] =
                    self.simd.read(&self.weights[((kernel_row + row) * VECS + vec) * LANES..]);
            }
        }
        for &Event { pixel, value } in self.events {
            let first = pixel as usize * self.channels + kernel_row * self.row_len;
            let dx = &mut self.dx[first..first + (ROWS - 1) * self.row_len + VECS * LANES];
            let value = self.simd.splat(value);
            for row in 0..ROWS {
                for vec in 0..VECS {
                    // SAFETY: `dx` extends to the last vector of the last row.
                    unsafe {
                        let dx = dx.as_mut_ptr().add(row * self.row_len + vec * LANES);
                        value.mul_add(weights[row][vec], self.simd.load(dx)).store(dx);
                    }
                }
            }
        }
    }
}

/// `dx = β·dx +` a plane of each image, without its border.
#[inline(always)]
fn write_plane<S: Simd>(simd: S, planes: &Planes, dx: &mut [f32], scratch: &[f32], plane: usize, beta: Beta) {
    let Geometry { height, width, in_channels, .. } = planes.geometry;
    let layout = planes.layout();
    let channels = planes.channels_of(plane);
    let n = channels.len();
    for (row_idx, row) in dx.chunks_exact_mut(width * in_channels).enumerate() {
        let start = layout.row_start(row_idx / height, row_idx % height);
        let sums = scratch[start..].chunks_exact(planes.channels);
        for (dx, sums) in row.chunks_exact_mut(in_channels).zip(sums) {
            for (dx, sums) in dx[channels.clone()].chunks_mut(LANES).zip(sums[..n].chunks(LANES)) {
                let mut sum = simd.read(sums);
                if beta == Beta::One {
                    sum = sum + simd.read(dx);
                }
                sum.write(dx);
            }
        }
    }
}
