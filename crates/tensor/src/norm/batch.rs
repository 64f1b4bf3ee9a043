//! Batch normalisation over `rows` × `channels` numbers (Ioffe and Szegedy 2015).
//!
//! y = (x − mean) / √(var + eps) · weight + bias, channel by channel; a missing weight is 1, a missing bias 0.
//! With N × H × W × C images the one- and two-dimensional layers are the same: rows = N, or N · H · W.
//!
//! Statistics are accumulated in f64: a few rows at a time give (count, mean, Σ (x − mean)²), which are merged (Chan,
//! Golub and LeVeque 1979), so nothing cancels however far from zero a channel lies. The mean of a batch is kept in
//! two floats, its rounded value and what rounding left, and both are subtracted. Error bound of y, for the mean
//! and variance that it is given: |Δ| ≤ 6·ε·((|x| + |mean|) / √(var + eps) · |weight| + |bias|) for running statistics,
//! ε = 2⁻²⁴, and with |x − mean| for |x| + |mean| for the batch's own.

use super::columns::{
    Deviations, GradientSums, InputGradient, Normalise, merge, rows_of as slice, task_rows,
};
use crate::parallel::{Shards, for_each_chunk, rows_mut};
use crate::reduce::accumulate_columns;
use crate::shape::checked_len;
use crate::{Beta, elementwise, scratch};
use simd::{Level, dispatch};

/// The sizes of a batch normalisation, and its ε.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNormShape {
    /// Values in each channel: images, or images × pixels.
    pub rows: usize,
    /// Channels, the innermost axis.
    pub channels: usize,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
}

/// Where mean and variance come from, which decides the gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistics {
    /// From the batch itself, as in training: they depend on the input.
    Batch,
    /// Running averages, as in evaluation: constants.
    Running,
}

/// What the backward reads.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormSaved<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The mean that the forward used, one element per channel.
    pub mean: &'a [f32],
    /// What rounding the batch's mean to f32 took from it; `None` for running statistics.
    pub mean_rest: Option<&'a [f32]>,
    /// The variance that the forward used.
    pub var: &'a [f32],
    /// The weight, if there is one.
    pub weight: Option<&'a [f32]>,
}

/// Normalises by the batch's own mean and biased variance (divided by the rows of the whole batch), and writes both: the
/// mean as the sum of two floats, the first of which is its rounded value. Returns the number of rows of the whole
/// batch.
///
/// PyTorch's running variance takes the unbiased one, var · rows / (rows − 1).
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_forward_train(
    y: &mut [f32],
    [mean, mean_rest]: [&mut [f32]; 2],
    var: &mut [f32],
    x: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &BatchNormShape,
    shards: &Shards<'_>,
) -> usize {
    let vectors = [Some(&*mean), Some(&*mean_rest), Some(&*var), weight, bias];
    check("batch_norm_forward_train", &[y, x], &vectors, shape);
    let n_rows = shards.count(shape.rows);
    let (level, channels) = (Level::current(), shape.channels);
    let outputs = (rows_mut(mean, 1), rows_mut(mean_rest, 1), rows_mut(var, 1));
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
        |_, [_, means, squares], (mean, rest, var)| {
            let (mean, rest, var) = (mean.into_slice(), rest.into_slice(), var.into_slice());
            for idx in 0..mean.len() {
                mean[idx] = means[idx] as f32;
                rest[idx] = (means[idx] - f64::from(mean[idx])) as f32;
                var[idx] = (squares[idx] / n_rows as f64) as f32;
            }
        },
    );
    normalise(y, x, [mean, mean_rest], var, weight, bias, shape);
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
    with_rest(None, shape.channels, |rest| normalise(y, x, [mean, rest], var, weight, bias, shape));
}

/// Calls `f` with what rounding left of the mean: zeros for running statistics, which are rounded.
fn with_rest(rest: Option<&[f32]>, channels: usize, f: impl FnOnce(&[f32])) {
    match rest {
        Some(rest) => f(rest),
        None => scratch::with(channels, |zeros| {
            zeros.fill(0.0);
            f(zeros);
        }),
    }
}

fn normalise(
    y: &mut [f32],
    x: &[f32],
    mean: [&[f32]; 2],
    var: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &BatchNormShape,
) {
    let (level, channels) = (Level::current(), shape.channels);
    scratch::with(channels, |scale| {
        channel_scale(scale, var, weight, shape.eps);
        for_each_chunk(shape.rows, task_rows(channels), 2 * x.len(), rows_mut(y, channels), |rows, y| {
            let (y, x) = (y.into_slice(), slice(x, &rows, channels));
            dispatch(level, Normalise { y, x, mean, scale, bias });
        });
    });
}

