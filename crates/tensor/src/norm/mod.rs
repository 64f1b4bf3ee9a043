//! Batch normalisation over `rows` × `channels` numbers (Ioffe and Szegedy 2015).
//!
//! y = (x − mean) / √(var + eps) · weight + bias, channel by channel; a missing weight is 1, a missing bias 0.
//! With N × H × W × C images the one- and two-dimensional layers are the same: rows = N, or N · H · W.
//! Statistics are accumulated in f64, in an order fixed by the sizes. Error bound of y, for the mean and variance
//! that it is given: |Δ| ≤ 6·ε·((|x| + |mean|) / √(var + eps) · |weight| + |bias|), ε = 2⁻²⁴.

pub(crate) mod reference;

use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::{COLUMNS, column_sums};
use crate::{Beta, elementwise, scratch};

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
    /// The variance that the forward used.
    pub var: &'a [f32],
    /// The weight, if there is one.
    pub weight: Option<&'a [f32]>,
}

/// Normalises by the batch's own mean and biased variance (divided by `rows`), and writes both.
///
/// PyTorch's running variance takes the unbiased one, var · rows / (rows − 1).
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn batch_norm_forward_train(
    y: &mut [f32],
    mean: &mut [f32],
    var: &mut [f32],
    x: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    shape: &BatchNormShape,
) {
    check("batch_norm_forward_train", &[y, x], &[Some(mean), Some(var), weight, bias], shape);
    let rows = shape.rows as f64;
    sums_and_products(mean, var, x, x, shape, |_, sum, squares| {
        let mean = sum / rows;
        // Rounding may leave a variance of zero slightly negative; `max` would hide NaN.
        let var = squares / rows - mean * mean;
        (mean as f32, if var < 0.0 { 0.0 } else { var as f32 })
    });
    batch_norm_forward_eval(y, x, mean, var, weight, bias, shape);
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
    let channels = shape.channels;
    scratch::with(channels, |scale| {
        channel_scale(scale, var, weight, shape.eps);
        for_each_chunk(shape.rows, task_rows(channels), 2 * x.len(), rows_mut(y, channels), |rows, y| {
            let x = x[rows.start * channels..].chunks_exact(channels.max(1));
            for (y, x) in y.into_slice().chunks_exact_mut(channels.max(1)).zip(x) {
                // The mean goes first: x · scale would lose the digits that the mean takes.
                for ((y, x), (mean, scale)) in y.iter_mut().zip(x).zip(mean.iter().zip(&*scale)) {
                    *y = (x - mean) * scale;
                }
                if let Some(bias) = bias {
                    elementwise::add_assign(y, bias);
                }
            }
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
pub fn batch_norm_backward(
    dx: Option<(&mut [f32], Beta)>,
    dweight: Option<(&mut [f32], Beta)>,
    dbias: Option<(&mut [f32], Beta)>,
    dy: &[f32],
    saved: &BatchNormSaved,
    statistics: Statistics,
    shape: &BatchNormShape,
) {
    let &BatchNormSaved { x, mean, var, weight } = saved;
    let [dweight_in, dbias_in] = [&dweight, &dbias].map(|out| out.as_ref().map(|(out, _)| &**out));
    let vectors = [Some(mean), Some(var), weight, dweight_in, dbias_in];
    check("batch_norm_backward", &[dx.as_ref().map_or(dy, |(dx, _)| &**dx), dy, x], &vectors, shape);
    scratch::with(2 * shape.channels, |sums| {
        let (sum_dy, sum_dy_xhat) = sums.split_at_mut(shape.channels);
        sums_and_products(sum_dy, sum_dy_xhat, dy, x, shape, |channel, dy, dy_x| {
            let std = (f64::from(var[channel]) + f64::from(shape.eps)).sqrt();
            (dy as f32, ((dy_x - f64::from(mean[channel]) * dy) / std) as f32)
        });
        for (out, sum) in [(dweight, &*sum_dy_xhat), (dbias, &*sum_dy)] {
            if let Some((out, beta)) = out {
                elementwise::copy_or_add(out, sum, beta);
            }
        }
        if let Some((dx, beta)) = dx {
            backward_input(dx, dy, saved, statistics, (sum_dy, sum_dy_xhat), shape, beta);
        }
    });
}

/// dx = β·dx + scale · (dy − a − (x − mean) · b), a and b zero for running statistics.
fn backward_input(
    dx: &mut [f32],
    dy: &[f32],
    saved: &BatchNormSaved,
    statistics: Statistics,
    (sum_dy, sum_dy_xhat): (&[f32], &[f32]),
    shape: &BatchNormShape,
    beta: Beta,
) {
    let channels = shape.channels;
    scratch::with(3 * channels, |factors| {
        let (scale, rest) = factors.split_at_mut(channels);
        channel_scale(scale, saved.var, saved.weight, shape.eps);
        match statistics {
            Statistics::Running => rest.fill(0.0),
            Statistics::Batch => {
                let (a, b) = rest.split_at_mut(channels);
                for channel in 0..channels {
                    let std = (saved.var[channel] + shape.eps).sqrt();
                    a[channel] = sum_dy[channel] / shape.rows as f32;
                    b[channel] = sum_dy_xhat[channel] / shape.rows as f32 / std;
                }
            }
        }
        let (a, b) = rest.split_at(channels);
        let scale = &*scale;
        for_each_chunk(shape.rows, task_rows(channels), 4 * dy.len(), rows_mut(dx, channels), |rows, dx| {
            let dx = dx.into_slice();
            beta.prepare(dx);
            let inputs = dy[rows.start * channels..].chunks_exact(channels.max(1));
            let inputs = inputs.zip(saved.x[rows.start * channels..].chunks_exact(channels.max(1)));
            for (dx, (dy, x)) in dx.chunks_exact_mut(channels.max(1)).zip(inputs) {
                let constants = scale.iter().zip(a).zip(b.iter().zip(saved.mean));
                for ((dx, (dy, x)), ((scale, a), (b, mean))) in
                    dx.iter_mut().zip(dy.iter().zip(x)).zip(constants)
                {
                    *dx += scale * (dy - a - (x - mean) * b);
                }
            }
        });
    });
}

/// scale = weight / √(var + eps).
fn channel_scale(scale: &mut [f32], var: &[f32], weight: Option<&[f32]>, eps: f32) {
    for (channel, (scale, var)) in scale.iter_mut().zip(var).enumerate() {
        *scale = weight.map_or(1.0, |weight| weight[channel]) / (var + eps).sqrt();
    }
}

/// `(first, second)[c] = finish(c, Σ a, Σ a · b)` over the rows of channel c, summed in f64.
fn sums_and_products(
    first: &mut [f32],
    second: &mut [f32],
    a: &[f32],
    b: &[f32],
    shape: &BatchNormShape,
    finish: impl Fn(usize, f64, f64) -> (f32, f32) + Sync,
) {
    let channels = shape.channels;
    let outputs = (rows_mut(first, 1), rows_mut(second, 1));
    for_each_chunk(channels, COLUMNS, 2 * a.len(), outputs, |block, (first, second)| {
        let sums = column_sums(shape.rows, 2 * a.len(), |row, sums: &mut [[f64; COLUMNS]; 2]| {
            let row = row * channels + block.start..row * channels + block.end;
            let [sums, products] = sums;
            let elements = a[row.clone()].iter().zip(&b[row]);
            for ((&a, &b), (sum, product)) in elements.zip(sums.iter_mut().zip(products)) {
                *sum += f64::from(a);
                *product += f64::from(a) * f64::from(b);
            }
        });
        let outputs = first.into_slice().iter_mut().zip(second.into_slice());
        for (idx, (first, second)) in outputs.enumerate() {
            (*first, *second) = finish(block.start + idx, sums[0][idx], sums[1][idx]);
        }
    });
}

/// Rows of one task.
fn task_rows(channels: usize) -> usize {
    ((1 << 14) / channels.max(1)).max(1)
}

#[track_caller]
fn check(name: &str, arrays: &[&[f32]], vectors: &[Option<&[f32]>], shape: &BatchNormShape) {
    for array in arrays {
        assert_eq!(array.len(), shape.rows * shape.channels, "{name}: array length for {shape:?}");
    }
    for vector in vectors.iter().flatten() {
        assert_eq!(vector.len(), shape.channels, "{name}: channel vector length for {shape:?}");
    }
}
