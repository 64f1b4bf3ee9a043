//! Moving elements: permute, slice, concatenate, gather, each with its backward.

mod gather;
pub(crate) mod reference;

use std::ops::Range;

use crate::nest::Nest;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::split_at_axis;
use crate::transpose::read_transposed;
use crate::{Beta, MAX_RANK, Shape, elementwise};
use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

pub use gather::{gather_backward, gather_forward};

/// The shape whose axis `i` is axis `axes[i]` of `shape`.
///
/// # Panics
/// When `axes` is not a permutation of the shape's axes.
#[track_caller]
pub fn permuted_shape(shape: &Shape, axes: &[usize]) -> Shape {
    let mut dims = [0; MAX_RANK];
    let mut seen = [false; MAX_RANK];
    let is_permutation = axes.len() == shape.rank()
        && axes.iter().all(|&axis| axis < shape.rank() && !std::mem::replace(&mut seen[axis], true));
    assert!(is_permutation, "permute: {axes:?} is not a permutation of the {} axes of {shape}", shape.rank());
    for (dim, &axis) in dims.iter_mut().zip(axes) {
        *dim = shape[axis];
    }
    Shape::new(&dims[..axes.len()])
}

/// The permutation that undoes `axes`; entries past its length are 0.
pub fn inverse_permutation(axes: &[usize]) -> [usize; MAX_RANK] {
    let mut inverse = [0; MAX_RANK];
    for (idx, &axis) in axes.iter().enumerate() {
        inverse[axis] = idx;
    }
    inverse
}

/// `y = β·y + x` with the axes reordered: axis `i` of `y` is axis `axes[i]` of `x`.
///
/// Its backward is the same function with the [`inverse_permutation`] and the permuted shape.
///
/// # Panics
/// When `axes` is not a permutation of the axes, or a length does not fit.
#[track_caller]
pub fn permute(y: &mut [f32], x: &[f32], x_shape: &Shape, axes: &[usize], beta: Beta) {
    let y_shape = permuted_shape(x_shape, axes);
    assert_eq!((y.len(), x.len()), (y_shape.numel(), y_shape.numel()), "permute: lengths for {x_shape}");
    let x_strides = x_shape.strides();
    let mut strides = [0; MAX_RANK];
    for (stride, &axis) in strides.iter_mut().zip(axes) {
        *stride = x_strides[axis];
    }
    let nest = Nest::new(&y_shape, [strides]);
    // A single element has no stride to step by.
    let (len, step) = (nest.row_len(), nest.row_strides()[0].max(1));
    let chunk = ((1 << 15) / len.max(1)).max(1);
    let level = Level::current();
    for_each_chunk(nest.n_rows(), chunk, 4 * y.len(), rows_mut(y, len), |rows, y| {
        let mut y = y.into_slice();
        let mut starts = nest.row_starts(rows).map(|[start]| start).peekable();
        while let Some(start) = starts.next().filter(|_| !y.is_empty()) {
            if step == 1 {
                let row = y.split_off_mut(..len).expect("a row for each start");
                elementwise::copy_or_add(row, &x[start..start + len], beta);
                continue;
            }
            // Rows that start next to each other in `x` read the same cache lines.
            let more = (1..TILE).take_while(|idx| starts.next_if_eq(&(start + idx)).is_some()).count();
            let rows = y.split_off_mut(..(1 + more) * len).expect("a row for each start");
            dispatch(level, TransposeRows { y: rows, len, x: &x[start..], step, beta });
        }
    });
}

/// Rows and columns of a tile: the number of elements in a vector, and in a cache line.
const TILE: usize = LANES;

/// `y[row, col] = β·y[row, col] + x[row + step·col]` for at most [`TILE`] rows of `len` columns.
struct TransposeRows<'a> {
    y: &'a mut [f32],
    len: usize,
    x: &'a [f32],
    step: usize,
    beta: Beta,
}

impl Kernel for TransposeRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { y, len, x, step, beta } = self;
        let n_rows = y.len() / len;
        for first in (0..len).step_by(TILE) {
            let n_cols = TILE.min(len - first);
            let rows = read_transposed(simd, &x[first * step..], step, n_cols, n_rows);
            for (y, row) in y.chunks_exact_mut(len).zip(rows) {
                let y = &mut y[first..first + n_cols];
                let sum = if beta == Beta::One { row + simd.read(y) } else { row };
                sum.write(y);
            }
        }
    }
}

/// `y = β·y + x[.., range, ..]`, with the range on `axis`.
///
/// # Panics
/// When the axis or the range is out of bounds, or a length does not fit.
#[track_caller]
pub fn slice_forward(
    y: &mut [f32],
    x: &[f32],
    x_shape: &Shape,
    axis: usize,
    range: Range<usize>,
    beta: Beta,
) {
    let (row, part) = slice_rows("slice_forward", y.len(), x.len(), x_shape, axis, &range);
    for (y, x) in y.chunks_exact_mut(part.len().max(1)).zip(x.chunks_exact(row.max(1))) {
        elementwise::copy_or_add(y, &x[part.clone()], beta);
    }
}

/// `dx[.., range, ..] = β·dx[.., range, ..] + dy`; with [`Beta::Zero`] the rest of `dx` becomes zero.
///
/// # Panics
/// When the axis or the range is out of bounds, or a length does not fit.
#[track_caller]
pub fn slice_backward(
    dx: &mut [f32],
    dy: &[f32],
    x_shape: &Shape,
    axis: usize,
    range: Range<usize>,
    beta: Beta,
) {
    let (row, part) = slice_rows("slice_backward", dy.len(), dx.len(), x_shape, axis, &range);
    beta.prepare(dx);
    for (dx, dy) in dx.chunks_exact_mut(row.max(1)).zip(dy.chunks_exact(part.len().max(1))) {
        elementwise::add_assign(&mut dx[part.clone()], dy);
    }
}

/// Writes one operand of a concatenation: `y[.., range, ..] = x`. The rest of `y` is unchanged.
///
/// A concatenation is one call per operand, with consecutive ranges; an operand's gradient is
/// [`slice_forward`] of `dy` with its range.
///
/// # Panics
/// When the axis or the range is out of bounds, or a length does not fit.
#[track_caller]
pub fn concat_part(y: &mut [f32], x: &[f32], y_shape: &Shape, axis: usize, range: Range<usize>) {
    let (row, part) = slice_rows("concat_part", x.len(), y.len(), y_shape, axis, &range);
    for (y, x) in y.chunks_exact_mut(row.max(1)).zip(x.chunks_exact(part.len().max(1))) {
        y[part.clone()].copy_from_slice(x);
    }
}

/// The number of elements from one outer index to the next, and which of them belong to the slice.
#[track_caller]
fn slice_rows(
    name: &str,
    part_len: usize,
    whole_len: usize,
    shape: &Shape,
    axis: usize,
    range: &Range<usize>,
) -> (usize, Range<usize>) {
    let (outer, n, inner) = split_at_axis(shape, axis);
    assert!(
        range.start <= range.end && range.end <= n,
        "{name}: {range:?} is out of bounds for axis {axis} of shape {shape}"
    );
    assert_eq!(whole_len, shape.numel(), "{name}: number of elements for shape {shape}");
    assert_eq!(
        part_len,
        outer * range.len() * inner,
        "{name}: number of elements of {range:?} on axis {axis} of {shape}"
    );
    (n * inner, range.start * inner..range.end * inner)
}
