//! The matrices of the 36 points, and loading and storing of tiles.

use simd::{LANES, Simd, Vector};

use super::transform::{INPUTS, POINTS};

/// How many floats separate the matrices of neighbouring points, so that a tile's 36 points do not map to the
/// same few cache sets.
const POINT_GAP: usize = LANES;

/// The matrices of all points: equal numbers of rows of equal length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Points {
    /// The stride from one row to the next.
    pub(super) row_stride: usize,
    /// The stride from sixteen columns to the next sixteen.
    pub(super) block_stride: usize,
    /// The stride from one point's matrix to the next.
    pub(super) stride: usize,
}

impl Points {
    /// Matrices in order of their rows.
    pub(super) fn by_row(n_rows: usize, row_len: usize) -> Self {
        Self { row_stride: row_len, block_stride: LANES, stride: n_rows * row_len + POINT_GAP }
    }

    /// Matrices in blocks of sixteen columns: a walk down the rows of a block reads memory in order, where by row
    /// it would read lines that share a few cache sets.
    pub(super) fn by_block(n_rows: usize, row_len: usize) -> Self {
        Self { row_stride: LANES, block_stride: n_rows * LANES, stride: n_rows * row_len + POINT_GAP }
    }

    /// Where in a point's matrix a vector begins, whose first column is a multiple of sixteen.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, col: usize) -> usize {
        debug_assert_eq!(col % LANES, 0);
        row * self.row_stride + col / LANES * self.block_stride
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.stride
    }
}

/// Reads N×N pixels of sixteen channels, starting with the first, `row_len` and `pixel_len` floats apart.
#[inline(always)]
pub(super) fn read_tile<S: Simd, const N: usize>(
    simd: S,
    pixels: &[f32],
    row_len: usize,
    pixel_len: usize,
) -> [[S::V; N]; N] {
    assert!(pixels.len() >= (N - 1) * (row_len + pixel_len) + LANES);
    let mut tile = [[simd.zero(); N]; N];
    for row in 0..N {
        for col in 0..N {
            // SAFETY: the furthest vector is that of the last row and column: inside the slice by the
            // assertion above.
            tile[row][col] = unsafe { simd.load(pixels.as_ptr().add(row * row_len + col * pixel_len)) };
        }
    }
    tile
}

/// Reads the 36 points of a row and vector, starting at `first`.
#[inline(always)]
pub(super) fn read_points<S: Simd>(simd: S, first: &[f32], points: Points) -> [[S::V; INPUTS]; INPUTS] {
    assert!(first.len() >= (POINTS - 1) * points.stride + LANES);
    let mut tile = [[simd.zero(); INPUTS]; INPUTS];
    for row in 0..INPUTS {
        for col in 0..INPUTS {
            // SAFETY: the furthest vector is that of the last point: inside the slice by the assertion above.
            tile[row][col] = unsafe { simd.load(first.as_ptr().add((row * INPUTS + col) * points.stride)) };
        }
    }
    tile
}

/// Writes the 36 points of a row and vector, starting at `first`.
#[inline(always)]
pub(super) fn write_points<V: Vector>(tile: [[V; INPUTS]; INPUTS], first: &mut [f32], points: Points) {
    assert!(first.len() >= (POINTS - 1) * points.stride + LANES);
    for row in 0..INPUTS {
        for col in 0..INPUTS {
            // SAFETY: the furthest vector is that of the last point: inside the slice by the assertion above.
            unsafe { tile[row][col].store(first.as_mut_ptr().add((row * INPUTS + col) * points.stride)) };
        }
    }
}
