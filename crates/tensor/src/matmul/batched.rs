//! Many matrix products at once, with the leading axes of the operands broadcast.

use super::{MatmulShape, matmul, product_work};
use crate::broadcast::{broadcast_shapes, broadcast_strides};
use crate::nest::Nest;
use crate::parallel::{MIN_PARALLEL_WORK, for_each_chunk, rows_mut};
use crate::shape::checked_len;
use crate::{Beta, Shape};

/// `c[.., m, n] = β·c + a[.., m, k] · b[.., k, n]` for every index of the leading axes. `a` and `b` have
/// their own leading axes, which broadcast to `leading`, those of `c`. `shape` has the sizes of one product
/// and which operands are stored transposed.
///
/// # Panics
/// When leading axes do not broadcast, or a length does not fit.
#[track_caller]
pub fn batched_matmul(
    c: &mut [f32],
    (a, a_leading): (&[f32], &Shape),
    (b, b_leading): (&[f32], &Shape),
    leading: &Shape,
    shape: &MatmulShape,
    beta: Beta,
) {
    let &MatmulShape { m, k, n, transpose_a, .. } = shape;
    let [c_len, a_len, b_len] = [[m, n], [m, k], [k, n]].map(|dims| checked_len("batched_matmul", &dims));
    let n_products = leading.numel();
    let all = |leading: &Shape, of_one| checked_len("batched_matmul", &[leading.numel(), of_one]);
    assert_eq!(c.len(), all(leading, c_len), "batched_matmul: c is {leading} products of {m} x {n}");
    assert_eq!(a.len(), all(a_leading, a_len), "batched_matmul: a is {a_leading} matrices of {m} x {k}");
    assert_eq!(b.len(), all(b_leading, b_len), "batched_matmul: b is {b_leading} matrices of {k} x {n}");
    for axes in [a_leading, b_leading] {
        assert!(
            broadcast_shapes(axes, leading) == Some(*leading),
            "batched_matmul: {axes} does not broadcast to {leading}"
        );
    }
    if b_leading.numel() == 1 && a_leading.numel() == n_products && !transpose_a {
        // With one matrix b for all products, the rows of all of a form one matrix.
        return matmul(c, a, b, &MatmulShape { m: n_products * m, ..*shape }, beta);
    }
    let nest = Nest::new(leading, [a_leading, b_leading].map(|axes| broadcast_strides(axes, leading)));
    let (len, [a_step, b_step]) = (nest.row_len().max(1), nest.row_strides());
    let work = product_work(m, k, n).max(1);
    let chunk = (MIN_PARALLEL_WORK / 4 / work).max(1);
    for_each_chunk(n_products, chunk, n_products.saturating_mul(work), rows_mut(c, c_len), |products, c| {
        let mut c = c.into_slice().chunks_exact_mut(c_len.max(1));
        let rows = products.start / len..products.end.div_ceil(len);
        for (row, [a_start, b_start]) in rows.clone().zip(nest.row_starts(rows)) {
            let (first, end) = (products.start.max(row * len), products.end.min((row + 1) * len));
            for pos in first - row * len..end - row * len {
                let Some(c) = c.next() else { return };
                let a = &a[(a_start + pos * a_step) * a_len..][..a_len];
                let b = &b[(b_start + pos * b_step) * b_len..][..b_len];
                matmul(c, a, b, shape, beta);
            }
        }
    });
}
