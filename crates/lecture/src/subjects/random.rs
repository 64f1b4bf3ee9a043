//! Random numbers for the experiments.

use keyed_random::substream;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

/// The generator for run number `run` of an experiment; no two runs share numbers.
pub(crate) fn generator(seed: u64, run: usize) -> ChaCha8Rng {
    substream(&ChaCha8Rng::seed_from_u64(seed), run as u64)
}

/// A tensor of draws from N(0, std²).
pub(crate) fn normals(shape: impl Into<Shape>, std: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let mut draws = Tensor::zeros(shape);
    init::normal(draws.as_mut_slice(), 0.0, std, rng);
    draws
}
