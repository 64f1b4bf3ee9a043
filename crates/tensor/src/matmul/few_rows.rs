//! A product with few rows, for which packing would cost more than the product: each row as a sum of the rows of `b`.
//!
//! Some columns at a time, whose sums stay in registers:
//!
//! ```text
//!   c [m][n]            a [m][k]     b [k][n]
//!   ░░░░████░░░   =     ▪▪▪▪▪▪   ·   ░░░░████░░░
//!                                    ░░░░████░░░      one multiplication and one addition each, in order
//!                                    ░░░░████░░░
//! ```
//!
//! Rounding error: one chain, |error| ≤ (k + 1)·ε·(|a|·|b|).

use simd::{Kernel, Level, Simd, dispatch};

use super::{Matrix, MatrixMut};
use crate::Beta;

/// `c = β·c + a · b`; the elements of a row of `b` are contiguous.
pub(crate) fn sum_of_rows(c: &mut MatrixMut, a: Matrix, b: Matrix, k: usize, beta: Beta) {
    debug_assert!(b.strides[1] == 1);
    dispatch(Level::current(), SumOfRows { c, a, b, k, beta });
}

struct SumOfRows<'a, 'c> {
    c: &'a mut MatrixMut<'c>,
    a: Matrix<'a>,
    b: Matrix<'a>,
    k: usize,
    beta: Beta,
}

impl Kernel for SumOfRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // An outer product needs no loop for each block.
        let k = self.k;
        if k == 1 { self.sum(1) } else { self.sum(k) }
    }
}

/// How many columns of a row are summed at a time.
const WIDE: usize = 64;

impl SumOfRows<'_, '_> {
    #[inline(always)]
    fn sum(mut self, k: usize) {
        // The widest blocks row by row, as they lie in memory; the columns that are left block by block, so that the
        // choice of a block is made once for all rows.
        let n_wide = self.c.cols / WIDE * WIDE;
        for row in 0..self.c.rows {
            for first in (0..n_wide).step_by(WIDE) {
                self.block::<WIDE>(row, first, k);
            }
        }
        let first = self.columns::<16>(n_wide, k);
        let first = self.columns::<8>(first, k);
        let first = self.columns::<4>(first, k);
        self.columns::<1>(first, k);
    }

    /// Computes the columns from `first` on, `N` at a time while that many remain; returns the first that remains.
    #[inline(always)]
    fn columns<const N: usize>(&mut self, mut first: usize, k: usize) -> usize {
        while first + N <= self.c.cols {
            for row in 0..self.c.rows {
                self.block::<N>(row, first, k);
            }
            first += N;
        }
        first
    }

    /// Computes `N` columns of a row.
    #[inline(always)]
    fn block<const N: usize>(&mut self, row: usize, first: usize, k: usize) {
        let Self { c, a, b, beta, .. } = self;
        let c = c.row_mut(row)[first..].first_chunk_mut::<N>().expect("the block is in the row");
        let mut sums = if *beta == Beta::Zero { [0.0; N] } else { *c };
        for i in 0..k {
            let factor = a.data[row * a.strides[0] + i * a.strides[1]];
            let b =
                b.data[i * b.strides[0] + first..].first_chunk::<N>().expect("b has as many columns as c");
            sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += factor * b);
        }
        *c = sums;
    }
}
