//! Resampling with a triangle filter that widens when shrinking: antialiased bilinear interpolation.

use super::pixels::View;

/// Resizes `view`: height × width × channels, row-major.
///
/// First columns, then rows, in f32; rounded only at the end.
pub(super) fn resample(view: &View<'_>, height: usize, width: usize) -> Vec<u8> {
    let channels = view.channels;
    let columns: Vec<Taps> = (0..width).map(|x| Taps::new(x, width, view.width)).collect();
    let mut row = vec![0.0_f32; view.width * channels];
    let mut out = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        let taps = Taps::new(y, height, view.height);
        row.fill(0.0);
        for (source_y, &weight) in (taps.first..).zip(&taps.weights) {
            for (x, sums) in row.chunks_exact_mut(channels).enumerate() {
                let pixel = view.pixel(x, source_y);
                sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += f32::from(value) * weight);
            }
        }
        for taps in &columns {
            for channel in 0..channels {
                let values = row[taps.first * channels + channel..].iter().step_by(channels);
                let sum =
                    taps.weights.iter().zip(values).fold(0.0, |sum, (weight, value)| sum + value * weight);
                out.push(sum.round() as u8);
            }
        }
    }
    out
}

/// The contributions of a row or column to one output pixel: the weights of its input pixels, starting at
/// `first`.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    /// For pixel `at` of `n_out`, resampled from `n_in`.
    fn new(at: usize, n_out: usize, n_in: usize) -> Self {
        let ratio = n_in as f32 / n_out as f32;
        let radius = ratio.max(1.0);
        let centre = (at as f32 + 0.5) * ratio;
        let first = ((centre - radius).floor().max(0.0) as usize).min(n_in - 1);
        let end = ((centre + radius).ceil() as usize).clamp(first + 1, n_in);
        let weight = |i: usize| (1.0 - ((i as f32 - (centre - 0.5)) / radius).abs()).max(0.0);
        let mut weights: Vec<f32> = (first..end).map(weight).collect();
        let total = weights.iter().fold(0.0, |total, weight| total + weight);
        weights.iter_mut().for_each(|weight| *weight /= total);
        Self { first, weights }
    }
}
