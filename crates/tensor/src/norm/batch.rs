//! Batch normalisation over `rows` × `channels` numbers (Ioffe and Szegedy 2015).
//!
//! y = f((x − mean) / √(var + eps) · weight + bias), channel by channel; a missing weight is 1, a missing
//! bias 0, and f is an optional activation. For N × H × W × C images the one- and two-dimensional layers are
//! the same: rows = N, or N · H · W.
//!
//! Statistics are accumulated in f64: a few rows at a time give (count, mean, Σ (x − mean)²), which are
//! merged (Chan, Golub and LeVeque 1979), so nothing cancels however far a channel is from zero. The mean of
//! a batch is kept in two floats, its rounded value and the rounding error, and both are subtracted. Error
//! bound of y, for given mean and variance: |Δ| ≤ 6·ε·((|x| + |mean|) / √(var + eps) · |weight| + |bias|) for
//! running statistics, with ε = 2⁻²⁴; for the batch's own, with |x − mean| in place of |x| + |mean|.

use super::Pointwise;
use super::columns::{Channels, Deviations, GradientSums, InputGradient, merge, rows_of as slice, task_rows};
use crate::activation::{Activation, Function, with_function};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::reduce::accumulate_columns;
use crate::shape::checked_len;
use crate::{Beta, elementwise, scratch};
use simd::{Level, dispatch};

/// The sizes of a batch normalisation, its ε, and the activation after it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNormShape {
    /// The number of values in each channel: images, or images × pixels.
    pub rows: usize,
    /// The number of channels, the innermost axis.
    pub channels: usize,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
    /// The activation applied in the same pass, if any. Its derivative is computed from the input, so nothing
    /// is saved for it.
    pub activation: Option<Activation>,
}

/// The source of mean and variance, which determines the gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistics {
    /// The batch itself, as in training: they depend on the input.
    Batch,
    /// Running averages, as in evaluation: constants.
    Running,
}

/// The inputs of backward.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormSaved<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The mean that forward used, one element per channel.
    pub mean: &'a [f32],
    /// The error of rounding the batch's mean to f32; `None` for running statistics.
    pub mean_rest: Option<&'a [f32]>,
    /// The variance that forward used.
    pub var: &'a [f32],
    /// √(var + eps) of the batch's variance before it was rounded to f32; `None` for running statistics.
    pub std: Option<&'a [f32]>,
    /// The weight, if there is one.
    pub weight: Option<&'a [f32]>,
    /// The bias, if there is one, on which the derivative of an activation depends.
    pub bias: Option<&'a [f32]>,
}

/// Normalises by the batch's own [statistics](batch_norm_statistics), and writes these, too. Returns the number of rows
/// of the whole batch.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_forward_train(
    y: &mut [f32],
    [mean, mean_rest]: [&mut [f32]; 2],
    [var, std]: [&mut [f32]; 2],
    x: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &BatchNormShape,
    shards: &Shards<'_>,
) -> usize {
    check("batch_norm_forward_train", &[y, x], &[weight, bias], shape);
    let n_rows =
        batch_norm_statistics([&mut *mean, &mut *mean_rest], [&mut *var, &mut *std], x, shape, shards);
    let (mean_rest, std) = (Some(&*mean_rest), Some(&*std));
    normalise(y, &BatchNormSaved { x, mean, mean_rest, var, std, weight, bias }, shape);
    n_rows
}

/// Writes the mean and the biased variance (divided by the rows of the whole batch) of each channel: the mean as the sum
/// of two floats, the first of which is its rounded value, and the variance with √(var + eps), which is right where the
/// variance is beyond the largest f32. Returns the number of rows of the whole batch.
///
/// PyTorch's running variance uses the unbiased variance, var · rows / (rows − 1).
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn batch_norm_statistics(
    [mean, mean_rest]: [&mut [f32]; 2],
    [var, std]: [&mut [f32]; 2],
    x: &[f32],
    shape: &BatchNormShape,
    shards: &Shards<'_>,
) -> usize {
    let vectors = [Some(&*mean), Some(&*mean_rest), Some(&*var), Some(&*std)];
    check("batch_norm_statistics", &[x], &vectors, shape);
    let n_rows = shards.count(shape.rows);
    let (level, channels) = (Level::current(), shape.channels);
    let outputs = ((rows_mut(mean, 1), rows_mut(mean_rest, 1)), (rows_mut(var, 1), rows_mut(std, 1)));
    accumulate_columns(
        [shape.rows, channels],
        shards,
        4 * x.len(),
        outputs,
        |rows, block| {
            let x = &x[rows.start * channels + block.start..];
            dispatch(level, Deviations { x, channels, n_rows: rows.len(), n_cols: block.len() })
        },
        merge,
        |_, [_, means, squares], ((mean, rest), (var, std))| {
            let [mean, rest] = [mean, rest].map(|values| values.into_slice());
            let [var, std] = [var, std].map(|values| values.into_slice());
            for idx in 0..mean.len() {
                mean[idx] = means[idx] as f32;
                rest[idx] = (means[idx] - f64::from(mean[idx])) as f32;
                let exact = squares[idx] / n_rows as f64;
                (var[idx], std[idx]) = (exact as f32, (exact + f64::from(shape.eps)).sqrt() as f32);
            }
        },
    );
    n_rows
}

