//! Padding: adding a border along any axes of an array, and its gradient.
//!
//! ```text
//!   of 1 2 3, two before and two after:
//!   Constant(0)   0 0 | 1 2 3 | 0 0          Replicate   1 1 | 1 2 3 | 3 3
//!   Reflect       3 2 | 1 2 3 | 2 1          Circular    2 3 | 1 2 3 | 1 2
//! ```

pub(crate) mod reference;

use std::ops::Range;

use crate::elementwise::add_assign;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::{Beta, MAX_RANK, Shape};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 15;

/// How a border is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// With this number.
    Constant(f32),
    /// With the array mirrored at its edge, excluding the edge itself.
    Reflect,
    /// With the edge repeated.
    Replicate,
    /// With the other end of the axis.
    Circular,
}

impl PadMode {
    /// The longest border that an axis of this size can have.
    pub fn max_border(self, size: usize) -> usize {
        match self {
            PadMode::Constant(_) => usize::MAX,
            PadMode::Reflect => size.saturating_sub(1),
            PadMode::Replicate => {
                if size == 0 {
                    0
                } else {
                    usize::MAX
                }
            }
            PadMode::Circular => size,
        }
    }

    /// Which element of an axis is at index `idx` of the padded one; `None` for the constant.
    fn source(self, idx: usize, [before, _]: [usize; 2], size: usize) -> Option<usize> {
        if (before..before + size).contains(&idx) {
            return Some(idx - before);
        }
        let is_before = idx < before;
        match self {
            PadMode::Constant(_) => None,
            PadMode::Reflect if is_before => Some(before - idx),
            PadMode::Reflect => Some(2 * (size - 1) - (idx - before)),
            PadMode::Replicate => Some(if is_before { 0 } else { size - 1 }),
            PadMode::Circular if is_before => Some(idx + size - before),
            PadMode::Circular => Some(idx - before - size),
        }
    }

    fn constant(self) -> f32 {
        match self {
            PadMode::Constant(value) => value,
            _ => 0.0,
        }
    }
}

/// The shape with the elements of `padding` added before and after each axis.
///
/// # Panics
/// When there is not one pair for each axis.
#[track_caller]
pub fn padded_shape(shape: &Shape, padding: &[[usize; 2]]) -> Shape {
    assert_eq!(padding.len(), shape.rank(), "pad: one [before, after] for each axis of {shape}");
    let mut dims = [0; MAX_RANK];
    for (dim, (&size, [before, after])) in dims.iter_mut().zip(shape.iter().zip(padding)) {
        *dim = size.saturating_add(*before).saturating_add(*after);
    }
    Shape::new(&dims[..shape.rank()])
}

/// `y` = `x` with a border: `padding[axis]` gives the number of elements before and after it on each axis.
///
/// # Panics
/// When a border is longer than [`PadMode::max_border`], there is not one pair for each axis, or a length does not fit.
#[track_caller]
pub fn pad_forward(y: &mut [f32], x: &[f32], x_shape: &Shape, padding: &[[usize; 2]], mode: PadMode) {
    let plan = Plan::new(x_shape, padding, mode);
    assert_eq!((y.len(), x.len()), (plan.y_shape.numel(), x_shape.numel()), "pad_forward: lengths");
    let (len, x_len) = (plan.y_row_len(), plan.x_row_len());
    let chunk = (TASK_LEN / len.max(1)).max(1);
    for_each_chunk(plan.n_rows(), chunk, y.len(), rows_mut(y, len), |rows, y| {
        for (y, row) in y.into_slice().chunks_exact_mut(len.max(1)).zip(rows) {
            let Some(x_row) = plan.source_row(row) else {
                y.fill(mode.constant());
                continue;
            };
            let x = &x[x_row * x_len..][..x_len];
            y[plan.middle()].copy_from_slice(x);
            plan.for_each_border(|y_part, source| match source {
                Some(x_part) => y[y_part].copy_from_slice(&x[x_part]),
                None => y[y_part].fill(mode.constant()),
            });
        }
    });
}

