//! Reductions: sums in f64, extremes, and the index of the largest.
//!
//! Sums over arbitrary axes are [`crate::broadcast::reduce_to_shape`], built on [`sum_rows`].

pub(crate) mod reference;

use std::hint::black_box;

use crate::nest::Nest;
use crate::parallel::{for_each_chunk, rows_mut};
use crate::{Beta, Shape, elementwise};
use simd::{Kernel, Level, Simd, dispatch};

/// Accumulators of [`sum`]: enough that no addition waits for the one before it.
const LANES: usize = 32;

/// The most chunks of a sum.
const MAX_CHUNKS: usize = 16;

/// Columns whose sums one task accumulates.
pub(crate) const COLUMNS: usize = 64;

/// Rows (or elements) below which a sum is not split further.
const MIN_ROWS: usize = 256;

/// The sum of all elements, accumulated in f64 and rounded once; 0 for none.
pub fn sum(x: &[f32]) -> f32 {
    let chunk = x.len().div_ceil(MAX_CHUNKS).max(MIN_ROWS * COLUMNS);
    let mut partials = [0.0; MAX_CHUNKS];
    let n_chunks = x.len().div_ceil(chunk);
    // In vectors of eight, since Zen 4 sums wider ones at two thirds of the rate.
    let level = Level::current().at_most_avx2();
    for_each_chunk(n_chunks, 1, x.len(), rows_mut(&mut partials[..n_chunks], 1), |idx, partial| {
        let end = x.len().min(idx.end * chunk);
        partial.into_slice()[0] = dispatch(level, Sum(&x[idx.start * chunk..end]));
    });
    partials.iter().sum::<f64>() as f32
}

/// The sum of a chunk.
struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        let mut lanes = [0.0; LANES];
        // Multiplying by one and adding: on Zen 4 that runs beside the widening, which an addition waits for. The
        // factor is hidden from the compiler, which would make an addition of it; the sum is the same either way.
        let one = black_box(1.0);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &v) in lanes.iter_mut().zip(chunk) {
                *lane = if S::FUSED { f64::from(v).mul_add(one, *lane) } else { *lane + f64::from(v) };
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|&v| f64::from(v)).sum::<f64>()
    }
}

/// `db = β·db + Σ_rows dy`: the sum of the rows of `dy[rows, cols]`, which is the gradient of a bias.
///
/// Accumulates in f64, rounded once, in an order fixed by `rows`: |Δ| ≤ ε·Σ|dy|, ε = 2⁻²⁴.
///
/// # Panics
/// When the lengths do not fit.
#[track_caller]
pub fn sum_rows(db: &mut [f32], dy: &[f32], rows: usize, cols: usize, beta: Beta) {
    assert_eq!(dy.len(), rows * cols, "sum_rows: dy is rows x cols = {rows} x {cols}");
    assert_eq!(db.len(), cols, "sum_rows: db has one element per column");
    match (rows, cols) {
        (0, _) => beta.prepare(db),
        (1, _) => elementwise::copy_or_add(db, dy, beta),
        (_, 1) => elementwise::copy_or_add(db, &[sum(dy)], beta),
        _ => for_each_chunk(cols, COLUMNS, dy.len(), rows_mut(db, 1), |range, db| {
            let [sums] = column_sums(rows, dy.len(), |row, [sums]| {
                for (sum, &v) in sums.iter_mut().zip(&dy[row * cols..][range.clone()]) {
                    *sum += f64::from(v);
                }
            });
            let mut rounded = [0.0; COLUMNS];
            for (rounded, &sum) in rounded.iter_mut().zip(&sums) {
                *rounded = sum as f32;
            }
            elementwise::copy_or_add(db.into_slice(), &rounded[..range.len()], beta);
        }),
    }
}

