//! Constants and simple distributions.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Sets every weight to `value`. `torch.nn.init.constant_`, and with 0 and 1 `zeros_` and `ones_`.
pub fn constant(weights: &mut [f32], value: f32) {
    weights.fill(value);
}

/// U(low, high): every weight uniform between the bounds, drawn in f64 and rounded. `torch.nn.init.uniform_`,
/// whose default is U(0, 1).
///
/// # Panics
/// When `low > high`, or either is not finite.
#[track_caller]
pub fn uniform(weights: &mut [f32], low: f64, high: f64, rng: &mut (impl Rng + ?Sized)) {
    assert!(
        low <= high && low.is_finite() && high.is_finite(),
        "uniform: the bounds {low} and {high} must be finite and in order"
    );
    for weight in weights {
        *weight = (low + (high - low) * rng.random::<f64>()) as f32;
    }
}

/// N(mean, std²). `torch.nn.init.normal_`, whose default is N(0, 1).
///
/// # Panics
/// When `std` is negative, or either is not finite.
#[track_caller]
pub fn normal(weights: &mut [f32], mean: f64, std: f64, rng: &mut (impl Rng + ?Sized)) {
    check_moments("normal", mean, std);
    for weight in weights {
        *weight = (mean + std * rng.sample::<f64, _>(StandardNormal)) as f32;
    }
}

#[track_caller]
pub(crate) fn check_moments(op: &str, mean: f64, std: f64) {
    assert!(mean.is_finite(), "{op}: mean = {mean} must be finite");
    assert!(std >= 0.0 && std.is_finite(), "{op}: std = {std} must be finite and not negative");
}
