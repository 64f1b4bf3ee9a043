//! Broadcasting as in NumPy and PyTorch, and its adjoint, the sum over the broadcast axes.
//!
//! Shapes are aligned at their last axis; an axis of size 1, or a missing one, repeats. Summing over axes
//! *is* [`reduce_to_shape`] onto the shape with these axes set to 1, and its gradient *is*
//! [`broadcast_forward`]; each is the backward of the other.

pub(crate) mod reference;

use crate::nest::Nest;
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::reduce::{Reduction, reduce_rows};
use crate::{Beta, MAX_RANK, Shape, elementwise, scratch};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 15;

/// The shape that `a` and `b` broadcast to, or `None` when two sizes differ and neither is 1.
pub fn broadcast_shapes(a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let mut dims = [1; MAX_RANK];
    for (axis, dim) in dims[..rank].iter_mut().enumerate() {
        *dim = match (size_from_end(a, rank - axis), size_from_end(b, rank - axis)) {
            (1, n) | (n, 1) => n,
            (m, n) if m == n => n,
            _ => return None,
        };
    }
    Some(Shape::new(&dims[..rank]))
}

/// `y = β·y + x`, with `x` repeated along its axes of size 1 and along missing leading axes.
///
/// # Panics
/// When `x_shape` does not broadcast to `y_shape`, or a length does not fit its shape.
#[track_caller]
pub fn broadcast_forward(y: &mut [f32], x: &[f32], x_shape: &Shape, y_shape: &Shape, beta: Beta) {
    check("broadcast_forward", x.len(), x_shape, y.len(), y_shape);
    let nest = Nest::new(y_shape, [broadcast_strides(x_shape, y_shape)]);
    let (len, [step]) = (nest.row_len(), nest.row_strides());
    for_each_chunk(nest.n_rows(), task_rows(len), y.len(), rows_mut(y, len), |rows, y| {
        for (y, [start]) in y.into_slice().chunks_exact_mut(len.max(1)).zip(nest.row_starts(rows)) {
            match (step, beta) {
                (0, Beta::Zero) => y.fill(x[start]),
                (0, Beta::One) => y.iter_mut().for_each(|y| *y += x[start]),
                _ => elementwise::copy_or_add(y, &x[start..start + len], beta),
            }
        }
    });
}

/// `y = f(a, b)` with both operands broadcast to `y_shape`.
///
/// # Panics
/// When a shape does not broadcast to `y_shape`, or a length does not fit its shape.
#[track_caller]
pub fn broadcast_zip(
    y: &mut [f32],
    (a, a_shape): (&[f32], &Shape),
    (b, b_shape): (&[f32], &Shape),
    y_shape: &Shape,
    f: impl Fn(f32, f32) -> f32 + Sync,
) {
    check("broadcast_zip", a.len(), a_shape, y.len(), y_shape);
    check("broadcast_zip", b.len(), b_shape, y.len(), y_shape);
    let nest = Nest::new(y_shape, [broadcast_strides(a_shape, y_shape), broadcast_strides(b_shape, y_shape)]);
    let (len, [a_step, b_step]) = (nest.row_len(), nest.row_strides());
    for_each_chunk(nest.n_rows(), task_rows(len), y.len(), rows_mut(y, len), |rows, y| {
        let rows = y.into_slice().chunks_exact_mut(len.max(1)).zip(nest.row_starts(rows));
        for (y, [a_start, b_start]) in rows {
            let (a, b) = (&a[a_start..], &b[b_start..]);
            match (a_step, b_step) {
                (0, 0) => y.fill(f(a[0], b[0])),
                (0, _) => elementwise::map(y, &b[..len], Beta::Zero, |b| f(a[0], b)),
                (_, 0) => elementwise::map(y, &a[..len], Beta::Zero, |a| f(a, b[0])),
                _ => elementwise::zip(y, &a[..len], &b[..len], Beta::Zero, &f),
            }
        }
    });
}

/// `y = f(a, b, c)` with all operands broadcast to `y_shape`.
///
/// # Panics
/// When a shape does not broadcast to `y_shape`, or a length does not fit its shape.
#[track_caller]
pub fn broadcast_zip3(
    y: &mut [f32],
    operands: [(&[f32], &Shape); 3],
    y_shape: &Shape,
    f: impl Fn(f32, f32, f32) -> f32 + Sync,
) {
    for (x, x_shape) in operands {
        check("broadcast_zip3", x.len(), x_shape, y.len(), y_shape);
    }
    let nest = Nest::new(y_shape, operands.map(|(_, shape)| broadcast_strides(shape, y_shape)));
    let (len, steps) = (nest.row_len(), nest.row_strides());
    let zero = Beta::Zero;
    for_each_chunk(nest.n_rows(), task_rows(len), y.len(), rows_mut(y, len), |rows, y| {
        for (y, starts) in y.into_slice().chunks_exact_mut(len.max(1)).zip(nest.row_starts(rows)) {
            // An operand that repeats along the row has a single element here.
            let row = |i: usize| &operands[i].0[starts[i]..][..if steps[i] == 0 { 1 } else { len }];
            let (a, b, c) = (row(0), row(1), row(2));
            match steps {
                [0, 0, 0] => y.fill(f(a[0], b[0], c[0])),
                [_, 0, 0] => elementwise::map(y, a, zero, |a| f(a, b[0], c[0])),
                [0, _, 0] => elementwise::map(y, b, zero, |b| f(a[0], b, c[0])),
                [0, 0, _] => elementwise::map(y, c, zero, |c| f(a[0], b[0], c)),
                [_, _, 0] => elementwise::zip(y, a, b, zero, |a, b| f(a, b, c[0])),
                [_, 0, _] => elementwise::zip(y, a, c, zero, |a, c| f(a, b[0], c)),
                [0, _, _] => elementwise::zip(y, b, c, zero, |b, c| f(a[0], b, c)),
                _ => elementwise::zip3(y, a, b, c, zero, &f),
            }
        }
    });
}