/// Sums over rows for a block of columns, `A` arrays of sums at once: `add(row, sums)` adds one row.
///
/// Rows are split into chunks by their number alone, and the chunks' sums joined in order.
pub(crate) fn column_sums<const A: usize>(
    rows: usize,
    work: usize,
    add: impl Fn(usize, &mut [[f64; COLUMNS]; A]) + Sync,
) -> [[f64; COLUMNS]; A] {
    let chunk = rows.div_ceil(MAX_CHUNKS).max(MIN_ROWS);
    let mut partials = [[[0.0; COLUMNS]; A]; MAX_CHUNKS];
    for_each_chunk(rows.div_ceil(chunk), 1, work, rows_mut(&mut partials, 1), |idx, partial| {
        let partial = &mut partial.into_slice()[0];
        (idx.start * chunk..rows.min(idx.end * chunk)).for_each(|row| add(row, partial));
    });
    let [mut sums, rest @ ..] = partials;
    for partial in &rest {
        for (sum, v) in sums.as_flattened_mut().iter_mut().zip(partial.as_flattened()) {
            *sum += v;
        }
    }
    sums
}

/// `y = fold(f)` of `x` over the axes where `y_shape` has size 1, starting from `init`.
///
/// # Panics
/// When `y_shape` is not `x_shape` with some sizes set to 1, or a length does not fit its shape.
#[track_caller]
pub fn fold_to_shape(
    y: &mut [f32],
    x: &[f32],
    y_shape: &Shape,
    x_shape: &Shape,
    init: f32,
    f: impl Fn(f32, f32) -> f32,
) {
    let fits = y_shape.rank() == x_shape.rank()
        && y_shape.iter().zip(x_shape.iter()).all(|(&small, &large)| small == large || small == 1);
    assert!(fits, "fold_to_shape: {y_shape} is not {x_shape} with some sizes set to 1");
    assert_eq!((y.len(), x.len()), (y_shape.numel(), x_shape.numel()), "fold_to_shape: lengths");
    y.fill(init);
    let mut strides = y_shape.strides();
    for axis in (0..y_shape.rank()).filter(|&axis| y_shape[axis] == 1) {
        strides[axis] = 0;
    }
    let nest = Nest::new(x_shape, [strides]);
    let (len, [step]) = (nest.row_len(), nest.row_strides());
    for (x, [start]) in x.chunks_exact(len.max(1)).zip(nest.row_starts(0..nest.n_rows())) {
        if step == 0 {
            y[start] = x.iter().fold(y[start], |folded, &x| f(folded, x));
        } else {
            y[start..].iter_mut().zip(x).for_each(|(y, &x)| *y = f(*y, x));
        }
    }
}

/// The larger of two numbers; NaN when either is.
pub fn max_nan(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller of two numbers; NaN when either is.
pub fn min_nan(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// The index of the largest element along `axis`: the first of equals; a NaN counts as largest.
///
/// `y` has the elements of `x_shape` without the axis, in row-major order.
///
/// # Panics
/// When there is no such axis, it is empty, or a length does not fit.
#[track_caller]
pub fn argmax(y: &mut [u32], x: &[f32], x_shape: &Shape, axis: usize) {
    let (outer, n, inner) = split_at_axis(x_shape, axis);
    assert!(n > 0, "argmax: axis {axis} of shape {x_shape} is empty");
    assert_eq!(x.len(), x_shape.numel(), "argmax: number of elements for shape {x_shape}");
    assert_eq!(y.len(), outer * inner, "argmax: number of results for shape {x_shape}, axis {axis}");
    for (y_idx, y) in y.iter_mut().enumerate() {
        let column = &x[y_idx / inner * n * inner + y_idx % inner..];
        let mut best = 0;
        for idx in 1..n {
            let (v, top) = (column[idx * inner], column[best * inner]);
            if v > top || (v.is_nan() && !top.is_nan()) {
                best = idx;
            }
        }
        *y = best as u32;
    }
}

/// The shape as outer × size of the axis × inner.
///
/// # Panics
/// When there is no such axis.
#[track_caller]
pub(crate) fn split_at_axis(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    assert!(axis < shape.rank(), "shape {shape} has {} axes, there is no axis {axis}", shape.rank());
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
