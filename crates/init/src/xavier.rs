//! Xavier (Glorot) initialisation.

use rand::Rng;

use crate::{check_shape, fans, normal, uniform};

/// U(−a, a) with a = gain·√(6/(fan_in + fan_out)), which roughly preserves the variance of activations and
/// gradients from layer to layer. `torch.nn.init.xavier_uniform_`, whose default gain is 1.
///
/// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
/// AISTATS 2010.
///
/// # Panics
/// When the shape does not fill the slice or has fewer than two dimensions, or the gain is negative or not
/// finite.
#[track_caller]
pub fn xavier_uniform(weights: &mut [f32], shape: &[usize], gain: f64, rng: &mut (impl Rng + ?Sized)) {
    check_shape("xavier_uniform", weights, shape);
    let bound = 3f64.sqrt() * std("xavier_uniform", shape, gain);
    uniform(weights, -bound, bound, rng);
}

/// N(0, σ²) with σ = gain·√(2/(fan_in + fan_out)). `torch.nn.init.xavier_normal_`, whose default gain is 1.
///
/// # Panics
/// As for [`xavier_uniform`].
#[track_caller]
pub fn xavier_normal(weights: &mut [f32], shape: &[usize], gain: f64, rng: &mut (impl Rng + ?Sized)) {
    check_shape("xavier_normal", weights, shape);
    normal(weights, 0.0, std("xavier_normal", shape, gain), rng);
}

#[track_caller]
fn std(op: &str, shape: &[usize], gain: f64) -> f64 {
    assert!(gain >= 0.0 && gain.is_finite(), "{op}: gain = {gain} must be finite and not negative");
    let (fan_in, fan_out) = fans(shape);
    // A weight without elements needs no variance.
    gain * (2.0 / (fan_in + fan_out).max(1) as f64).sqrt()
}