/// `dx = β·dx +` the sum or the mean of `dy` over the axes that `x_shape` was broadcast along: the sum is the
/// gradient of [`broadcast_forward`], and both work over any axes. Accumulates in f64, in an order fixed by
/// the shapes.
///
/// `batch` means that the first axis of `dy` is the images of a batch and is one of those summed, even if its
/// size happens to be 1; other sums have no shards.
///
/// Error bound: |Δ| ≤ 3·ε·Σ|dy|, with ε = 2⁻²⁴: one rounding for each alternation of kept and summed axes.
///
/// # Panics
/// When `x_shape` does not broadcast to `y_shape`, or a length does not fit its shape.
#[track_caller]
pub fn reduce_to_shape(
    dx: &mut [f32],
    dy: &[f32],
    x_shape: &Shape,
    y_shape: &Shape,
    reduction: Reduction,
    batch: Option<&Shards<'_>>,
    beta: Beta,
) {
    check("reduce_to_shape", dx.len(), x_shape, dy.len(), y_shape);
    let rank = y_shape.rank();
    // From its end, `y_shape` has axes that are kept, then axes that are summed, then any others.
    let is_batch = |i: usize| batch.is_some() && i == rank;
    let is_kept = |i: &usize| size_from_end(x_shape, *i) == size_from_end(y_shape, *i) && !is_batch(*i);
    let n_kept = (1..=rank).take_while(is_kept).count();
    let n_summed = (n_kept + 1..=rank).take_while(|i| size_from_end(x_shape, *i) == 1).count();
    let size = |from: usize, n: usize| (from + 1..=from + n).map(|i| size_from_end(y_shape, i)).product();
    let (cols, rows): (usize, usize) = (size(0, n_kept), size(n_kept, n_summed));
    let single = Shards::whole(1);
    if n_kept + n_summed == rank {
        return reduce_rows(dx, dy, rows, cols, reduction, batch.unwrap_or(&single), beta);
    }
    // Kept and summed axes alternate: sum the innermost run, then what is left.
    let mut rest_shape = *y_shape;
    for i in n_kept + 1..=n_kept + n_summed {
        rest_shape = rest_shape.with_axis(rank - i, 1);
    }
    scratch::with(rest_shape.numel(), |rest| {
        let n_outer = rest.len() / cols.max(1);
        let chunk = task_rows(rows * cols);
        for_each_chunk(n_outer, chunk, dy.len(), rows_mut(rest, cols), |outer, rest| {
            for (rest, idx) in rest.into_slice().chunks_exact_mut(cols.max(1)).zip(outer) {
                let dy = &dy[idx * rows * cols..][..rows * cols];
                reduce_rows(rest, dy, rows, cols, reduction, &single, Beta::Zero);
            }
        });
        reduce_to_shape(dx, rest, x_shape, &rest_shape, reduction, batch, beta);
    });
}

/// How many rows of `row_len` elements make up a task.
fn task_rows(row_len: usize) -> usize {
    (TASK_LEN / row_len.max(1)).max(1)
}

/// The size of the `i`-th axis from the end, counted from 1; missing axes have size 1.
fn size_from_end(shape: &Shape, i: usize) -> usize {
    shape.rank().checked_sub(i).map_or(1, |axis| shape[axis])
}

/// The strides of `x` over the axes of `y_shape`: 0 where it repeats.
pub(crate) fn broadcast_strides(x_shape: &Shape, y_shape: &Shape) -> [usize; MAX_RANK] {
    let (missing, strides) = (y_shape.rank() - x_shape.rank(), x_shape.strides());
    let mut walk = [0; MAX_RANK];
    for axis in (0..x_shape.rank()).filter(|&axis| x_shape[axis] != 1) {
        walk[missing + axis] = strides[axis];
    }
    walk
}

#[track_caller]
fn check(name: &str, x_len: usize, x_shape: &Shape, y_len: usize, y_shape: &Shape) {
    assert!(
        broadcast_shapes(x_shape, y_shape) == Some(*y_shape),
        "{name}: shape {x_shape} does not broadcast to {y_shape}"
    );
    assert_eq!(x_len, x_shape.numel(), "{name}: number of elements for shape {x_shape}");
    assert_eq!(y_len, y_shape.numel(), "{name}: number of elements for shape {y_shape}");
}
