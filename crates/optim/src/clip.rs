//! Clipping of gradients.

use rayon::prelude::*;

use crate::Real;
use crate::lanes::CHUNK;
use crate::reduce::{sum_of_squares, sums};

/// What is measured of a gradient before it is clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Norm {
    /// √Σg².
    #[default]
    L2,
    /// Σ|g|.
    L1,
    /// max |g|.
    Max,
    /// (Σ|g|ᵖ)^(1/p) for this finite p > 0.
    P(f64),
}

impl Norm {
    /// The norm of all gradients together, as if they were one vector.
    ///
    /// # Panics
    /// When the p of [`Norm::P`] is not positive and finite.
    #[track_caller]
    pub fn of<F: Real>(self, grads: &[&[F]]) -> f64 {
        let sum = |part: &dyn Fn(&[F]) -> f64| grads.iter().map(|grads| part(grads)).sum::<f64>();
        match self {
            Self::L2 => sum(&|grads| sum_of_squares(grads)).sqrt(),
            Self::L1 => sum(&|grads| sums([grads], move |[g]| [g.abs()])[0]),
            Self::Max => grads.iter().copied().flatten().fold(F::ZERO, |max, g| max.larger(g.abs())).to_f64(),
            Self::P(p) => {
                assert!(p > 0.0 && p.is_finite(), "Norm::P: p = {p} must be positive and finite");
                sum(&|grads| sums([grads], move |[g]| [F::of(g.abs().to_f64().powf(p))])[0]).powf(1.0 / p)
            }
        }
    }
}

/// Limits each component to [−limit, limit]; NaN stays NaN. `torch.nn.utils.clip_grad_value_`.
///
/// # Panics
/// When `limit` is negative or NaN.
#[track_caller]
pub fn clip_value<F: Real>(grads: &mut [F], limit: f64) {
    assert!(limit >= 0.0, "clip_value: limit = {limit} must not be negative");
    let limit = F::of(limit);
    grads
        .par_chunks_mut(CHUNK)
        .for_each(|grads| grads.iter_mut().for_each(|g| *g = g.larger(-limit).smaller(limit)));
}

/// Scales one gradient so that its norm is at most `max_norm`, and returns the norm it had.
///
/// On the flat gradient of all parameters this is clipping by the true global norm; on one parameter's it
/// clips that one alone. `torch.nn.utils.clip_grad_norm_`: the factor is max_norm/(norm + 1e-6), at most 1.
/// A norm that is not finite makes the gradients 0 or NaN, as there: look at the returned norm.
///
/// # Panics
/// When `max_norm` is negative or NaN, or as [`Norm::of`].
#[track_caller]
pub fn clip_norm<F: Real>(grads: &mut [F], max_norm: f64, norm: Norm) -> f64 {
    clip_global_norm(&mut [grads], max_norm, norm)
}

/// Scales several gradients by one factor so that the norm of all of them together is at most `max_norm`,
/// and returns the norm they had. Otherwise as [`clip_norm`].
///
/// ```
/// use optim::{Norm, clip_global_norm};
/// let (mut dw, mut db) = ([3.0f32, 0.0], [4.0f32]);
/// let norm = clip_global_norm(&mut [&mut dw, &mut db], 1.0, Norm::L2);
/// assert_eq!(norm, 5.0);
/// assert!((dw[0] - 0.6).abs() < 1e-6 && (db[0] - 0.8).abs() < 1e-6);
/// ```
///
/// # Panics
/// When `max_norm` is negative or NaN, or as [`Norm::of`].
#[track_caller]
pub fn clip_global_norm<F: Real>(grads: &mut [&mut [F]], max_norm: f64, norm: Norm) -> f64 {
    assert!(max_norm >= 0.0, "clip_norm: max_norm = {max_norm} must not be negative");
    let total = match grads {
        [grads] => norm.of(&[grads]),
        _ => norm.of(&grads.iter().map(|grads| &**grads).collect::<Vec<_>>()),
    };
    let factor = max_norm / (total + 1e-6);
    if factor < 1.0 || factor.is_nan() {
        let factor = F::of(factor);
        for grads in grads {
            scale(grads, factor);
        }
    }
    total
}

fn scale<F: Real>(grads: &mut [F], factor: F) {
    grads.par_chunks_mut(CHUNK).for_each(|grads| grads.iter_mut().for_each(|g| *g *= factor));
}