/// Normalises by the given mean and variance.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn batch_norm_forward_eval(
    y: &mut [f32],
    x: &[f32],
    mean: &[f32],
    var: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &BatchNormShape,
) {
    check("batch_norm_forward_eval", &[y, x], &[Some(mean), Some(var), weight, bias], shape);
    normalise(y, &BatchNormSaved { x, mean, mean_rest: None, var, std: None, weight, bias }, shape);
}

fn normalise(y: &mut [f32], saved: &BatchNormSaved, shape: &BatchNormShape) {
    with_channels(saved, shape, |channels| {
        Pointwise { x: saved.x, channels: Some(channels), activation: shape.activation }.write(y);
    });
}

impl BatchNormSaved<'_> {
    /// √(var + eps) of a channel. Running statistics are already rounded.
    fn std(&self, channel: usize, eps: f32) -> f32 {
        self.std.map_or_else(|| (self.var[channel] + eps).sqrt(), |std| std[channel])
    }

    /// Writes the normalisation of the channels, to be read by [`Channels::of_table`]: scale = weight /
    /// √(var + eps). A missing weight is 1, and a missing bias is −0, which changes no number. Running
    /// statistics are already rounded, so they have no second part of the mean.
    ///
    /// # Panics
    /// When the table does not have [`Channels::TABLE_ROWS`] rows of as many numbers as there are channels.
    #[track_caller]
    pub fn write_channels(&self, table: &mut [f32], eps: f32) {
        let n = self.mean.len();
        assert_eq!(table.len(), Channels::TABLE_ROWS * n, "write_channels: the length of the table");
        let (means, others) = table.split_at_mut(2 * n);
        let (mean, rest) = means.split_at_mut(n);
        let (scale, bias) = others.split_at_mut(n);
        mean.copy_from_slice(self.mean);
        for (channel, scale) in scale.iter_mut().enumerate() {
            *scale = self.weight.map_or(1.0, |weight| weight[channel]) / self.std(channel, eps);
        }
        for (values, given, missing) in [(rest, self.mean_rest, 0.0), (bias, self.bias, -0.0)] {
            match given {
                Some(given) => values.copy_from_slice(given),
                None => values.fill(missing),
            }
        }
    }
}

/// Calls `f` with the normalisation of the channels.
fn with_channels(saved: &BatchNormSaved, shape: &BatchNormShape, f: impl FnOnce(Channels<'_>)) {
    scratch::with(Channels::TABLE_ROWS * shape.channels, |table| {
        saved.write_channels(table, shape.eps);
        f(Channels::of_table(table));
    });
}

/// Computes the requested gradients with respect to the input, the weight and the bias.
///
/// With x̂ = (x − mean) / √(var + eps) and dz = dy · f′(x̂ · weight + bias), which without an activation is
/// dy: dbias = Σ dz, dweight = Σ dz · x̂, and dx = weight / √(var + eps) · dz for running statistics, and for
/// the batch's own weight / √(var + eps) · (dz − dbias / rows − x̂ · dweight / rows). dz is computed in each
/// of two passes, and never stored.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_backward(
    dx: Option<(&mut [f32], Beta)>,
    dweight: Option<(&mut [f32], Beta)>,
    dbias: Option<(&mut [f32], Beta)>,
    dy: &[f32],
    saved: &BatchNormSaved,
    statistics: Statistics,
    shape: &BatchNormShape,
    shards: &Shards<'_>,
) {
    let &BatchNormSaved { x, mean, mean_rest, var, std, weight, bias } = saved;
    let [dweight_in, dbias_in] = [&dweight, &dbias].map(|out| out.as_ref().map(|(out, _)| &**out));
    let vectors = [Some(mean), mean_rest, Some(var), std, weight, bias, dweight_in, dbias_in];
    check("batch_norm_backward", &[dx.as_ref().map_or(dy, |(dx, _)| &**dx), dy, x], &vectors, shape);
    let n = shape.channels;
    with_channels(saved, shape, |channels| {
        scratch::with(2 * n, |sums| {
            let (sum_dz, sum_dz_xhat) = sums.split_at_mut(n);
            with_function!(shape.activation, |f| {
                let pass = Pass { dy, saved, channels, shape, shards, f };
                pass.sums(sum_dz, sum_dz_xhat);
                if let Some((dx, beta)) = dx {
                    let sums = (statistics == Statistics::Batch).then_some([&*sum_dz, &*sum_dz_xhat]);
                    pass.input_gradient(dx, sums, beta);
                }
            });
            for (out, sum) in [(dweight, sum_dz_xhat), (dbias, sum_dz)] {
                if let Some((out, beta)) = out {
                    elementwise::copy_or_add(out, sum, beta);
                }
            }
        });
    });
}

