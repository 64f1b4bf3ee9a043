//! The normalisations, with the variance in two passes.

use super::{GroupNormShape, LayerNormShape, LocalResponseNormShape, Statistics};

/// Mean and biased variance of each channel of `x[rows, channels]`.
pub fn batch_statistics(x: &[f64], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let statistics = |channel: usize| {
        let values = || x.iter().skip(channel).step_by(channels);
        let rows = values().count() as f64;
        let mean = values().sum::<f64>() / rows;
        (mean, values().map(|x| (x - mean).powi(2)).sum::<f64>() / rows)
    };
    (0..channels).map(statistics).unzip()
}

/// (x − mean) / √(var + eps) · weight + bias.
pub fn batch_norm_forward(
    x: &[f64],
    mean: &[f64],
    var: &[f64],
    weight: &[f64],
    bias: &[f64],
    eps: f64,
) -> Vec<f64> {
    let normalise = |(idx, x): (usize, &f64)| {
        let c = idx % mean.len();
        (x - mean[c]) / (var[c] + eps).sqrt() * weight[c] + bias[c]
    };
    x.iter().enumerate().map(normalise).collect()
}

/// (dx, dweight, dbias).
pub fn batch_norm_backward(
    dy: &[f64],
    x: &[f64],
    (mean, var): (&[f64], &[f64]),
    weight: &[f64],
    statistics: Statistics,
    eps: f64,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let channels = mean.len();
    let rows = x.len() as f64 / channels as f64;
    let std = |c: usize| (var[c] + eps).sqrt();
    let xhat = |idx: usize| (x[idx] - mean[idx % channels]) / std(idx % channels);
    let (mut dweight, mut dbias) = (vec![0.0; channels], vec![0.0; channels]);
    for (idx, dy) in dy.iter().enumerate() {
        dweight[idx % channels] += dy * xhat(idx);
        dbias[idx % channels] += dy;
    }
    let dx = dy.iter().enumerate().map(|(idx, dy)| {
        let c = idx % channels;
        let through_statistics = match statistics {
            Statistics::Batch => (dbias[c] + xhat(idx) * dweight[c]) / rows,
            Statistics::Running => 0.0,
        };
        weight[c] / std(c) * (dy - through_statistics)
    });
    (dx.collect(), dweight, dbias)
}

// ANCHOR: layer_norm
/// (x − mean) / √(var + eps) · weight + bias, row by row.
pub fn layer_norm_forward(
    x: &[f64],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    shape: &LayerNormShape,
) -> Vec<f64> {
    let row = |x: &[f64]| {
        let (mean, std) = row_statistics(x, shape);
        let y = move |(i, x): (usize, &f64)| (x - mean) / std * of(weight, i, 1.0) + of(bias, i, 0.0);
        x.iter().enumerate().map(y).collect::<Vec<f64>>()
    };
    x.chunks(shape.features.max(1)).flat_map(row).collect()
}

/// Mean and √(var + eps) of a row; the mean is 0 if it is not subtracted.
fn row_statistics(x: &[f64], shape: &LayerNormShape) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = if shape.centred { x.iter().sum::<f64>() / n } else { 0.0 };
    let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, (var + f64::from(shape.eps)).sqrt())
}
// ANCHOR_END: layer_norm

// ANCHOR: layer_norm_backward
/// (dx, dweight, dbias).
pub fn layer_norm_backward(
    dy: &[f64],
    x: &[f64],
    weight: Option<&[f64]>,
    shape: &LayerNormShape,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let n = shape.features;
    let (mut dx, mut dweight, mut dbias) = (Vec::new(), vec![0.0; n], vec![0.0; n]);
    for (dy, x) in dy.chunks(n.max(1)).zip(x.chunks(n.max(1))) {
        let (mean, std) = row_statistics(x, shape);
        let xhat: Vec<f64> = x.iter().map(|x| (x - mean) / std).collect();
        let g: Vec<f64> = dy.iter().enumerate().map(|(i, dy)| dy * of(weight, i, 1.0)).collect();
        let mean_g = if shape.centred { g.iter().sum::<f64>() / n as f64 } else { 0.0 };
        let mean_g_xhat = g.iter().zip(&xhat).map(|(g, xhat)| g * xhat).sum::<f64>() / n as f64;
        for i in 0..n {
            dx.push((g[i] - mean_g - xhat[i] * mean_g_xhat) / std);
            dweight[i] += dy[i] * xhat[i];
            dbias[i] += dy[i];
        }
    }
    (dx, dweight, dbias)
}
// ANCHOR_END: layer_norm_backward

