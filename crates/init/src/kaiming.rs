//! Kaiming (He) initialisation.

use rand::Rng;

use crate::{FanMode, Nonlinearity, check_shape, normal, uniform};

/// U(−b, b) with b = gain·√(3/fan), which preserves the variance of the activations (or, with fan-out, of the
/// gradients) through layers followed by this nonlinearity. `torch.nn.init.kaiming_uniform_`, whose default
/// is fan-in and `LeakyRelu(0.0)`.
///
/// He et al., "Delving Deep into Rectifiers", ICCV 2015.
///
/// ```
/// use init::{FanMode, Nonlinearity, kaiming_uniform};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut weights = vec![0.0; 32 * 3 * 3 * 3];
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// kaiming_uniform(&mut weights, &[32, 3, 3, 3], FanMode::FanIn, Nonlinearity::Relu, &mut rng);
/// assert!(weights.iter().all(|w| w.abs() <= 0.471405)); // √(6/27)
/// ```
///
/// # Panics
/// When the shape does not fill the slice or has fewer than two dimensions.
#[track_caller]
pub fn kaiming_uniform(
    weights: &mut [f32],
    shape: &[usize],
    mode: FanMode,
    nonlinearity: Nonlinearity,
    rng: &mut (impl Rng + ?Sized),
) {
    check_shape("kaiming_uniform", weights, shape);
    let bound = 3f64.sqrt() * std(shape, mode, nonlinearity);
    uniform(weights, -bound, bound, rng);
}

/// N(0, σ²) with σ = gain/√fan. `torch.nn.init.kaiming_normal_`, whose default is fan-in and
/// `LeakyRelu(0.0)`.
///
/// # Panics
/// As for [`kaiming_uniform`].
#[track_caller]
pub fn kaiming_normal(
    weights: &mut [f32],
    shape: &[usize],
    mode: FanMode,
    nonlinearity: Nonlinearity,
    rng: &mut (impl Rng + ?Sized),
) {
    check_shape("kaiming_normal", weights, shape);
    normal(weights, 0.0, std(shape, mode, nonlinearity), rng);
}

#[track_caller]
// ANCHOR: std
fn std(shape: &[usize], mode: FanMode, nonlinearity: Nonlinearity) -> f64 {
    // A weight without elements needs no variance.
    nonlinearity.gain() / (mode.of(shape).max(1) as f64).sqrt()
}
// ANCHOR_END: std