/// `dx = β·dx +`, for every element, the sum of `dy` over the places where [`pad_forward`] wrote it, in the
/// order of `dy`.
///
/// # Panics
/// As [`pad_forward`].
#[track_caller]
pub fn pad_backward(
    dx: &mut [f32],
    dy: &[f32],
    x_shape: &Shape,
    padding: &[[usize; 2]],
    mode: PadMode,
    beta: Beta,
) {
    let plan = Plan::new(x_shape, padding, mode);
    assert_eq!((dy.len(), dx.len()), (plan.y_shape.numel(), x_shape.numel()), "pad_backward: lengths");
    beta.prepare(dx);
    // The axes before the first padded one index blocks that share no elements.
    let n_blocks: usize = x_shape[..plan.first].iter().product();
    let block_len = dx.len().checked_div(n_blocks).unwrap_or(0);
    let rows_per_block = plan.n_rows().checked_div(n_blocks).unwrap_or(0);
    let (len, x_len) = (plan.y_row_len(), plan.x_row_len());
    let chunk = (TASK_LEN / block_len.max(1)).max(1);
    for_each_chunk(n_blocks, chunk, dy.len(), rows_mut(dx, block_len), |blocks, dx| {
        for (dx, block) in dx.into_slice().chunks_exact_mut(block_len.max(1)).zip(blocks) {
            for row in block * rows_per_block..(block + 1) * rows_per_block {
                let Some(x_row) = plan.source_row(row) else { continue };
                let dx = &mut dx[x_row * x_len - block * block_len..][..x_len];
                let dy = &dy[row * len..][..len];
                add_assign(dx, &dy[plan.middle()]);
                plan.for_each_border(|y_part, source| {
                    if let Some(x_part) = source {
                        add_assign(&mut dx[x_part], &dy[y_part]);
                    }
                });
            }
        }
    });
}

/// The axes as rows: the last padded axis and all after it form a row, with `inner` elements for each index
/// of that axis.
struct Plan<'a> {
    x_shape: &'a Shape,
    y_shape: Shape,
    padding: &'a [[usize; 2]],
    mode: PadMode,
    /// The first padded axis and the last; the last axis if none is padded.
    first: usize,
    last: usize,
    inner: usize,
}

impl<'a> Plan<'a> {
    #[track_caller]
    fn new(x_shape: &'a Shape, padding: &'a [[usize; 2]], mode: PadMode) -> Self {
        let y_shape = padded_shape(x_shape, padding);
        for (axis, &[before, after]) in padding.iter().enumerate() {
            assert!(
                before.max(after) <= mode.max_border(x_shape[axis]),
                "pad: a border of [{before}, {after}] is too long for axis {axis} of {x_shape} in the mode {mode:?}"
            );
        }
        let is_padded = |pad: &[usize; 2]| *pad != [0, 0];
        let none = x_shape.rank().saturating_sub(1);
        let first = padding.iter().position(is_padded).unwrap_or(none);
        let last = padding.iter().rposition(is_padded).unwrap_or(none);
        let inner = x_shape.get(last + 1..).map_or(1, |dims| dims.iter().product());
        Self { x_shape, y_shape, padding, mode, first, last, inner }
    }

    /// The border and the size of the axis of rows; a scalar is a row of one.
    fn row_axis(&self) -> ([usize; 2], usize) {
        match self.padding.get(self.last) {
            Some(&padding) => (padding, self.x_shape[self.last]),
            None => ([0, 0], 1),
        }
    }

    fn x_row_len(&self) -> usize {
        self.row_axis().1 * self.inner
    }

    fn y_row_len(&self) -> usize {
        let ([before, after], size) = self.row_axis();
        (before + size + after) * self.inner
    }

    fn n_rows(&self) -> usize {
        self.y_shape[..self.last].iter().product()
    }

    /// The part of a row of `y` that is a row of `x`.
    fn middle(&self) -> Range<usize> {
        let ([before, _], size) = self.row_axis();
        before * self.inner..(before + size) * self.inner
    }

    /// Which row of `x` a row of `y` comes from.
    fn source_row(&self, mut row: usize) -> Option<usize> {
        let (mut x_row, mut stride) = (0, 1);
        for axis in (0..self.last).rev() {
            let (size, y_size) = (self.x_shape[axis], self.y_shape[axis]);
            x_row += stride * self.mode.source(row % y_size, self.padding[axis], size)?;
            stride *= size;
            row /= y_size;
        }
        Some(x_row)
    }

    /// Calls `f` with each part of a row of `y` outside the middle and the part of a row of `x` it comes
    /// from.
    fn for_each_border(&self, mut f: impl FnMut(Range<usize>, Option<Range<usize>>)) {
        let (padding @ [before, after], size) = self.row_axis();
        let part = |idx: usize| idx * self.inner..(idx + 1) * self.inner;
        for idx in (0..before).chain(before + size..before + size + after) {
            f(part(idx), self.mode.source(idx, padding, size).map(part));
        }
    }
}