/// An element of a weight or bias, or the default if it is missing.
fn of(vector: Option<&[f64]>, idx: usize, default: f64) -> f64 {
    vector.map_or(default, |vector| vector[idx])
}

/// The indices of each group of each image of `x[images, pixels, channels]`.
fn groups_of(shape: &GroupNormShape) -> Vec<Vec<usize>> {
    let &GroupNormShape { images, pixels, channels, groups, .. } = shape;
    let per_group = channels / groups;
    let group = |image: usize, group: usize| {
        let pixel = move |pixel: usize| {
            let first = (image * pixels + pixel) * channels + group * per_group;
            first..first + per_group
        };
        (0..pixels).flat_map(pixel).collect()
    };
    (0..images).flat_map(|image| (0..groups).map(move |idx| group(image, idx))).collect()
}

/// (x − mean) / √(var + eps) · weight + bias, group by group of each image.
pub fn group_norm_forward(
    x: &[f64],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    shape: &GroupNormShape,
) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for group in groups_of(shape) {
        let n = group.len() as f64;
        let mean = group.iter().map(|&i| x[i]).sum::<f64>() / n;
        let var = group.iter().map(|&i| (x[i] - mean).powi(2)).sum::<f64>() / n;
        for i in group {
            let c = i % shape.channels;
            y[i] =
                (x[i] - mean) / (var + f64::from(shape.eps)).sqrt() * of(weight, c, 1.0) + of(bias, c, 0.0);
        }
    }
    y
}

/// (dx, dweight, dbias).
pub fn group_norm_backward(
    dy: &[f64],
    x: &[f64],
    weight: Option<&[f64]>,
    shape: &GroupNormShape,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let xhat = group_norm_forward(x, None, None, shape);
    let channels = shape.channels;
    let (mut dx, mut dweight, mut dbias) = (vec![0.0; x.len()], vec![0.0; channels], vec![0.0; channels]);
    for group in groups_of(shape) {
        let n = group.len() as f64;
        let g = |i: usize| dy[i] * of(weight, i % channels, 1.0);
        let mean = group.iter().map(|&i| x[i]).sum::<f64>() / n;
        let var = group.iter().map(|&i| (x[i] - mean).powi(2)).sum::<f64>() / n;
        let mean_g = group.iter().map(|&i| g(i)).sum::<f64>() / n;
        let mean_g_xhat = group.iter().map(|&i| g(i) * xhat[i]).sum::<f64>() / n;
        for &i in &group {
            dx[i] = (g(i) - mean_g - xhat[i] * mean_g_xhat) / (var + f64::from(shape.eps)).sqrt();
            dweight[i % channels] += dy[i] * xhat[i];
            dbias[i % channels] += dy[i];
        }
    }
    (dx, dweight, dbias)
}

/// k + alpha / size · Σ x² over each channel's window, and the window's channels.
fn responses(x: &[f64], shape: &LocalResponseNormShape) -> Vec<(f64, std::ops::Range<usize>)> {
    let (before, after) = (shape.size / 2, shape.size.div_ceil(2));
    let response = |idx: usize| {
        let (row, c) = (idx / shape.channels * shape.channels, idx % shape.channels);
        let window = row + c.saturating_sub(before)..row + shape.channels.min(c + after);
        let sum: f64 = window.clone().map(|i| x[i] * x[i]).sum();
        (f64::from(shape.k) + f64::from(shape.alpha) / shape.size as f64 * sum, window)
    };
    (0..x.len()).map(response).collect()
}

/// x / (k + alpha / size · Σ x²)^beta.
pub fn local_response_norm_forward(x: &[f64], shape: &LocalResponseNormShape) -> Vec<f64> {
    x.iter().zip(responses(x, shape)).map(|(x, (s, _))| x * s.powf(-f64::from(shape.beta))).collect()
}

/// dx.
pub fn local_response_norm_backward(dy: &[f64], x: &[f64], shape: &LocalResponseNormShape) -> Vec<f64> {
    let (alpha, beta) = (f64::from(shape.alpha) / shape.size as f64, f64::from(shape.beta));
    let mut dx = vec![0.0; x.len()];
    for (c, (s, window)) in responses(x, shape).into_iter().enumerate() {
        dx[c] += dy[c] * s.powf(-beta);
        for i in window {
            dx[i] -= 2.0 * alpha * beta * dy[c] * x[c] * s.powf(-beta - 1.0) * x[i];
        }
    }
    dx
}