/// The two passes of backward, for an activation.
struct Pass<'a, F> {
    dy: &'a [f32],
    saved: &'a BatchNormSaved<'a>,
    channels: Channels<'a>,
    shape: &'a BatchNormShape,
    shards: &'a Shards<'a>,
    f: F,
}

impl<F: Function> Pass<'_, F> {
    /// Σ dz and Σ dz · x̂ of each channel.
    fn sums(&self, sum_dz: &mut [f32], sum_dz_xhat: &mut [f32]) {
        let &Self { dy, saved, channels, shape, shards, f } = self;
        let (level, x, stride) = (Level::current(), saved.x, shape.channels);
        accumulate_columns(
            [shape.rows, stride],
            shards,
            3 * x.len(),
            (rows_mut(sum_dz, 1), rows_mut(sum_dz_xhat, 1)),
            |rows, block| {
                let start = rows.start * stride + block.start;
                let (dy, x, channels) = (&dy[start..], &x[start..], channels.of(block));
                dispatch(level, GradientSums { dy, x, channels, stride, n_rows: rows.len(), f })
            },
            |into, from| {
                into.as_flattened_mut().iter_mut().zip(from.as_flattened()).for_each(|(a, b)| *a += b);
            },
            |block, [dz, dz_x], (sum_dz, sum_dz_xhat)| {
                let sums = sum_dz.into_slice().iter_mut().zip(sum_dz_xhat.into_slice());
                for ((idx, (sum_dz, sum_dz_xhat)), channel) in sums.enumerate().zip(block) {
                    *sum_dz = dz[idx] as f32;
                    *sum_dz_xhat = (dz_x[idx] / f64::from(saved.std(channel, shape.eps))) as f32;
                }
            },
        );
    }

    /// dx = β·dx + scale · (dz − a − (x − mean) · b), with a and b zero for running statistics, which have no
    /// `sums`.
    fn input_gradient(&self, dx: &mut [f32], sums: Option<[&[f32]; 2]>, beta: Beta) {
        let &Self { dy, saved, channels, shape, shards, f } = self;
        let (level, n, n_rows) = (Level::current(), shape.channels, shards.rows_of_batch(shape.rows) as f32);
        scratch::with(2 * n, |factors| {
            factors.fill(0.0);
            let (a, b) = factors.split_at_mut(n);
            if let Some([sum_dz, sum_dz_xhat]) = sums {
                for c in 0..n {
                    let xhat_share = sum_dz_xhat[c] / n_rows;
                    (a[c], b[c]) = (sum_dz[c] / n_rows, xhat_share / saved.std(c, shape.eps));
                }
            }
            let factors = [&*a, &*b];
            for_each_chunk(shape.rows, task_rows(n), 4 * dy.len(), rows_mut(dx, n), |rows, dx| {
                let (dx, dy, x) = (dx.into_slice(), slice(dy, &rows, n), slice(saved.x, &rows, n));
                let write =
                    |dx: &mut [f32]| dispatch(level, InputGradient { dx, dy, x, channels, factors, f });
                match beta {
                    Beta::Zero => write(dx),
                    Beta::One => scratch::with(dx.len(), |share| {
                        write(share);
                        elementwise::add_assign(dx, share);
                    }),
                }
            });
        });
    }
}

#[track_caller]
fn check(name: &str, arrays: &[&[f32]], vectors: &[Option<&[f32]>], shape: &BatchNormShape) {
    for array in arrays {
        assert_eq!(
            array.len(),
            checked_len(name, &[shape.rows, shape.channels]),
            "{name}: array length for {shape:?}"
        );
    }
    for vector in vectors.iter().flatten() {
        assert_eq!(vector.len(), shape.channels, "{name}: channel vector length for {shape:?}");
    }
}
