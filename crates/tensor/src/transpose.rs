//! Blocks of up to sixteen rows and columns transposed in registers, between memory and vectors.

use simd::{LANES, Simd, Vector};

use crate::Beta;

/// Reads the first `n_cols` ≤ 16 columns of `n_rows` ≤ 16 rows that are `stride` apart, with zeros in the
/// lanes of missing rows.
#[inline(always)]
pub(crate) fn read_transposed<S: Simd>(
    simd: S,
    src: &[f32],
    stride: usize,
    n_rows: usize,
    n_cols: usize,
) -> [S::V; LANES] {
    let mut rows = [simd.zero(); LANES];
    for row in 0..LANES {
        if row < n_rows {
            rows[row] = simd.read(&src[row * stride..][..n_cols]);
        }
    }
    S::V::transpose(rows)
}

/// `dst = β·dst + columns`: the inverse of [`read_transposed`].
#[inline(always)]
pub(crate) fn write_transposed<S: Simd>(
    simd: S,
    columns: [S::V; LANES],
    dst: &mut [f32],
    stride: usize,
    n_rows: usize,
    n_cols: usize,
    beta: Beta,
) {
    let rows = S::V::transpose(columns);
    for row in 0..LANES {
        if row < n_rows {
            let dst = &mut dst[row * stride..][..n_cols];
            let sum = if beta == Beta::One { rows[row] + simd.read(dst) } else { rows[row] };
            sum.write(dst);
        }
    }
}
