//! A small matrix product, for rules that need one.

use rayon::prelude::*;

use crate::Real;
use simd::{Kernel, Level, Simd, dispatch};

/// C = A·B for row-major matrices: A is m × k, B is k × n, C is m × n.
///
/// A function `Fn(m, k, n, a, b, c)` is a product too: hand a faster one to
/// [`Muon::with_product`](crate::Muon::with_product).
pub trait Product<F>: Send + Sync {
    /// Overwrites `c`.
    fn multiply(&self, dims: [usize; 3], a: &[F], b: &[F], c: &mut [F]);
}

impl<F, T: Fn([usize; 3], &[F], &[F], &mut [F]) + Send + Sync> Product<F> for T {
    fn multiply(&self, dims: [usize; 3], a: &[F], b: &[F], c: &mut [F]) {
        self(dims, a, b, c);
    }
}

/// The crate's own product: rows of C as sums of rows of B, rows in parallel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallProduct;

/// Rows of C that one thread takes at a time.
const ROWS: usize = 8;

impl<F: Real> Product<F> for SmallProduct {
    fn multiply(&self, [m, k, n]: [usize; 3], a: &[F], b: &[F], c: &mut [F]) {
        assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "product {m}×{k} by {k}×{n}");
        if c.is_empty() {
            return;
        }
        c.par_chunks_mut(ROWS * n).enumerate().for_each(|(chunk_idx, c)| {
            let rows = c.len() / n;
            let a = &a[chunk_idx * ROWS * k..][..rows * k];
            dispatch(Level::current(), RowsOfProduct { k, n, a, b, c });
        });
    }
}

struct RowsOfProduct<'a, F> {
    k: usize,
    n: usize,
    a: &'a [F],
    b: &'a [F],
    c: &'a mut [F],
}

impl<F: Real> Kernel for RowsOfProduct<'_, F> {
    type Output = ();

    /// A strip of B's columns stays in cache for all rows; each sum runs over k in order.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        const STRIP: usize = 64;
        let Self { k, n, a, b, c } = self;
        for (row, c) in c.chunks_exact_mut(n).enumerate() {
            let a = &a[row * k..][..k];
            for start in (0..n).step_by(STRIP) {
                let width = STRIP.min(n - start);
                let mut sums = [F::ZERO; STRIP];
                for (&factor, b) in a.iter().zip(b.chunks_exact(n)) {
                    for (sum, &b) in sums[..width].iter_mut().zip(&b[start..start + width]) {
                        *sum += factor * b;
                    }
                }
                c[start..start + width].copy_from_slice(&sums[..width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_agrees_with_the_definition_at_awkward_sizes() {
        for [m, k, n] in [[1, 1, 1], [2, 3, 5], [9, 1, 64], [17, 33, 65], [0, 3, 2], [3, 0, 2], [3, 2, 0]] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 0.3).cos()).collect();
            let mut c = vec![7.0; m * n];
            SmallProduct.multiply([m, k, n], &a, &b, &mut c);
            for (idx, &c) in c.iter().enumerate() {
                let (i, j) = (idx / n, idx % n);
                let sum: f64 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                assert!((c - sum).abs() < 1e-12, "{m}×{k}×{n} at {i}, {j}: {c} against {sum}");
            }
        }
    }
}
