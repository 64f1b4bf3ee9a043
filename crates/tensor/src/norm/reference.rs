//! Batch normalisation, channel by channel, the variance in two passes.

use super::Statistics;

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