/// The gradients of the forward with respect to its input, the weight and the bias, those that are asked for.
///
/// With x̂ = (x − mean) / √(var + eps): dbias = Σ dy, dweight = Σ dy · x̂, and dx = weight / √(var + eps) · dy
/// for running statistics, for the batch's own weight / √(var + eps) · (dy − dbias / rows − x̂ · dweight / rows).
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
    let &BatchNormSaved { x, mean, mean_rest, var, weight } = saved;
    let [dweight_in, dbias_in] = [&dweight, &dbias].map(|out| out.as_ref().map(|(out, _)| &**out));
    let vectors = [Some(mean), mean_rest, Some(var), weight, dweight_in, dbias_in];
    check("batch_norm_backward", &[dx.as_ref().map_or(dy, |(dx, _)| &**dx), dy, x], &vectors, shape);
    let (level, channels) = (Level::current(), shape.channels);
    with_rest(mean_rest, channels, |rest| {
        scratch::with(2 * channels, |sums| {
            let (sum_dy, sum_dy_xhat) = sums.split_at_mut(channels);
            accumulate_columns(
                [shape.rows, channels],
                shards,
                3 * x.len(),
                (rows_mut(sum_dy, 1), rows_mut(sum_dy_xhat, 1)),
                |rows, block| {
                    let start = rows.start * channels + block.start;
                    let mean = [&mean[block.clone()], &rest[block]];
                    let (dy, x) = (&dy[start..], &x[start..]);
                    dispatch(level, GradientSums { dy, x, mean, channels, n_rows: rows.len() })
                },
                |into, from| {
                    into.as_flattened_mut().iter_mut().zip(from.as_flattened()).for_each(|(a, b)| *a += b);
                },
                |block, [dy, dy_x], (sum_dy, sum_dy_xhat)| {
                    let sums = sum_dy.into_slice().iter_mut().zip(sum_dy_xhat.into_slice());
                    for ((idx, (sum_dy, sum_dy_xhat)), var) in sums.enumerate().zip(&var[block]) {
                        *sum_dy = dy[idx] as f32;
                        *sum_dy_xhat = (dy_x[idx] / (f64::from(*var) + f64::from(shape.eps)).sqrt()) as f32;
                    }
                },
            );
            for (out, sum) in [(dweight, &*sum_dy_xhat), (dbias, &*sum_dy)] {
                if let Some((out, beta)) = out {
                    elementwise::copy_or_add(out, sum, beta);
                }
            }
            if let Some((dx, beta)) = dx {
                let n_rows = shards.rows_of_batch(shape.rows);
                let sums = match statistics {
                    Statistics::Running => None,
                    Statistics::Batch => Some((&*sum_dy, &*sum_dy_xhat, n_rows)),
                };
                backward_input(dx, dy, saved, [mean, rest], sums, shape, beta);
            }
        });
    });
}

/// dx = β·dx + scale · (dy − a − (x − mean) · b), a and b zero for running statistics, which have no `sums`: Σ dy and
/// Σ dy · x̂ over a number of rows.
fn backward_input(
    dx: &mut [f32],
    dy: &[f32],
    saved: &BatchNormSaved,
    mean: [&[f32]; 2],
    sums: Option<(&[f32], &[f32], usize)>,
    shape: &BatchNormShape,
    beta: Beta,
) {
    let (level, channels) = (Level::current(), shape.channels);
    scratch::with(3 * channels, |factors| {
        let (scale, rest) = factors.split_at_mut(channels);
        channel_scale(scale, saved.var, saved.weight, shape.eps);
        let (a, b) = rest.split_at_mut(channels);
        for channel in 0..channels {
            (a[channel], b[channel]) = match sums {
                None => (0.0, 0.0),
                Some((sum_dy, sum_dy_xhat, rows)) => {
                    let (rows, std) = (rows as f32, (saved.var[channel] + shape.eps).sqrt());
                    (sum_dy[channel] / rows, sum_dy_xhat[channel] / rows / std)
                }
            };
        }
        let factors = [&*scale, &*a, &*b];
        for_each_chunk(shape.rows, task_rows(channels), 4 * dy.len(), rows_mut(dx, channels), |rows, dx| {
            let dx = dx.into_slice();
            beta.prepare(dx);
            let (dy, x) = (slice(dy, &rows, channels), slice(saved.x, &rows, channels));
            dispatch(level, InputGradient { dx, dy, x, mean, factors });
        });
    });
}

/// scale = weight / √(var + eps).
fn channel_scale(scale: &mut [f32], var: &[f32], weight: Option<&[f32]>, eps: f32) {
    for (channel, (scale, var)) in scale.iter_mut().zip(var).enumerate() {
        *scale = weight.map_or(1.0, |weight| weight[channel]) / (var + eps).sqrt();
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
