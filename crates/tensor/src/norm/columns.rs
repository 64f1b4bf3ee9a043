//! The kernels of batch normalisation, on columns: a channel's numbers lie one row apart.

use std::ops::Range;

use simd::{Kernel, Simd};

use crate::reduce::{COLUMNS, Columns};

/// y = (x − mean) · scale + bias, row by row; the mean is the sum of two floats.
pub(super) struct Normalise<'a> {
    pub(super) y: &'a mut [f32],
    pub(super) x: &'a [f32],
    pub(super) mean: [&'a [f32]; 2],
    pub(super) scale: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, x, mean, scale, bias } = self;
        let n = scale.len();
        let [mean, rest] = mean.map(|mean| &mean[..n]);
        for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
            let (y, x) = (&mut y[..n], &x[..n]);
            // The mean goes first: x · scale would lose the digits that the mean takes.
            for c in 0..n {
                y[c] = (x[c] - mean[c] - rest[c]) * scale[c];
            }
            if let Some(bias) = bias {
                y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
            }
        }
    }
}

/// dx += scale · (dy − a − (x − mean) · b), row by row; the factors are scale, a and b.
pub(super) struct InputGradient<'a> {
    pub(super) dx: &'a mut [f32],
    pub(super) dy: &'a [f32],
    pub(super) x: &'a [f32],
    pub(super) mean: [&'a [f32]; 2],
    pub(super) factors: [&'a [f32]; 3],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dx, dy, x, mean, factors } = self;
        let n = factors[0].len();
        let ([mean, rest], [scale, a, b]) = (mean.map(|mean| &mean[..n]), factors.map(|factor| &factor[..n]));
        let inputs = dy.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1)));
        for (dx, (dy, x)) in dx.chunks_exact_mut(n.max(1)).zip(inputs) {
            let (dx, dy, x) = (&mut dx[..n], &dy[..n], &x[..n]);
            for c in 0..n {
                dx[c] += scale[c] * (dy[c] - a[c] - (x[c] - mean[c] - rest[c]) * b[c]);
            }
        }
    }
}

/// (count, mean, Σ (x − mean)²) of each of `n_cols` columns, in two passes over rows that a first-level cache holds.
pub(super) struct Deviations<'a> {
    pub(super) x: &'a [f32],
    pub(super) channels: usize,
    pub(super) n_rows: usize,
    pub(super) n_cols: usize,
}

/// Floats that a first-level cache holds.
const CACHED_LEN: usize = 1 << 12;

impl Kernel for Deviations<'_> {
    type Output = Columns<3>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Columns<3> {
        let row = |row: usize| &self.x[row * self.channels..][..self.n_cols];
        let chunk = (CACHED_LEN / self.n_cols.max(1)).max(1);
        let mut all = [[0.0; COLUMNS]; 3];
        for first in (0..self.n_rows).step_by(chunk) {
            let rows = first..self.n_rows.min(first + chunk);
            let count = rows.len() as f64;
            let (mut mean, mut squares) = ([0.0; COLUMNS], [0.0; COLUMNS]);
            for x in rows.clone().map(row) {
                mean.iter_mut().zip(x).for_each(|(mean, &x)| *mean += f64::from(x));
            }
            mean.iter_mut().for_each(|mean| *mean /= count);
            for x in rows.map(row) {
                for ((squares, mean), &x) in squares.iter_mut().zip(&mean).zip(x) {
                    let deviation = f64::from(x) - mean;
                    *squares += deviation * deviation;
                }
            }
            merge(&mut all, &[[count; COLUMNS], mean, squares]);
        }
        all
    }
}

/// Merges the count, mean and squared deviations of two sets of numbers.
#[inline(always)]
pub(super) fn merge([n_a, mean_a, squares_a]: &mut Columns<3>, [n_b, mean_b, squares_b]: &Columns<3>) {
    for c in 0..COLUMNS {
        let (a, b) = ([n_a[c], mean_a[c], squares_a[c]], [n_b[c], mean_b[c], squares_b[c]]);
        [n_a[c], mean_a[c], squares_a[c]] = merge_one(a, b);
    }
}

/// The same for one column.
#[inline(always)]
pub(super) fn merge_one([n_a, mean_a, squares_a]: [f64; 3], [n_b, mean_b, squares_b]: [f64; 3]) -> [f64; 3] {
    let n = n_a + n_b;
    let share = if n > 0.0 { n_b / n } else { 0.0 };
    let distance = mean_b - mean_a;
    [n, mean_a + distance * share, squares_a + (squares_b + distance * distance * n_a * share)]
}

/// Σ dy and Σ dy · (x − mean) of the columns that have a mean.
pub(super) struct GradientSums<'a> {
    pub(super) dy: &'a [f32],
    pub(super) x: &'a [f32],
    pub(super) mean: [&'a [f32]; 2],
    pub(super) channels: usize,
    pub(super) n_rows: usize,
}

impl Kernel for GradientSums<'_> {
    type Output = Columns<2>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Columns<2> {
        let n = self.mean[0].len().min(COLUMNS);
        let [mean, rest] = self.mean.map(|mean| &mean[..n]);
        let (mut sums, mut products) = ([0.0; COLUMNS], [0.0; COLUMNS]);
        for row in 0..self.n_rows {
            let [dy, x] = [self.dy, self.x].map(|values| &values[row * self.channels..][..n]);
            let (sums, products) = (&mut sums[..n], &mut products[..n]);
            for c in 0..n {
                sums[c] += f64::from(dy[c]);
                products[c] += f64::from(dy[c]) * f64::from(x[c] - mean[c] - rest[c]);
            }
        }
        [sums, products]
    }
}

/// Some rows of `channels` values.
pub(super) fn rows_of<'a>(values: &'a [f32], rows: &Range<usize>, channels: usize) -> &'a [f32] {
    &values[rows.start * channels..rows.end * channels]
}

/// Rows of one task.
pub(super) fn task_rows(channels: usize) -> usize {
    ((1 << 14) / channels.max(1)).max(1)
}
