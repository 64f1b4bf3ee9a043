//! y = x · wᵀ as dot products: the rows of `x` and of `w` both run along the sum, so nothing is packed.
//!
//! A tile of 4×4 products (2×2 with few registers) is summed sixteen lanes at a time, and each sum's lanes
//! are added at the end:
//!
//! ```text
//!   x [batch][in]                w [out][in]
//!   row 0  ████████▷             row 0  ████████▷        4 + 4 loads, 16 multiply-adds
//!     ⋮                            ⋮
//!   row 3  ████████▷             row 3  ████████▷
//! ```
//!
//! Rounding error: sixteen chains and four more additions, |error| ≤ (in/16 + 6)·ε·(|x|·|w|) to first order.

use std::ops::Range;

use simd::{Kernel, LANES, Simd, Vector};

use super::finish::Finish;
use crate::Beta;
use crate::matmul::MatrixMut;

/// How many rows of `w` are multiplied with a few rows of `x` while those are in the L1 cache.
const WEIGHT_ROWS: usize = 8;

/// `y = finish(x · wᵀ)`, for a window of y.
pub(crate) struct Dots<'a, 'y> {
    pub(crate) y: &'a mut MatrixMut<'y>,
    /// The window's rows, of length `k`.
    pub(crate) x: &'a [f32],
    /// A row of length `k` for each of the window's columns.
    pub(crate) w: &'a [f32],
    pub(crate) k: usize,
    pub(crate) finish: Finish<'a>,
}

impl Kernel for Dots<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for first in (0..self.y.cols).step_by(WEIGHT_ROWS) {
            let cols = first..self.y.cols.min(first + WEIGHT_ROWS);
            let mut row = 0;
            while row < self.y.rows {
                row += match self.y.rows - row {
                    4.. if S::MANY_REGISTERS => self.rows::<S, 4, 4>(simd, row, cols.clone()),
                    2.. => self.rows::<S, 2, 2>(simd, row, cols.clone()),
                    _ => self.rows::<S, 1, 4>(simd, row, cols.clone()),
                };
            }
        }
    }
}

impl Dots<'_, '_> {
    /// Computes `ROWS` rows from `row` on, for some columns, `COLS` at a time; returns `ROWS`.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const COLS: usize>(
        &mut self,
        simd: S,
        row: usize,
        cols: Range<usize>,
    ) -> usize {
        let mut col = cols.start;
        while col < cols.end {
            if cols.end - col >= COLS {
                self.tile::<S, ROWS, COLS>(simd, row, col);
                col += COLS;
            } else {
                self.tile::<S, ROWS, 1>(simd, row, col);
                col += 1;
            }
        }
        ROWS
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const COLS: usize>(&mut self, simd: S, row: usize, col: usize) {
        let x = &self.x[row * self.k..][..ROWS * self.k];
        let w = &self.w[col * self.k..][..COLS * self.k];
        let products = dot_products::<S, ROWS, COLS>(simd, x, w, self.k);
        for (tile_row, products) in products.iter().enumerate() {
            let y = &mut self.y.row_mut(row + tile_row)[col..col + COLS];
            for (tile_col, y) in y.iter_mut().enumerate() {
                let bias = self.finish.bias.map_or(0.0, |bias| bias[col + tile_col]);
                let value = products[tile_col] + bias;
                let value = if self.finish.relu && value <= 0.0 { 0.0 } else { value };
                *y = if self.finish.beta == Beta::One { *y + value } else { value };
            }
        }
    }
}

/// The dot products of `ROWS` rows of `x` with `COLS` rows of `w`, all of length `k`.
#[inline(always)]
fn dot_products<S: Simd, const ROWS: usize, const COLS: usize>(
    simd: S,
    x: &[f32],
    w: &[f32],
    k: usize,
) -> [[f32; COLS]; ROWS] {
    assert!(x.len() >= ROWS * k && w.len() >= COLS * k);
    let mut sums = [[simd.zero(); COLS]; ROWS];
    let whole = k / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        // SAFETY: `start + LANES` is at most `k`, and there are `ROWS` and `COLS` rows by the assertion above.
        unsafe { multiply_add(simd, &mut sums, x.as_ptr().add(start), w.as_ptr().add(start), k, LANES) };
    }
    if whole < k {
        // SAFETY: as above, with the lanes that are left.
        unsafe { multiply_add(simd, &mut sums, x.as_ptr().add(whole), w.as_ptr().add(whole), k, k - whole) };
    }
    let mut products = [[0.0; COLS]; ROWS];
    for first in (0..ROWS * COLS).step_by(4) {
        let mut four = [simd.zero(); 4];
        for idx in first..(first + 4).min(ROWS * COLS) {
            four[idx - first] = sums[idx / COLS][idx % COLS];
        }
        let four = S::V::sums(four);
        for idx in first..(first + 4).min(ROWS * COLS) {
            products[idx / COLS][idx % COLS] = four[idx - first];
        }
    }
    products
}

/// `sums[row][col] += x[row] · w[col]`, lane by lane, for rows that are `k` apart.
///
/// # Safety
/// `n` values must be readable at each of `ROWS` rows of `x` and `COLS` of `w`.
#[inline(always)]
unsafe fn multiply_add<S: Simd, const ROWS: usize, const COLS: usize>(
    simd: S,
    sums: &mut [[S::V; COLS]; ROWS],
    x: *const f32,
    w: *const f32,
    k: usize,
    n: usize,
) {
    let mut values = [simd.zero(); ROWS];
    // SAFETY: the caller guarantees the rows.
    unsafe {
        for row in 0..ROWS {
            values[row] = load(simd, x.add(row * k), n);
        }
        for col in 0..COLS {
            let weight = load(simd, w.add(col * k), n);
            for row in 0..ROWS {
                sums[row][col] = values[row].mul_add(weight, sums[row][col]);
            }
        }
    }
}

/// Loads the first `n` of sixteen values.
///
/// # Safety
/// The values must be readable.
#[inline(always)]
unsafe fn load<S: Simd>(simd: S, p: *const f32, n: usize) -> S::V {
    // SAFETY: the caller guarantees the values.
    unsafe { if n == LANES { simd.load(p) } else { simd.load_partial(p, n) } }
}
