//! Reductions: sums in f64, extremes, and the index of the largest element.
//!
//! Sums over arbitrary axes are [`crate::broadcast::reduce_to_shape`], built on [`reduce_rows`].

pub(crate) mod reference;

use std::hint::black_box;
use std::ops::Range;

use crate::nest::Nest;
use crate::parallel::{Shards, SplitRows, fold_in_tree, for_each_chunk, rows_mut, worth_splitting};
use crate::shape::checked_len;
use crate::{Beta, Shape, elementwise};
use simd::{Kernel, Level, Simd, dispatch};

/// The number of accumulators of [`sum`]: enough that no addition waits for the previous one.
const LANES: usize = 32;

/// The maximum number of chunks of a sum.
const MAX_CHUNKS: usize = 16;

/// The number of columns whose sums one task accumulates.
pub(crate) const COLUMNS: usize = 64;

/// The number of rows (or elements) below which a sum is not split further.
const MIN_ROWS: usize = 256;

/// How a set of numbers is reduced to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; NaN when there are none, as in PyTorch.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// The factor of each of `n` numbers: its derivative.
    pub fn factor(self, n: usize) -> f32 {
        match self {
            Reduction::Mean => 1.0 / n as f32,
            Reduction::Sum => 1.0,
        }
    }

    /// Divides a sum of `n` numbers for the mean, before rounding, since the sum alone may overflow f32.
    fn finish(self, sum: f64, n: usize) -> f32 {
        match self {
            Reduction::Mean => (sum / n as f64) as f32,
            Reduction::Sum => sum as f32,
        }
    }
}

/// The sum of all elements, accumulated in f64 and rounded once; 0 for none.
pub fn sum(x: &[f32]) -> f32 {
    sum_f64(x) as f32
}

fn sum_f64(x: &[f32]) -> f64 {
    let chunk = x.len().div_ceil(MAX_CHUNKS).max(MIN_ROWS * COLUMNS);
    // In vectors of eight, since Zen 4 sums wider ones at two thirds of the rate.
    let level = Level::current().at_most_avx2();
    let of_chunk = |idx| dispatch(level, Sum(&x[idx * chunk..x.len().min((idx + 1) * chunk)]));
    let n_chunks = x.len().div_ceil(chunk);
    fold_in_tree(0..n_chunks, worth_splitting(x.len()), &of_chunk, &|a, b| *a += b).unwrap_or(0.0)
}

/// The sum of a chunk.
struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        let mut lanes = [0.0; LANES];
        // Multiplies by one and adds: on Zen 4 that runs in parallel with the widening, which an addition
        // waits for. The factor is hidden from the compiler, which would turn it into an addition; the sum is
        // the same either way.
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

/// `y = β·y +` the sum or the mean of the rows of `x[rows, cols]`; the sum is the gradient of a bias.
///
/// The rows are those of a batch's images: they are summed within each shard, and the shards' sums are
/// combined in the tree of [`crate::parallel`]. Accumulated in f64 and rounded once: |Δ| ≤ ε·Σ|x|, with
/// ε = 2⁻²⁴; a mean divides before rounding.
///
/// # Panics
/// When the lengths do not fit.
#[track_caller]
pub fn reduce_rows(
    y: &mut [f32],
    x: &[f32],
    rows: usize,
    cols: usize,
    reduction: Reduction,
    shards: &Shards<'_>,
    beta: Beta,
) {
    assert_eq!(
        x.len(),
        checked_len("reduce_rows", &[rows, cols]),
        "reduce_rows: x is rows x cols = {rows} x {cols}"
    );
    assert_eq!(y.len(), cols, "reduce_rows: y has one element per column");
    if rows == 1 && !shards.is_exchanging() {
        // A sum turns a single −0 into 0, hence the addition.
        return elementwise::map(y, x, beta, |v| v + 0.0);
    }
    let n = if reduction == Reduction::Mean { shards.count(rows) } else { 0 };
    if cols == 1 {
        let [sum] = sums_of_rows([x], shards);
        return elementwise::copy_or_add(y, &[reduction.finish(sum, n)], beta);
    }
    let level = Level::current().at_most_avx2();
    accumulate_columns(
        [rows, cols],
        shards,
        x.len(),
        rows_mut(y, 1),
        |rows, columns| {
            let x = &x[rows.start * cols + columns.start..];
            dispatch(level, SumColumns { x, cols, n_rows: rows.len(), n_cols: columns.len() })
        },
        |[a], [b]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b),
        |_, [sums], y| {
            let y = y.into_slice();
            let mut rounded = [0.0; COLUMNS];
            rounded.iter_mut().zip(sums).for_each(|(rounded, &sum)| *rounded = reduction.finish(sum, n));
            elementwise::copy_or_add(y, &rounded[..y.len()], beta);
        },
    );
}

