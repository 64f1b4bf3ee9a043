//! The truncated normal distribution.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::basic::check_moments;

/// N(mean, std²) cut to [low, high]: what falls outside is drawn again.
/// `torch.nn.init.trunc_normal_`, whose default is N(0, 1) cut to [−2, 2].
///
/// Where the interval holds little of the normal distribution, uniform draws are accepted with the
/// probability of their density instead, so that also a far tail ends soon.
///
/// # Panics
/// When `std` is not positive, or the bounds are not in order, or not finite.
#[track_caller]
pub fn truncated_normal(
    weights: &mut [f32],
    mean: f64,
    std: f64,
    low: f64,
    high: f64,
    rng: &mut (impl Rng + ?Sized),
) {
    check_moments("truncated_normal", mean, std);
    assert!(std > 0.0, "truncated_normal: std = {std} must be positive");
    assert!(
        low < high && low.is_finite() && high.is_finite(),
        "truncated_normal: the bounds {low} and {high} must be finite and in order"
    );
    // In units of std; rejection from the normal is quick if the interval holds a fair part of it.
    let (a, b) = ((low - mean) / std, (high - mean) / std);
    let holds_a_fair_part = a < 0.5 && b > -0.5 && b - a > 1.0;
    let peak = 0f64.clamp(a, b);
    for weight in weights {
        *weight = loop {
            let z = if holds_a_fair_part {
                rng.sample::<f64, _>(StandardNormal)
            } else {
                let z = a + (b - a) * rng.random::<f64>();
                let log_density = 0.5 * (peak * peak - z * z);
                if rng.random::<f64>().ln() > log_density {
                    continue;
                }
                z
            };
            let weight = (mean + std * z) as f32;
            // Compared after rounding, so that no weight lies outside by a rounding error.
            if f64::from(weight) >= low && f64::from(weight) <= high {
                break weight;
            }
        };
    }
}
