//! The input gradient of a 3×3 convolution from the events behind its pool.
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
//! Rounding: chains of one multiply-add a tap and output channel, |error| ≤ (9·out + 1)·ε·(|g| ∗ |w|) to first
//! order.

use super::geometry::Geometry;
use super::simd::{LANES, Simd, Vector, dispatch};
use super::sparse::{Events, KERNEL, Planes, Tile, for_each_row_of_taps};
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};

/// Packs PyTorch's weights as `[plane][out][kh][row of taps]`.
pub(crate) fn pack(packed: &mut [f32], w: &[f32], planes: &Planes) {
    let Geometry { in_channels, out_channels, .. } = planes.geometry;
    let (n_taps, row_len) = (KERNEL * KERNEL, planes.row_vectors() * LANES);
    let rows = rows_mut(packed, planes.taps_len());
    for_each_chunk(planes.count * out_channels, LANES, w.len(), rows, |taps, rows| {
        for (rows, idx) in rows.into_slice().chunks_exact_mut(planes.taps_len()).zip(taps) {
            let (plane, out) = (idx / out_channels, idx % out_channels);
            let first = plane * planes.channels;
            let n = planes.channels.min(in_channels - first);
            rows.fill(0.0);
            for (channel, w) in
                w[(out * in_channels + first) * n_taps..].chunks_exact(n_taps).take(n).enumerate()
            {
                for (tap, &w) in w.iter().enumerate() {
                    rows[tap / KERNEL * row_len + tap % KERNEL * planes.channels + channel] = w;
                }
            }
        }
    });
}

dispatch! {
    /// `dx = β·dx +` the input gradient of images with these events. `scratch` has room for a plane of all
    /// images, see [`Planes::scratch_len`].
    pub(crate) fn backward_input(planes: &Planes, dx: &mut [f32], events: &Events<'_>, packed: &[f32], scratch: &mut [f32], beta: Beta)
        = gradient;
}

#[inline(always)]
fn gradient<S: Simd>(
    simd: S,
    planes: &Planes,
    dx: &mut [f32],
    events: &Events<'_>,
    packed: &[f32],
    scratch: &mut [f32],
    beta: Beta,
) {
    let mut taps = packed.chunks_exact(planes.taps_len());
    for plane in 0..planes.count {
        scratch.fill(0.0);
        for (out, weights) in taps.by_ref().take(planes.geometry.out_channels).enumerate() {
            let (pixels, values) = events.of(out);
            let row_len = planes.layout().row_len();
            let mut scatter =
                Scatter { simd, dx: scratch, weights, row_len, channels: planes.channels, pixels, values };
            for_each_row_of_taps::<S>(planes, &mut scatter);
        }
        write_plane(simd, planes, dx, scratch, plane, beta);
    }
}

/// The events of one output channel, to be added to one plane.
struct Scatter<'a, S> {
    simd: S,
    dx: &'a mut [f32],
    weights: &'a [f32],
    row_len: usize,
    channels: usize,
    pixels: &'a [u32],
    values: &'a [f32],
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
        for (&pixel, &value) in self.pixels.iter().zip(self.values) {
            let first = pixel as usize * self.channels + kernel_row * self.row_len;
            let dx = &mut self.dx[first..first + (ROWS - 1) * self.row_len + VECS * LANES];
            let value = self.simd.splat(value);
            for row in 0..ROWS {
                for vec in 0..VECS {
                    // SAFETY: `dx` reaches to the last vector of the last row.
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
    let first = plane * planes.channels;
    let n = planes.channels.min(in_channels - first);
    for (row_idx, row) in dx.chunks_exact_mut(width * in_channels).enumerate() {
        let start = layout.row_start(row_idx / height, row_idx % height);
        let sums = scratch[start..].chunks_exact(planes.channels);
        for (dx, sums) in row.chunks_exact_mut(in_channels).zip(sums) {
            for (dx, sums) in dx[first..first + n].chunks_mut(LANES).zip(sums[..n].chunks(LANES)) {
                let mut sum = simd.read(sums);
                if beta == Beta::One {
                    sum = sum + simd.read(dx);
                }
                sum.write(dx);
            }
        }
    }
}
