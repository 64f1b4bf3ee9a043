//! The matrix product, through `matrixmultiply`.
//!
//! Error bound, for every element: |Δ| ≤ (k + 2)·ε·(|a|·|b|), with ε = 2⁻²⁴. In practice it is far less,
//! because the sum over k uses several accumulators with fused multiply-adds.

mod batched;
mod few_rows;
pub(crate) mod reference;

use std::marker::PhantomData;

use crate::Beta;
use crate::parallel::{SplitRows, for_each_chunk};
use crate::shape::checked_len;

pub use batched::batched_matmul;
pub(crate) use few_rows::sum_of_rows;

/// The sizes of `c = a · b`: `c` is m × n, `a` m × k and `b` k × n, after transposition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MatmulShape {
    /// Rows of `c`.
    pub m: usize,
    /// The size that is summed over.
    pub k: usize,
    /// Columns of `c`.
    pub n: usize,
    /// Whether `a` is stored as k × m.
    pub transpose_a: bool,
    /// Whether `b` is stored as n × k.
    pub transpose_b: bool,
}

/// Side of the tiles of `c` into which a large product is split. A tile takes all of k.
const TILE: usize = 256;

/// `c = β·c + a · b`, row-major, with each operand optionally transposed by `shape`.
///
/// Sizes may be zero: an empty sum is zero.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn matmul(c: &mut [f32], a: &[f32], b: &[f32], shape: &MatmulShape, beta: Beta) {
    let &MatmulShape { m, k, n, transpose_a, transpose_b } = shape;
    let [c_len, a_len, b_len] = [[m, n], [m, k], [k, n]].map(|dims| checked_len("matmul", &dims));
    assert_eq!(c.len(), c_len, "matmul: c is m x n = {m} x {n}");
    assert_eq!(a.len(), a_len, "matmul: a is m x k = {m} x {k}");
    assert_eq!(b.len(), b_len, "matmul: b is k x n = {k} x {n}");
    let c = MatrixMut::new(c, m, n, n);
    let a = Matrix::new(a, if transpose_a { [1, m] } else { [k, 1] });
    let b = Matrix::new(b, if transpose_b { [1, k] } else { [n, 1] });
    let work = product_work(m, k, n);
    for_each_chunk(m, TILE, work, ByRows(c), |rows, ByRows(c)| {
        let a = a.skip(0, rows.start);
        for_each_chunk(n, TILE, work, ByColumns(c), |cols, ByColumns(c)| {
            gemm(c, a, b.skip(1, cols.start), k, beta);
        });
    });
}

/// The work of an m × k × n product in units of [`crate::parallel::MIN_PARALLEL_WORK`].
pub(crate) fn product_work(m: usize, k: usize, n: usize) -> usize {
    m.saturating_mul(k).saturating_mul(n) / 8
}

/// `c = β·c + a · b` on one thread; `c` determines m and n, the strides of `a` and `b` their transposition.
/// The bits of a row of `c` do not depend on the number of rows.
#[track_caller]
pub(crate) fn gemm(mut c: MatrixMut, a: Matrix, b: Matrix, k: usize, beta: Beta) {
    let (m, n) = (c.rows, c.cols);
    if m == 0 || n == 0 {
        return;
    }
    // One column, or an outer product: packing would cost more than the product.
    if k == 1 && b.strides[1] == 1 {
        return sum_of_rows(&mut c, a, b, k, beta);
    }
    if n == 1 && a.strides[1] == 1 && b.strides[0] == 1 {
        return dot_products(&mut c, a, b, k, beta);
    }
    assert!(a.reaches(m, k) <= a.data.len(), "gemm: a is too short for {m} x {k}");
    assert!(b.reaches(k, n) <= b.data.len(), "gemm: b is too short for {k} x {n}");
    let signed = |stride: usize| stride as isize;
    // SAFETY: `a` and `b` contain the last element that sizes and strides reach, checked above, and `c` does
    // by its invariant. `c` is borrowed mutably, so it overlaps neither `a` nor `b`, and its rows do not
    // overlap each other. With β = 0, sgemm writes `c` without reading it; with k = 0 it reads neither `a`
    // nor `b`.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.data.as_ptr(),
            signed(a.strides[0]),
            signed(a.strides[1]),
            b.data.as_ptr(),
            signed(b.strides[0]),
            signed(b.strides[1]),
            beta.as_f32(),
            c.start,
            signed(c.row_stride),
            1,
        );
    }
}

