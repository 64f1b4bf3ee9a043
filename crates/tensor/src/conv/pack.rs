//! Weights in the order in which the kernels read them.
//!
//! PyTorch stores a convolution's weights as `[out][in][kh][kw]`. The kernels multiply one input value with
//! sixteen output channels at a time, kernel row by kernel row, so they need
//!
//! ```text
//! [out / 16][kh][kw][in][16]      the last block filled up with zeros
//! ```
//!
//! This transposes sixteen rows of weights at a time, in registers.

use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

use super::geometry::Geometry;
use crate::Beta;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::transpose::{read_transposed, write_transposed};

/// The kernel that a pass convolves with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Orientation {
    /// The unchanged weights: the forward pass.
    AsIs,
    /// The weights rotated by 180°, with in and out swapped: the input gradient. `geometry` is
    /// [`Geometry::backward_input`], the weights are the forward ones.
    Flipped,
}

/// The length of the packed weights.
pub(crate) fn packed_len(geometry: &Geometry) -> usize {
    geometry.out_channels.div_ceil(LANES) * block_len(geometry)
}

/// The length of a block of sixteen output channels.
pub(crate) fn block_len(geometry: &Geometry) -> usize {
    geometry.n_taps() * geometry.in_channels * LANES
}

/// Packs the weights `w` for the pass described by `geometry`.
pub(crate) fn pack(
    level: Level,
    packed: &mut [f32],
    w: &[f32],
    geometry: &Geometry,
    orientation: Orientation,
) {
    let n_blocks = geometry.out_channels.div_ceil(LANES);
    let rows = rows_mut(packed, block_len(geometry));
    for_each_chunk(n_blocks, 1, w.len(), rows, |blocks, block| {
        let (first, block) = (blocks.start * LANES, block.into_slice());
        dispatch(level, PackBlock { geometry, block, w, first, orientation });
    });
}

/// `dw = β·dw + packed`, converted back to PyTorch's order: the inverse of [`pack`] for
/// [`Orientation::AsIs`].
pub(crate) fn unpack(level: Level, dw: &mut [f32], packed: &[f32], geometry: &Geometry, beta: Beta) {
    let row_len = geometry.in_channels * geometry.n_taps();
    for_each_chunk(geometry.out_channels, LANES, dw.len(), rows_mut(dw, row_len), |outs, rows| {
        let block = &packed[outs.start / LANES * block_len(geometry)..][..block_len(geometry)];
        dispatch(level, UnpackBlock { geometry, rows: rows.into_slice(), block, beta });
    });
}

/// Packs sixteen output channels from `first` on.
struct PackBlock<'a> {
    geometry: &'a Geometry,
    block: &'a mut [f32],
    w: &'a [f32],
    first: usize,
    orientation: Orientation,
}

impl Kernel for PackBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.orientation {
            Orientation::AsIs => self.pack_as_is(simd),
            Orientation::Flipped => self.pack_flipped(simd),
        }
    }
}

impl PackBlock<'_> {
    #[inline(always)]
    fn pack_as_is<S: Simd>(self, simd: S) {
        let Self { geometry, block, w, first, .. } = self;
        let row_len = geometry.in_channels * geometry.n_taps();
        let rows = &w[first * row_len..w.len().min((first + LANES) * row_len)];
        for start in (0..row_len).step_by(LANES) {
            let n = LANES.min(row_len - start);
            let columns = read_transposed(simd, &rows[start..], row_len, rows.len() / row_len, n);
            for idx in 0..n {
                columns[idx].write(&mut block[place(geometry, start + idx)..][..LANES]);
            }
        }
    }

    #[inline(always)]
    fn pack_flipped<S: Simd>(self, simd: S) {
        let Self { geometry, block, w, first, .. } = self;
        let n_taps = geometry.n_taps();
        let n_lanes = LANES.min(geometry.out_channels - first);
        for input in 0..geometry.in_channels {
            let rows = &w[(input * geometry.out_channels + first) * n_taps..][..n_lanes * n_taps];
            for start in (0..n_taps).step_by(LANES) {
                let n = LANES.min(n_taps - start);
                let columns = read_transposed(simd, &rows[start..], n_taps, n_lanes, n);
                for idx in 0..n {
                    let tap = n_taps - 1 - (start + idx);
                    columns[idx].write(&mut block[(tap * geometry.in_channels + input) * LANES..][..LANES]);
                }
            }
        }
    }
}

/// `rows = β·rows + block`, for up to sixteen output channels.
struct UnpackBlock<'a> {
    geometry: &'a Geometry,
    rows: &'a mut [f32],
    block: &'a [f32],
    beta: Beta,
}

impl Kernel for UnpackBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { geometry, rows, block, beta } = self;
        let row_len = geometry.in_channels * geometry.n_taps();
        let n_rows = rows.len() / row_len;
        for start in (0..row_len).step_by(LANES) {
            let n = LANES.min(row_len - start);
            let mut columns = [simd.zero(); LANES];
            for idx in 0..n {
                columns[idx] = simd.read(&block[place(geometry, start + idx)..][..LANES]);
            }
            write_transposed(simd, columns, &mut rows[start..], row_len, n_rows, n, beta);
        }
    }
}

/// The position in a block of weight number `weight` of a row `[in][kh][kw]`.
#[inline(always)]
fn place(geometry: &Geometry, weight: usize) -> usize {
    let (input, tap) = (weight / geometry.n_taps(), weight % geometry.n_taps());
    (tap * geometry.in_channels + input) * LANES
}
