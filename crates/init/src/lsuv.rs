//! Layer-sequential unit variance: a data-dependent initialisation.

use rand::Rng;

use crate::orthogonal;

/// The stopping criteria of [`lsuv`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lsuv {
    /// The variance must differ from 1 by less than this (default: 0.1, as in the paper).
    pub tolerance: f64,
    /// The maximum number of times the weight is rescaled (default: 10).
    pub max_iters: usize,
}

impl Default for Lsuv {
    fn default() -> Self {
        Self { tolerance: 0.1, max_iters: 10 }
    }
}

/// Layer-sequential unit variance (LSUV): an orthogonal matrix, repeatedly divided by the standard deviation
/// of the layer's outputs on a batch until their variance is 1. Returns the final variance.
///
/// `forward` returns the layer's outputs on a batch for the given weights. Initialise the layers from first
/// to last, each with the outputs of the previous layers as its batch.
///
/// Mishkin and Matas, "All you need is a good init", ICLR 2016.
///
/// ```
/// use init::{Lsuv, lsuv};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let batch = [[3.0f32, -1.0], [0.5, 2.0], [-2.0, -2.0], [1.0, 0.0]];
/// let mut weights = [0.0f32; 4];
/// let variance = lsuv(&mut weights, &[2, 2], Lsuv::default(), &mut ChaCha8Rng::seed_from_u64(0), |w| {
///     batch.iter().flat_map(|x| [w[0] * x[0] + w[1] * x[1], w[2] * x[0] + w[3] * x[1]]).collect()
/// });
/// assert!((variance - 1.0).abs() < 0.1);
/// ```
///
/// # Panics
/// When the shape does not fill the slice or has fewer than two dimensions, or the outputs are empty, not
/// finite or constant.
#[track_caller]
pub fn lsuv(
    weights: &mut [f32],
    shape: &[usize],
    config: Lsuv,
    rng: &mut (impl Rng + ?Sized),
    mut forward: impl FnMut(&[f32]) -> Vec<f32>,
) -> f64 {
    orthogonal(weights, shape, 1.0, rng);
    let mut variance = variance_of(&forward(weights));
    for _ in 0..config.max_iters {
        if (variance - 1.0).abs() < config.tolerance {
            break;
        }
        let std = variance.sqrt();
        for weight in weights.iter_mut() {
            *weight = (f64::from(*weight) / std) as f32;
        }
        variance = variance_of(&forward(weights));
    }
    variance
}

#[track_caller]
fn variance_of(outputs: &[f32]) -> f64 {
    let n = outputs.len() as f64;
    let mean = outputs.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = outputs.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    assert!(variance > 0.0 && variance.is_finite(), "lsuv: the outputs have variance {variance}");
    variance
}
