//! Packs the tokens of a head into contiguous memory, unchanged or transposed.

use simd::{Kernel, LANES, Simd, Vector};

use super::head::{QUERIES, Rows, padded};
use crate::transpose::read_transposed;

/// `dst[row] = factor · src[row]`, padded with zeros to whole vectors.
pub(super) struct PackRows<'a> {
    pub(super) dst: &'a mut [f32],
    pub(super) src: Rows<'a>,
    pub(super) n_rows: usize,
    pub(super) factor: f32,
}

impl Kernel for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (row_len, factor) = (padded(self.src.dim), simd.splat(self.factor));
        for row in 0..self.n_rows {
            let (src, dst) = (self.src.row(row), &mut self.dst[row * row_len..][..row_len]);
            for (dst, src) in dst.chunks_exact_mut(LANES).zip(src.chunks(LANES)) {
                (simd.read(src) * factor).write(dst);
            }
        }
    }
}

/// `dst[column][row] = factor · src[row][column]` for at most [`QUERIES`] rows, padded with zeros to whole
/// vectors of rows.
pub(super) struct PackTransposed<'a> {
    pub(super) dst: &'a mut [f32],
    pub(super) src: Rows<'a>,
    pub(super) n_rows: usize,
    pub(super) factor: f32,
}

impl Kernel for PackTransposed<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { dst, src, n_rows, factor } = self;
        let factor = simd.splat(factor);
        for row in (0..n_rows).step_by(LANES) {
            for col in (0..src.dim).step_by(LANES) {
                let n_cols = LANES.min(src.dim - col);
                let tile = &src.data[row * src.stride + col..];
                let columns = read_transposed(simd, tile, src.stride, LANES.min(n_rows - row), n_cols);
                for idx in 0..LANES {
                    if idx < n_cols {
                        (columns[idx] * factor).write(&mut dst[(col + idx) * QUERIES + row..][..LANES]);
                    }
                }
            }
        }
    }
}