/// Computes each element of `c` as a dot product of a row of `a` and a column of `b`, both contiguous.
fn dot_products(c: &mut MatrixMut, a: Matrix, b: Matrix, k: usize, beta: Beta) {
    for row in 0..c.rows {
        let a = &a.data[row * a.strides[0]..][..k];
        for (column, c) in c.row_mut(row).iter_mut().enumerate() {
            let product = dot(a, &b.data[column * b.strides[1]..][..k]);
            *c = if beta == Beta::One { *c + product } else { product };
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// An operand of [`gemm`]: a slice with a row stride and a column stride.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(data: &'a [f32], strides: [usize; 2]) -> Self {
        Self { data, strides }
    }

    /// The matrix without the first `n` rows (axis 0) or columns (axis 1).
    pub(crate) fn skip(self, axis: usize, n: usize) -> Self {
        // With k = 0 the slice is empty, and there is nothing to skip.
        let start = (n * self.strides[axis]).min(self.data.len());
        Self { data: &self.data[start..], ..self }
    }

    /// One more than the index of the last element.
    fn reaches(&self, rows: usize, cols: usize) -> usize {
        match (rows, cols) {
            (0, _) | (_, 0) => 0,
            _ => (rows - 1) * self.strides[0] + (cols - 1) * self.strides[1] + 1,
        }
    }
}

/// The output of [`gemm`]: rows of contiguous elements that can be split by rows and by columns.
///
/// Invariant: every element of the `rows` × `cols` window is in the borrowed slice, and windows split from
/// one another share no element.
pub(crate) struct MatrixMut<'a> {
    start: *mut f32,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    row_stride: usize,
    slice: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a mutable borrow of elements that no other window shares, and f32 is Send.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// The first `cols` columns of rows that are `row_stride` elements apart.
    #[track_caller]
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let reaches = if rows * cols == 0 { 0 } else { (rows - 1) * row_stride + cols };
        assert!(
            cols <= row_stride && reaches <= data.len(),
            "MatrixMut: {rows} x {cols} with row stride {row_stride} does not fit the data"
        );
        Self { start: data.as_mut_ptr(), rows, cols, row_stride, slice: PhantomData }
    }

    /// One row.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "MatrixMut: row {row} is out of range for {} rows", self.rows);
        // SAFETY: by the invariant the row's elements are in the slice and no other window shares them; the
        // borrow of `self` prevents other rows of this window from being taken at the same time.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.row_stride), self.cols) }
    }

    /// The first `n` rows, and the rest.
    pub(crate) fn split_rows_at(self, n: usize) -> (Self, Self) {
        assert!(n <= self.rows, "MatrixMut: {n} of {} rows", self.rows);
        let tail = self.window(n * self.row_stride, self.rows - n, self.cols);
        (Self { rows: n, ..self }, tail)
    }

    /// The first `n` columns, and the rest.
    pub(crate) fn split_cols_at(self, n: usize) -> (Self, Self) {
        assert!(n <= self.cols, "MatrixMut: {n} of {} columns", self.cols);
        let tail = self.window(n, self.rows, self.cols - n);
        (Self { cols: n, ..self }, tail)
    }

    fn window(&self, offset: usize, rows: usize, cols: usize) -> Self {
        // An empty window keeps the start, since its offset could be beyond the slice.
        let offset = if rows * cols == 0 { 0 } else { offset };
        // SAFETY: callers pass the offset of an element of this window, and by the invariant it is in the slice.
        Self { start: unsafe { self.start.add(offset) }, rows, cols, ..*self }
    }
}

/// A window split along the rows.
pub(crate) struct ByRows<'a>(pub(crate) MatrixMut<'a>);

impl SplitRows for ByRows<'_> {
    fn split_rows(self, n: usize) -> (Self, Self) {
        let (head, tail) = self.0.split_rows_at(n);
        (Self(head), Self(tail))
    }
}

/// A window split along the columns.
pub(crate) struct ByColumns<'a>(pub(crate) MatrixMut<'a>);

impl SplitRows for ByColumns<'_> {
    fn split_rows(self, n: usize) -> (Self, Self) {
        let (head, tail) = self.0.split_cols_at(n);
        (Self(head), Self(tail))
    }
}
