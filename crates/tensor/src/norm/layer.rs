//! Layer normalisation (Ba, Kiros and Hinton 2016), and RMS normalisation (Zhang and Sennrich 2019), row by row.
//!
//! y = (x − mean) / √(var + eps) · weight + bias, with the mean and biased variance of one row's features.
//! RMS normalisation omits the mean: y = x / √(Σ x² / features + eps) · weight. A row is read from memory
//! once and stays in a cache for further passes; all arithmetic within it is f64, at memory speed. So inputs
//! far from zero lose no accuracy, and the largest f32 do not overflow.
//!
//! Error bounds, with ε = 2⁻²⁴: y is rounded once, |Δ| ≤ 2·ε·(|x̂ · weight| + |bias|), where |x̂|
//! stands for |x̂| + ε·|x| / √(var + eps), here and below, since f64 rounds too. Backward reads a rounded
//! deviation: for dx |Δ| ≤ 6·ε·(|g| + Σ|g| / features + |x̂| · Σ|g · x̂| / features) / √(var + eps), with
//! g = dy · weight; for the weight's gradient |Δ| ≤ 3·ε·Σ|dy · x̂|.

use super::affine::{Rows, apart, check, write};
use super::{save, saved};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::shape::checked_len;
use crate::{Beta, scratch};
use simd::{Kernel, Level, Simd, dispatch};

/// The sizes of a layer normalisation, its ε, and whether the mean is subtracted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LayerNormShape {
    /// The number of rows, each of which is normalised separately: samples, or samples × tokens.
    pub rows: usize,
    /// The length of a row: the product of the axes that are normalised over.
    pub features: usize,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
    /// Whether the mean is subtracted: true for layer normalisation, false for RMS normalisation.
    pub centred: bool,
}

/// How many floats forward saves per row: the mean in two floats, and √(var + eps).
const N_SAVED: usize = 3;

impl LayerNormShape {
    /// How many floats forward saves: three for each row.
    pub fn n_saved(&self) -> usize {
        N_SAVED * self.rows
    }
}

/// The inputs of backward.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormSaved<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The statistics that forward wrote for each row.
    pub statistics: &'a [f32],
    /// The weight, if there is one.
    pub weight: Option<&'a [f32]>,
}

/// Normalises each row; if requested, writes the mean (in two floats) and √(var + eps) of each for backward:
/// [`LayerNormShape::n_saved`] numbers.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn layer_norm_forward(
    y: &mut [f32],
    statistics: Option<&mut [f32]>,
    x: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &LayerNormShape,
) {
    const NAME: &str = "layer_norm_forward";
    let &LayerNormShape { rows, features, .. } = shape;
    let len = checked_len(NAME, &[rows, features]);
    let n_saved = statistics.as_ref().map_or(shape.n_saved(), |saved| saved.len());
    assert_eq!(n_saved, shape.n_saved(), "{NAME}: statistics length for {shape:?}");
    check(NAME, &[(y, len), (x, len)], &[weight, bias], features);
    let level = Level::current();
    let outputs = (rows_mut(y, features), statistics.map(|saved| rows_mut(saved, N_SAVED)));
    for_each_chunk(rows, task_rows(features), 4 * len, outputs, |rows, (y, statistics)| {
        let x = &x[rows.start * features..rows.end * features];
        let (y, statistics) = (y.into_slice(), statistics.map(|saved| saved.into_slice()));
        dispatch(level, Forward { y, statistics, x, weight, bias, shape });
    });
}

/// Computes the requested gradients with respect to the input, the weight and the bias, in one pass over the
/// rows.
///
/// With x̂ = (x − mean) / √(var + eps) and g = dy · weight: dbias = Σ dy and dweight = Σ dy · x̂ over the
/// rows, and dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(var + eps), with the means over a row; RMS
/// normalisation has no mean(g).
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn layer_norm_backward(
    dx: Option<(&mut [f32], Beta)>,
    dweight: Option<(&mut [f32], Beta)>,
    dbias: Option<(&mut [f32], Beta)>,
    dy: &[f32],
    saved: &LayerNormSaved<'_>,
    shape: &LayerNormShape,
    shards: &Shards<'_>,
) {
    const NAME: &str = "layer_norm_backward";
    let &LayerNormShape { rows, features, .. } = shape;
    let &LayerNormSaved { x, statistics, weight } = saved;
    let len = checked_len(NAME, &[rows, features]);
    let [dweight_in, dbias_in] = [&dweight, &dbias].map(|out| out.as_ref().map(|(out, _)| &**out));
    let arrays = [(dx.as_ref().map_or(dy, |(dx, _)| &**dx), len), (dy, len), (x, len)];
    check(NAME, &arrays, &[weight, dweight_in, dbias_in], features);
    assert_eq!(statistics.len(), shape.n_saved(), "{NAME}: statistics length for {shape:?}");
    let n_sums = if dweight.is_some() || dbias.is_some() { 2 * features } else { 0 };
    let (level, (dx, beta)) = (Level::current(), apart(dx));
    scratch::or_filled(weight, features, 1.0, |weight| {
        let of_rows = Rows { n_rows: rows, row_len: features, dx, work: 8 * len, min_rows: MIN_ROWS };
        of_rows.sum(
            shards,
            n_sums,
            |rows, dx, sums| {
                let [dy, x] = [dy, x].map(|values| &values[rows.start * features..rows.end * features]);
                let statistics = &statistics[rows.start * N_SAVED..rows.end * N_SAVED];
                dispatch(level, BackwardRows { dx, beta, sums, dy, x, statistics, weight, shape });
            },
            |sums| {
                let (of_weight, of_bias) = sums.split_at(n_sums / 2);
                write(dweight, of_weight);
                write(dbias, of_bias);
            },
        );
    });
}