/// The sum of each of several columns, whose rows are those of a batch's images, in f64: within each shard,
/// and combined in the tree of [`crate::parallel`]. Used for a quotient of sums that is rounded once.
///
/// # Panics
/// When the columns are not equally long.
#[track_caller]
pub fn sums_of_rows<const N: usize>(columns: [&[f32]; N], shards: &Shards<'_>) -> [f64; N] {
    let rows = columns.first().map_or(0, |column| column.len());
    assert!(columns.iter().all(|column| column.len() == rows), "sums_of_rows: columns of one length");
    let of_shard = |shard: usize| {
        let rows = shards.rows_of(shard..shard + 1, rows);
        columns.map(|column| sum_f64(&column[rows.clone()]))
    };
    let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    let mut sums = shards.fold(N * rows, [0.0; N], of_shard, |a, b| add(a, &b));
    shards.join_f64(&mut sums, &add);
    sums
}

/// The numbers accumulated for each of a block of columns.
pub(crate) type Columns<const A: usize> = [[f64; COLUMNS]; A];

/// Computes the sums of `n_cols` columns, starting with the first of `x`.
struct SumColumns<'a> {
    x: &'a [f32],
    cols: usize,
    n_rows: usize,
    n_cols: usize,
}

impl Kernel for SumColumns<'_> {
    type Output = Columns<1>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Columns<1> {
        let mut sums = [0.0; COLUMNS];
        for row in 0..self.n_rows {
            for (sum, &v) in sums.iter_mut().zip(&self.x[row * self.cols..][..self.n_cols]) {
                *sum += f64::from(v);
            }
        }
        [sums]
    }
}

/// Accumulates over the rows of a batch of `[rows, cols]`, for one block of columns at a time:
/// `leaf(rows, columns)` of some rows of one shard, `combine`d in the tree.
/// `finish(columns, accumulated, outputs)` gets the accumulated values of the whole batch; `outputs` has one
/// row per column.
///
/// A shard's rows are split into chunks by their number alone.
pub(crate) fn accumulate_columns<const A: usize, R: SplitRows>(
    [rows, cols]: [usize; 2],
    shards: &Shards<'_>,
    work: usize,
    outputs: R,
    leaf: impl Fn(Range<usize>, Range<usize>) -> Columns<A> + Sync,
    combine: impl Fn(&mut Columns<A>, &Columns<A>) + Sync,
    finish: impl Fn(Range<usize>, &Columns<A>, R) + Sync,
) {
    let combine_slices = |into: &mut [f64], from: &[f64]| {
        let (into, from) = (into.as_chunks_mut().0, from.as_chunks().0);
        combine(into.try_into().expect("A rows"), from.try_into().expect("A rows"));
    };
    let combine = |into: &mut Columns<A>, from: Columns<A>| combine(into, &from);
    // Combining with other processes happens sequentially, in the same order in all of them.
    let block_work = if shards.is_exchanging() { 0 } else { work };
    for_each_chunk(cols, COLUMNS, block_work, outputs, |block, outputs| {
        let of_shard = |shard: usize| {
            let rows = shards.rows_of(shard..shard + 1, rows);
            let chunk = rows.len().div_ceil(MAX_CHUNKS).max(MIN_ROWS);
            let of_chunk = |idx| {
                let start = rows.start + idx * chunk;
                leaf(start..rows.end.min(start + chunk), block.clone())
            };
            let n_chunks = rows.len().div_ceil(chunk);
            fold_in_tree(0..n_chunks, worth_splitting(work), &of_chunk, &combine)
                .unwrap_or([[0.0; COLUMNS]; A])
        };
        let mut accumulated = shards.fold(work, [[0.0; COLUMNS]; A], of_shard, combine);
        shards.join_f64(accumulated.as_flattened_mut(), &combine_slices);
        finish(block, &accumulated, outputs);
    });
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
    f: impl Fn(f32, f32) -> f32 + Sync,
) {
    let fits = y_shape.rank() == x_shape.rank()
        && y_shape.iter().zip(x_shape.iter()).all(|(&small, &large)| small == large || small == 1);
    assert!(fits, "fold_to_shape: {y_shape} is not {x_shape} with some sizes set to 1");
    assert_eq!((y.len(), x.len()), (y_shape.numel(), x_shape.numel()), "fold_to_shape: lengths");
    if y.is_empty() {
        return;
    }
    // Along a first axis that is kept, parts are folded separately.
    let n_first = if y_shape.first() == x_shape.first() { x_shape.first().copied().unwrap_or(1) } else { 1 };
    let (y_len, x_len) = (y.len() / n_first, x.len() / n_first);
    let chunk = (FOLD_LEN / x_len.max(1)).max(1);
    for_each_chunk(n_first, chunk, x.len(), rows_mut(y, y_len), |rows, y| {
        let [y_part, x_part] = [y_shape, x_shape].map(|shape| match shape.rank() {
            0 => *shape,
            _ if n_first == 1 => *shape,
            _ => shape.with_axis(0, rows.len()),
        });
        fold(y.into_slice(), &x[rows.start * x_len..rows.end * x_len], &y_part, &x_part, init, &f);
    });
}

