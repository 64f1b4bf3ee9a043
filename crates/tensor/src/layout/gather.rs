//! Picking elements along an axis by index, and adding to them.

use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::split_at_axis;
use crate::{Beta, Shape};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 14;

/// `y[.., i, ..] = x[.., indices[.., i, ..], ..]` along `axis`, like `torch.gather`.
///
/// `indices` and `y` have the shape of `x` except for the size of the axis, which is arbitrary.
///
/// # Panics
/// When an index is out of bounds, there is no such axis, or a length does not fit.
#[track_caller]
pub fn gather_forward(y: &mut [f32], x: &[f32], indices: &[u32], x_shape: &Shape, axis: usize) {
    let Sizes { n_picked, n, inner } = Sizes::new("gather_forward", y.len(), x.len(), indices, x_shape, axis);
    if y.is_empty() {
        return;
    }
    let chunk = (TASK_LEN / inner).max(1);
    // A row for each index of the axes up to `axis`.
    for_each_chunk(y.len() / inner, chunk, 2 * y.len(), rows_mut(y, inner), |rows, y| {
        let picks = indices[rows.start * inner..rows.end * inner].chunks_exact(inner);
        let mut block = rows.start / n_picked;
        let mut until = (block + 1) * n_picked;
        for ((y, picks), row) in y.into_slice().chunks_exact_mut(inner).zip(picks).zip(rows) {
            if row == until {
                (block, until) = (block + 1, until + n_picked);
            }
            let x = &x[block * n * inner..][..n * inner];
            for (column, (y, &idx)) in y.iter_mut().zip(picks).enumerate() {
                *y = x[idx as usize * inner + column];
            }
        }
    });
}

/// `dx = β·dx`, then `dx[.., indices[.., i, ..], ..] += dy[.., i, ..]`, in index order; with [`Beta::One`] it is
/// `torch.scatter_add`.
///
/// # Panics
/// When an index is out of bounds, there is no such axis, or a length does not fit.
#[track_caller]
pub fn gather_backward(
    dx: &mut [f32],
    dy: &[f32],
    indices: &[u32],
    x_shape: &Shape,
    axis: usize,
    beta: Beta,
) {
    let Sizes { n_picked, n, inner } =
        Sizes::new("gather_backward", dy.len(), dx.len(), indices, x_shape, axis);
    beta.prepare(dx);
    let (len, dy_len) = (n * inner, n_picked * inner);
    if dy.is_empty() || len == 0 {
        return;
    }
    // Indices of the axes before this one share no elements.
    let chunk = (TASK_LEN / len.max(dy_len)).max(1);
    for_each_chunk(dx.len() / len, chunk, 2 * dy.len(), rows_mut(dx, len), |blocks, dx| {
        let range = blocks.start * dy_len..blocks.end * dy_len;
        let picked = dy[range.clone()].chunks_exact(dy_len).zip(indices[range].chunks_exact(dy_len));
        for (dx, (dy, indices)) in dx.into_slice().chunks_exact_mut(len).zip(picked) {
            for (dy, picks) in dy.chunks_exact(inner).zip(indices.chunks_exact(inner)) {
                for (column, (dy, &idx)) in dy.iter().zip(picks).enumerate() {
                    dx[idx as usize * inner + column] += dy;
                }
            }
        }
    });
}

/// The sizes of the axis, picked and whole, and of the axes after it.
struct Sizes {
    n_picked: usize,
    n: usize,
    inner: usize,
}

impl Sizes {
    #[track_caller]
    fn new(name: &str, y_len: usize, x_len: usize, indices: &[u32], x_shape: &Shape, axis: usize) -> Self {
        let (outer, n, inner) = split_at_axis(x_shape, axis);
        assert_eq!(x_len, x_shape.numel(), "{name}: number of elements for shape {x_shape}");
        assert_eq!(y_len, indices.len(), "{name}: one result for each index");
        let n_picked = indices.len().checked_div(outer * inner).unwrap_or(0);
        assert_eq!(
            indices.len(),
            outer * n_picked * inner,
            "{name}: the indices have the shape {x_shape} but for axis {axis}"
        );
        if let Some(pos) = indices.iter().position(|&idx| idx as usize >= n) {
            panic!(
                "{name}: index {} at position {pos} is out of bounds for axis {axis} of {x_shape}",
                indices[pos]
            );
        }
        Self { n_picked, n, inner }
    }
}
