//! The kernels of batch normalisation, on columns: a channel's numbers are one row apart.

use std::array::from_fn;
use std::ops::Range;

use simd::{Kernel, Simd};

use crate::activation::Function;
use crate::reduce::{COLUMNS, Columns};

/// The normalisation of each channel: z = (x − mean) · scale + bias.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// The mean as the sum of two floats: rounded, and what rounding lost.
    pub mean: [&'a [f32]; 2],
    /// weight / √(var + eps).
    pub scale: &'a [f32],
    /// The bias.
    pub bias: &'a [f32],
}

impl<'a> Channels<'a> {
    /// How many numbers per channel [`BatchNormSaved::write_channels`](super::BatchNormSaved::write_channels)
    /// writes.
    pub const TABLE_ROWS: usize = 4;

    /// Reads what [`BatchNormSaved::write_channels`](super::BatchNormSaved::write_channels) wrote.
    pub fn of_table(table: &'a [f32]) -> Self {
        let n = table.len() / Self::TABLE_ROWS;
        let [mean, rest, scale, bias] = from_fn(|row| &table[row * n..][..n]);
        Self { mean: [mean, rest], scale, bias }
    }

    /// Some of the channels.
    pub(super) fn of(self, channels: Range<usize>) -> Self {
        let of = |values: &'a [f32]| &values[channels.clone()];
        Self { mean: self.mean.map(of), scale: of(self.scale), bias: of(self.bias) }
    }

    /// The first `n` channels, so that accesses to them are not bounds-checked.
    #[inline(always)]
    fn first(self, n: usize) -> Self {
        Self { mean: self.mean.map(|mean| &mean[..n]), scale: &self.scale[..n], bias: &self.bias[..n] }
    }

    #[inline(always)]
    fn centred(&self, c: usize, x: f32) -> f32 {
        // The mean is subtracted first: x · scale would lose the digits that cancel against the mean.
        x - self.mean[0][c] - self.mean[1][c]
    }

    #[inline(always)]
    fn normalised(&self, c: usize, x: f32) -> f32 {
        self.centred(c, x) * self.scale[c] + self.bias[c]
    }
}

/// y = f(z), in lines of `line_len` numbers: they follow each other in x, and start `stride` numbers apart in y.
/// Without channels, z = x.
pub(super) struct Normalise<'a, F> {
    pub(super) y: &'a mut [f32],
    pub(super) x: &'a [f32],
    pub(super) line_len: usize,
    pub(super) stride: usize,
    pub(super) channels: Option<Channels<'a>>,
    pub(super) f: F,
}

impl<F: Function> Kernel for Normalise<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, x, line_len, stride, channels, f } = self;
        for (y, x) in y.chunks_mut(stride.max(1)).zip(x.chunks_exact(line_len.max(1))) {
            let y = &mut y[..line_len];
            match channels {
                Some(channels) => normalise(y, x, channels, f),
                None => y.iter_mut().zip(x).for_each(|(y, &x)| *y = f.value(x)),
            }
        }
    }
}

/// y = f(z), row by row.
#[inline(always)]
fn normalise<F: Function>(y: &mut [f32], x: &[f32], channels: Channels<'_>, f: F) {
    let n = channels.scale.len();
    let channels = channels.first(n);
    for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
        let (y, x) = (&mut y[..n], &x[..n]);
        for c in 0..n {
            y[c] = f.value(channels.normalised(c, x[c]));
        }
    }
}

/// dx = scale · (dz − a − (x − mean) · b) with dz = dy · f′(z), row by row; `factors` are a and b.
pub(super) struct InputGradient<'a, F> {
    pub(super) dx: &'a mut [f32],
    pub(super) dy: &'a [f32],
    pub(super) x: &'a [f32],
    pub(super) channels: Channels<'a>,
    pub(super) factors: [&'a [f32]; 2],
    pub(super) f: F,
}

impl<F: Function> Kernel for InputGradient<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { dx, dy, x, channels, factors, f } = self;
        let n = channels.scale.len();
        let (channels, [a, b]) = (channels.first(n), factors.map(|factor| &factor[..n]));
        let inputs = dy.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1)));
        for (dx, (dy, x)) in dx.chunks_exact_mut(n.max(1)).zip(inputs) {
            let (dx, dy, x) = (&mut dx[..n], &dy[..n], &x[..n]);
            for c in 0..n {
                let dz = f.gradient(dy[c], channels.normalised(c, x[c]));
                dx[c] = channels.scale[c] * (dz - a[c] - channels.centred(c, x[c]) * b[c]);
            }
        }
    }
}

