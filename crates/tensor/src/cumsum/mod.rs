//! Cumulative sums along an axis, accumulated in f64 and rounded for each element: |Δ| ≤ ε·Σ|x|, with
//! ε = 2⁻²⁴.

pub(crate) mod reference;

use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::{COLUMNS, split_at_axis};
use crate::{Beta, Shape};
use simd::{Kernel, Level, Simd, dispatch};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 14;

/// How many rows are summed side by side along the last axis, so that no addition waits for the previous one.
const ROWS: usize = 8;

/// y\[.., i, ..\] = Σ x\[.., j, ..\] over j ≤ i, along `axis`.
///
/// # Panics
/// When there is no such axis, or a length does not fit.
#[track_caller]
pub fn cumsum_forward(y: &mut [f32], x: &[f32], shape: &Shape, axis: usize) {
    cumulate("cumsum_forward", y, x, shape, axis, Walk { from_end: false, beta: Beta::Zero });
}

/// dx\[.., i, ..\] = β·dx\[.., i, ..\] + Σ dy\[.., j, ..\] over j ≥ i, along `axis`.
///
/// # Panics
/// When there is no such axis, or a length does not fit.
#[track_caller]
pub fn cumsum_backward(dx: &mut [f32], dy: &[f32], shape: &Shape, axis: usize, beta: Beta) {
    cumulate("cumsum_backward", dx, dy, shape, axis, Walk { from_end: true, beta });
}

/// The direction of a sum, and whether the output is kept.
#[derive(Clone, Copy)]
struct Walk {
    from_end: bool,
    beta: Beta,
}

impl Walk {
    /// Which of `n` indices is visited after `step` others.
    #[inline(always)]
    fn idx(self, step: usize, n: usize) -> usize {
        if self.from_end { n - 1 - step } else { step }
    }

    #[inline(always)]
    fn write(self, y: &mut f32, sum: f64) {
        *y = if self.beta == Beta::One { *y + sum as f32 } else { sum as f32 };
    }
}

#[track_caller]
fn cumulate(name: &str, y: &mut [f32], x: &[f32], shape: &Shape, axis: usize, walk: Walk) {
    let (outer, n, inner) = split_at_axis(shape, axis);
    assert_eq!((y.len(), x.len()), (shape.numel(), shape.numel()), "{name}: lengths for {shape}");
    let (len, level) = (n * inner, Level::current());
    if len == 0 {
        return;
    }
    // Whole groups of rows, so that few are summed singly.
    let chunk = (TASK_LEN / len).next_multiple_of(ROWS).max(ROWS);
    for_each_chunk(outer, chunk, 2 * x.len(), rows_mut(y, len), |blocks, y| {
        let (y, x) = (y.into_slice(), &x[blocks.start * len..blocks.end * len]);
        if inner == 1 {
            return dispatch(level, AlongRows { y, x, n, walk });
        }
        for (y, x) in y.chunks_exact_mut(len).zip(x.chunks_exact(len)) {
            dispatch(level, AcrossRows { y, x, n, inner, walk });
        }
    });
}

/// Computes the sums along rows of `n`.
struct AlongRows<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    n: usize,
    walk: Walk,
}

impl Kernel for AlongRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, x, n, walk } = self;
        for (y, x) in y.chunks_mut(ROWS * n).zip(x.chunks(ROWS * n)) {
            if y.len() == ROWS * n {
                rows_together::<ROWS>(y, x, n, walk);
                continue;
            }
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                rows_together::<1>(y, x, n, walk);
            }
        }
    }
}

#[inline(always)]
fn rows_together<const R: usize>(y: &mut [f32], x: &[f32], n: usize, walk: Walk) {
    let mut sums = [0.0f64; R];
    let (y, x) = (&mut y[..R * n], &x[..R * n]);
    for step in 0..n {
        let idx = walk.idx(step, n);
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(x[row * n + idx]);
            walk.write(&mut y[row * n + idx], *sum);
        }
    }
}

/// Computes the sums of each column of `[n, inner]`.
struct AcrossRows<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    n: usize,
    inner: usize,
    walk: Walk,
}

impl Kernel for AcrossRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, x, n, inner, walk } = self;
        for first in (0..inner).step_by(COLUMNS) {
            let n_columns = COLUMNS.min(inner - first);
            let mut sums = [0.0f64; COLUMNS];
            for step in 0..n {
                let start = walk.idx(step, n) * inner + first;
                let (y, x) = (&mut y[start..start + n_columns], &x[start..start + n_columns]);
                for ((y, &x), sum) in y.iter_mut().zip(x).zip(&mut sums) {
                    *sum += f64::from(x);
                    walk.write(y, *sum);
                }
            }
        }
    }
}