/// The number of elements that one task folds.
const FOLD_LEN: usize = 1 << 15;

fn fold(y: &mut [f32], x: &[f32], y_shape: &Shape, x_shape: &Shape, init: f32, f: &impl Fn(f32, f32) -> f32) {
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

/// The larger of two numbers; NaN if either is NaN.
pub fn max_nan(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller of two numbers; NaN if either is NaN.
pub fn min_nan(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// Writes the index of the largest element along `axis`. Of ties, the first; NaN counts as largest.
///
/// `y` has the elements of `x_shape` without the axis, in row-major order.
///
/// # Panics
/// When there is no such axis, it is empty, or a length does not fit.
#[track_caller]
pub fn argmax(y: &mut [u32], x: &[f32], x_shape: &Shape, axis: usize) {
    index_of("argmax", y, x, x_shape, axis, |v, top| v > top);
}

/// Writes the index of the smallest element along `axis`. Of ties, the first; NaN counts as smallest.
///
/// `y` has the elements of `x_shape` without the axis, in row-major order.
///
/// # Panics
/// As [`argmax`].
#[track_caller]
pub fn argmin(y: &mut [u32], x: &[f32], x_shape: &Shape, axis: usize) {
    index_of("argmin", y, x, x_shape, axis, |v, top| v < top);
}

/// The index of the first element such that no other `is_before` it, or of the first NaN.
#[track_caller]
fn index_of(
    name: &str,
    y: &mut [u32],
    x: &[f32],
    x_shape: &Shape,
    axis: usize,
    is_before: impl Fn(f32, f32) -> bool + Sync,
) {
    let (outer, n, inner) = split_at_axis(x_shape, axis);
    assert!(n > 0, "{name}: axis {axis} of shape {x_shape} is empty");
    assert_eq!(x.len(), x_shape.numel(), "{name}: number of elements for shape {x_shape}");
    assert_eq!(y.len(), outer * inner, "{name}: number of results for shape {x_shape}, axis {axis}");
    let chunk = (FOLD_LEN / n).max(1);
    for_each_chunk(y.len(), chunk, 4 * x.len(), rows_mut(y, 1), |range, y| {
        for (y, y_idx) in y.into_slice().iter_mut().zip(range) {
            let column = &x[y_idx / inner * n * inner + y_idx % inner..];
            let mut best = 0;
            for idx in 1..n {
                let (v, top) = (column[idx * inner], column[best * inner]);
                if is_before(v, top) || (v.is_nan() && !top.is_nan()) {
                    best = idx;
                }
            }
            *y = best as u32;
        }
    });
}

/// The shape as outer × size of the axis × inner.
///
/// # Panics
/// When there is no such axis.
#[track_caller]
pub(crate) fn split_at_axis(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    assert!(axis < shape.rank(), "shape {shape} has {} axes, so it has no axis {axis}", shape.rank());
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
