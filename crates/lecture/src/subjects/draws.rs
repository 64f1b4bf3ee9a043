//! Random numbers for the experiments, and what one says of many.

use keyed_random::substream;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

/// The generator of run number `run` of an experiment: the runs share no numbers.
pub(crate) fn generator(seed: u64, run: usize) -> ChaCha8Rng {
    substream(&ChaCha8Rng::seed_from_u64(seed), run as u64)
}

/// A tensor of draws from N(0, std²).
pub(crate) fn normals(shape: impl Into<Shape>, std: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let mut draws = Tensor::zeros(shape);
    init::normal(draws.as_mut_slice(), 0.0, std, rng);
    draws
}

/// f32 as f64, as figures and tables take them.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

/// The mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample variance, with n − 1 below; NaN for fewer than two values.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The value below which the fraction `q` of the others lies.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(q * (sorted.len() - 1) as f64).round() as usize]
}