/// (count, mean, Σ (x − mean)²) of each of `n_cols` columns, in two passes over rows that fit in the L1
/// cache.
pub(super) struct Deviations<'a> {
    pub(super) x: &'a [f32],
    pub(super) channels: usize,
    pub(super) n_rows: usize,
    pub(super) n_cols: usize,
}

/// How many floats fit in the L1 cache.
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

/// Like [`merge`], for one column.
#[inline(always)]
pub(super) fn merge_one([n_a, mean_a, squares_a]: [f64; 3], [n_b, mean_b, squares_b]: [f64; 3]) -> [f64; 3] {
    let n = n_a + n_b;
    let share = if n > 0.0 { n_b / n } else { 0.0 };
    let distance = mean_b - mean_a;
    [n, mean_a + distance * share, squares_a + (squares_b + distance * distance * n_a * share)]
}

/// How many rows' terms are added up before they are added to the sums in memory.
const ROWS_AT_ONCE: usize = 4;

/// Σ dz and Σ dz · (x − mean), with dz = dy · f′(z), of as many columns as there are channels.
pub(super) struct GradientSums<'a, F> {
    pub(super) dy: &'a [f32],
    pub(super) x: &'a [f32],
    pub(super) channels: Channels<'a>,
    /// The stride from one row to the next.
    pub(super) stride: usize,
    pub(super) n_rows: usize,
    pub(super) f: F,
}

impl<F: Function> Kernel for GradientSums<'_, F> {
    type Output = Columns<2>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Columns<2> {
        let Self { dy, x, channels, stride, n_rows, f } = self;
        let n = channels.scale.len();
        let (mut sums, mut products) = ([0.0; COLUMNS], [0.0; COLUMNS]);
        let mut dz = [[0.0; COLUMNS]; ROWS_AT_ONCE];
        for first in (0..n_rows).step_by(ROWS_AT_ONCE) {
            // A missing row is the mean, with a gradient of 0, so its terms are 0.
            let x: [&[f32]; ROWS_AT_ONCE] = from_fn(|i| match first + i {
                row if row < n_rows => &x[row * stride..],
                _ => channels.mean[0],
            });
            for (i, dz) in dz.iter_mut().enumerate() {
                match first + i {
                    row if row < n_rows => gradients(&mut dz[..n], &dy[row * stride..], x[i], channels, f),
                    _ => dz.fill(0.0),
                }
            }
            add(&mut sums[..n], &mut products, dz.each_ref().map(|dz| &dz[..]), x, channels);
        }
        [sums, products]
    }
}

/// dz of one row. In a separate loop, vectors hold as many f32 as fit. Slices are cut to one length outside
/// the loop, since otherwise it would have several exits and be compiled to scalar code.
#[inline(always)]
fn gradients<F: Function>(dz: &mut [f32], dy: &[f32], x: &[f32], channels: Channels<'_>, f: F) {
    let n = dz.len();
    let (dy, x, channels) = (&dy[..n], &x[..n], channels.first(n));
    for c in 0..n {
        dz[c] = f.gradient(dy[c], channels.normalised(c, x[c]));
    }
}

/// Adds the terms of some rows to Σ dz and Σ dz · (x − mean).
#[inline(always)]
fn add(
    sums: &mut [f64],
    products: &mut [f64],
    dz: [&[f32]; ROWS_AT_ONCE],
    x: [&[f32]; ROWS_AT_ONCE],
    channels: Channels<'_>,
) {
    let n = sums.len();
    let (products, channels) = (&mut products[..n], channels.first(n));
    let ([dz_0, dz_1, dz_2, dz_3], [x_0, x_1, x_2, x_3]) = (dz.map(|dz| &dz[..n]), x.map(|x| &x[..n]));
    for c in 0..n {
        let term = |dz: f32, x: f32| f64::from(dz) * f64::from(channels.centred(c, x));
        sums[c] += (f64::from(dz_0[c]) + f64::from(dz_1[c])) + (f64::from(dz_2[c]) + f64::from(dz_3[c]));
        products[c] +=
            (term(dz_0[c], x_0[c]) + term(dz_1[c], x_1[c])) + (term(dz_2[c], x_2[c]) + term(dz_3[c], x_3[c]));
    }
}

/// Some rows of `channels` values.
pub(super) fn rows_of<'a>(values: &'a [f32], rows: &Range<usize>, channels: usize) -> &'a [f32] {
    &values[rows.start * channels..rows.end * channels]
}

/// The number of rows per task.
pub(super) fn task_rows(channels: usize) -> usize {
    ((1 << 14) / channels.max(1)).max(1)
}
