//! The truncated normal distribution.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::basic::check_moments;

/// N(mean, std²) truncated to [low, high], either or both of which may be infinite.
/// `torch.nn.init.trunc_normal_`, whose default is N(0, 1) truncated to [−2, 2].
///
/// A weight takes a few draws, whatever the interval. If the interval holds a fair part of the distribution,
/// normal draws outside it are rejected. If it is narrow or in a tail, uniform or exponential draws are
/// accepted with a probability that follows the density. Values that rounding to f32 would move outside
/// become the nearest f32 inside.
///
/// Robert, "Simulation of truncated normal variables", Statistics and Computing 5, 1995.
///
/// # Panics
/// When `mean` is not finite, `std` is not positive and finite, `low` is not less than `high`, or there is no
/// f32 between them.
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
    assert!(low < high, "truncated_normal: the bounds {low} and {high} must be in order");
    let (first, last) = (first_f32(low), -first_f32(-high));
    assert!(first <= last, "truncated_normal: no f32 lies between the bounds {low} and {high}");

    // In units of std. The width is not b − a because, far from the mean, a and b may round to the same
    // number.
    let (a, b, width) = ((low - mean) / std, (high - mean) / std, (high - low) / std);
    // In a tail, width·rate is about the number of uniform draws per accepted one.
    let cut = if a < 0.5 && b > -0.5 && b - a > 1.0 {
        Cut::FairPart
    } else if a > 0.0 && width * rate(a) > 4.0 {
        Cut::Tail { a, start: low, outwards: std }
    } else if b < 0.0 && width * rate(-b) > 4.0 {
        Cut::Tail { a: -b, start: high, outwards: -std }
    } else {
        Cut::Narrow
    };
    let peak = 0f64.clamp(a, b);
    for weight in weights {
        *weight = loop {
            let (x, is_inside) = match cut {
                Cut::FairPart => {
                    let z = rng.sample::<f64, _>(StandardNormal);
                    (mean + std * z, z >= a && z <= b)
                }
                Cut::Narrow => {
                    let z = a + (b - a) * rng.random::<f64>();
                    let log_density = 0.5 * (peak * peak - z * z);
                    if rng.random::<f64>().ln() > log_density {
                        continue;
                    }
                    (mean + std * z, true)
                }
                Cut::Tail { a, start, outwards } => {
                    let Some(distance) = tail_distance(a, rng) else { continue };
                    let x = start + outwards * distance;
                    (x, x >= low && x <= high)
                }
            };
            let rounded = x as f32;
            if (first..=last).contains(&rounded) {
                break rounded;
            }
            if is_inside {
                break rounded.clamp(first, last);
            }
        };
    }
}

/// How to sample from the interval.
#[derive(Clone, Copy)]
enum Cut {
    /// Around the middle of the distribution, with a quarter of it or more.
    FairPart,
    /// So short that the density changes by at most a factor of about e⁴.
    Narrow,
    /// From the bound `start`, which is `a` standard deviations from the mean, away from the mean.
    Tail { a: f64, start: f64, outwards: f64 },
}

/// The rate at which the density falls beyond `a` standard deviations, which is also that of Robert's
/// proposals: (a + √(a² + 4))/2.
fn rate(a: f64) -> f64 {
    a / 2.0 + a.hypot(2.0) / 2.0
}

/// A draw from N(0, 1) beyond a, minus a: exponential with rate λ, accepted with probability exp(−(z −
/// λ)²/2), where z − λ = distance − 1/λ.
fn tail_distance(a: f64, rng: &mut (impl Rng + ?Sized)) -> Option<f64> {
    let rate = rate(a);
    let distance = -(1.0 - rng.random::<f64>()).ln() / rate;
    let log_accepted = -0.5 * (distance - 1.0 / rate).powi(2);
    (rng.random::<f64>().ln() <= log_accepted).then_some(distance)
}

/// The smallest finite f32 that is at least `x`; infinity if `x` is larger than all of them.
fn first_f32(x: f64) -> f32 {
    let rounded = x as f32;
    let up = if f64::from(rounded) < x { rounded.next_up() } else { rounded };
    up.max(f32::MIN)
}