/// How many rows share sums for the weight: enough that reading the sums again costs little.
const MIN_ROWS: usize = 64;

/// The number of rows per task of forward.
fn task_rows(features: usize) -> usize {
    ((1 << 14) / features.max(1)).max(1)
}

/// The number of parallel partial sums.
const LANES: usize = 16;

/// Σ f(x), in an order that depends only on the length.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += f(f64::from(x)));
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&x| f(f64::from(x))).sum::<f64>()
}

struct Forward<'a> {
    y: &'a mut [f32],
    statistics: Option<&'a mut [f32]>,
    x: &'a [f32],
    weight: Option<&'a [f32]>,
    bias: Option<&'a [f32]>,
    shape: &'a LayerNormShape,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { y, statistics, x, weight, bias, shape } = self;
        let (n, eps) = (shape.features, f64::from(shape.eps));
        let mut statistics = statistics.map(|saved| saved.chunks_exact_mut(N_SAVED));
        for (y, x) in y.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
            // ANCHOR: row
            let mean = if shape.centred { sum(x, |x| x) / n as f64 } else { 0.0 };
            let std = (sum(x, |x| (x - mean) * (x - mean)) / n as f64 + eps).sqrt();
            if let Some(saved) = statistics.as_mut().and_then(Iterator::next) {
                save(saved, mean, std);
            }
            let xhat = |x: f32| (f64::from(x) - mean) * (1.0 / std);
            // ANCHOR_END: row
            match (weight, bias) {
                (None, None) => y.iter_mut().zip(x).for_each(|(y, &x)| *y = xhat(x) as f32),
                (Some(weight), None) => {
                    let inputs = x.iter().zip(weight);
                    y.iter_mut().zip(inputs).for_each(|(y, (&x, &w))| *y = (xhat(x) * f64::from(w)) as f32);
                }
                (weight, Some(bias)) => {
                    let (y, x, bias) = (&mut y[..n], &x[..n], &bias[..n]);
                    match weight.map(|weight| &weight[..n]) {
                        Some(weight) => (0..n).for_each(|i| {
                            y[i] = (xhat(x[i]) * f64::from(weight[i]) + f64::from(bias[i])) as f32;
                        }),
                        None => (0..n).for_each(|i| y[i] = (xhat(x[i]) + f64::from(bias[i])) as f32),
                    }
                }
            }
        }
    }
}

struct BackwardRows<'a> {
    dx: Option<&'a mut [f32]>,
    beta: Beta,
    /// The sums of dy · x̂ and of dy, or empty.
    sums: &'a mut [f64],
    dy: &'a [f32],
    x: &'a [f32],
    statistics: &'a [f32],
    weight: &'a [f32],
    shape: &'a LayerNormShape,
}

impl Kernel for BackwardRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { mut dx, beta, sums, dy, x, statistics, weight, shape } = self;
        let n = shape.features;
        let (of_weight, of_bias) = sums.split_at_mut(sums.len() / 2);
        let rows = dy.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1)));
        for (row, ((dy, x), statistics)) in rows.zip(statistics.chunks_exact(N_SAVED)).enumerate() {
            // ANCHOR: row_backward
            let (mean, std) = saved(statistics);
            let (scale, weight) = (1.0 / std, &weight[..n]);
            let xhat = |x: f32| (f64::from(x) - mean) * scale;
            if !of_bias.is_empty() {
                let (of_weight, of_bias) = (&mut of_weight[..n], &mut of_bias[..n]);
                for i in 0..n {
                    of_weight[i] += f64::from(dy[i]) * xhat(x[i]);
                    of_bias[i] += f64::from(dy[i]);
                }
            }
            let Some(dx) = dx.as_mut().map(|dx| &mut dx[row * n..][..n]) else { continue };
            let (mean_g, mean_g_xhat) = gradient_means(dy, x, weight, xhat);
            let mean_g = if shape.centred { mean_g } else { 0.0 };
            let gradient = |i: usize| {
                let g = f64::from(dy[i]) * f64::from(weight[i]);
                ((g - mean_g - xhat(x[i]) * mean_g_xhat) * scale) as f32
            };
            // ANCHOR_END: row_backward
            match beta {
                Beta::Zero => (0..n).for_each(|i| dx[i] = gradient(i)),
                Beta::One => (0..n).for_each(|i| dx[i] += gradient(i)),
            }
        }
    }
}

/// The means of g = dy · weight and of g · x̂ over a row.
#[inline(always)]
fn gradient_means(dy: &[f32], x: &[f32], weight: &[f32], xhat: impl Fn(f32) -> f64) -> (f64, f64) {
    let n = dy.len();
    let (dy, x, weight) = (&dy[..n], &x[..n], &weight[..n]);
    let (mut sums, mut products) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |i: usize, lane: usize| {
        let g = f64::from(dy[i]) * f64::from(weight[i]);
        sums[lane] += g;
        products[lane] += g * xhat(x[i]);
    };
    let full = n - n % LANES;
    for start in (0..full).step_by(LANES) {
        (0..LANES).for_each(|lane| add(start + lane, lane));
    }
    (full..n).for_each(|i| add(i, i - full));
    (sums.iter().sum::<f64>() / n as f64, products.iter().sum::<f64>() / n as f64)
}
