//! The product of two matrices by `matrixmultiply`, for the rules that need one.

use rayon::prelude::*;

use crate::Real;

/// A row-major matrix, or its transpose.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, F> {
    data: &'a [F],
    rows: usize,
    cols: usize,
    /// The strides between rows and between columns.
    strides: [usize; 2],
}

impl<'a, F> Matrix<'a, F> {
    /// A row-major matrix over `data`.
    pub(crate) fn new(rows: usize, cols: usize, data: &'a [F]) -> Self {
        assert!(
            rows.checked_mul(cols) == Some(data.len()),
            "a {rows}×{cols} matrix of {} numbers",
            data.len()
        );
        Self { data, rows, cols, strides: [cols, 1] }
    }

    /// Swaps rows and columns; no data moves.
    pub(crate) fn transposed(self) -> Self {
        let [row, col] = self.strides;
        Self { data: self.data, rows: self.cols, cols: self.rows, strides: [col, row] }
    }

    /// At most `n` rows, from row `start`.
    fn some_rows(self, start: usize, n: usize) -> Self {
        let rows = n.min(self.rows - start);
        let data = self.data.get(start * self.strides[0]..).unwrap_or_default();
        Self { data, rows, ..self }
    }
}

/// Rows of the product that a thread takes at a time: enough to amortise packing the right factor again.
const ROWS: usize = 64;

/// c = a·b, row-major; `c` is overwritten.
///
/// # Panics
/// If the number of columns of `a` differs from the number of rows of `b`, or `c` has a different size.
pub(crate) fn multiply<F: Real>(a: Matrix<'_, F>, b: Matrix<'_, F>, c: &mut [F]) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(b.rows == k && c.len() == m * n, "product {m}×{k} by {}×{n} into {}", b.rows, c.len());
    if c.is_empty() {
        return;
    }
    c.par_chunks_mut(ROWS * n).enumerate().for_each(|(idx, c)| block(a.some_rows(idx * ROWS, ROWS), b, c));
}

/// The product on one thread.
#[expect(unsafe_code, reason = "matrixmultiply takes pointers")]
fn block<F: Real>(a: Matrix<'_, F>, b: Matrix<'_, F>, c: &mut [F]) {
    let ([m, k, n], signed) = ([a.rows, a.cols, b.cols], |strides: [usize; 2]| strides.map(|s| s as isize));
    // SAFETY: a `Matrix` holds the elements that its sizes and strides reach: rows·cols row-major elements,
    // their transpose, or the rows from some row onwards. `c` holds m·n elements, checked by the caller, and
    // is borrowed mutably, so it overlaps neither factor. It is written without being read.
    unsafe {
        let (a, b) = ((a.data.as_ptr(), signed(a.strides)), (b.data.as_ptr(), signed(b.strides)));
        F::gemm([m, k, n], a, b, (c.as_mut_ptr(), [n as isize, 1]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_product_agrees_with_the_definition(
            [m, k, n] in [0..140usize, 0..40usize, 0..70usize],
            transpose in prop::array::uniform2(any::<bool>()),
        ) {
            let data = |size: usize, by: f64| (0..size).map(|i| (i as f64 * by).sin()).collect::<Vec<_>>();
            let (a_data, b_data) = (data(m * k, 0.7), data(k * n, 0.3));
            let matrix = |rows, cols, data, transpose| {
                if transpose { Matrix::new(cols, rows, data).transposed() } else { Matrix::new(rows, cols, data) }
            };
            let (a, b) = (matrix(m, k, &a_data, transpose[0]), matrix(k, n, &b_data, transpose[1]));
            let mut c = vec![7.0; m * n];
            multiply(a, b, &mut c);
            let at = |matrix: Matrix<f64>, row, col| matrix.data[row * matrix.strides[0] + col * matrix.strides[1]];
            for (idx, &c) in c.iter().enumerate() {
                let (i, j) = (idx / n, idx % n);
                let sum: f64 = (0..k).map(|l| at(a, i, l) * at(b, l, j)).sum();
                prop_assert!((c - sum).abs() < 1e-12, "{m}×{k}×{n} at {i}, {j}: {c} against {sum}");
            }
        }
    }
}
