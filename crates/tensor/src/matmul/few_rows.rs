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
        let Self { c, a, b, k, beta } = self;
        for row in 0..c.rows {
            let factors = Factors { values: a.data, first: row * a.strides[0], stride: a.strides[1], k };
            let (mut rest, mut first) = (c.row_mut(row), 0);
            (rest, first) = columns::<64>(rest, first, &factors, b, beta);
            (rest, first) = columns::<16>(rest, first, &factors, b, beta);
            (rest, first) = columns::<8>(rest, first, &factors, b, beta);
            (rest, first) = columns::<4>(rest, first, &factors, b, beta);
            columns::<1>(rest, first, &factors, b, beta);
        }
    }
}

/// A row of `a`.
struct Factors<'a> {
    values: &'a [f32],
    first: usize,
    stride: usize,
    k: usize,
}

/// Computes the columns from `first` on, `N` at a time while that many remain; returns the remaining columns
/// and their start.
#[inline(always)]
fn columns<'c, const N: usize>(
    c: &'c mut [f32],
    mut first: usize,
    factors: &Factors,
    b: Matrix,
    beta: Beta,
) -> (&'c mut [f32], usize) {
    let (chunks, rest) = c.as_chunks_mut::<N>();
    for c in chunks {
        let mut sums = if beta == Beta::Zero { [0.0; N] } else { *c };
        for i in 0..factors.k {
            let factor = factors.values[factors.first + i * factors.stride];
            let row =
                b.data[i * b.strides[0] + first..].first_chunk::<N>().expect("b has as many columns as c");
            sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += factor * b);
        }
        *c = sums;
        first += N;
    }
    (rest, first)
}
