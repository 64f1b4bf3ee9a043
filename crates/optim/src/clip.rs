//! Gradient clipping.

use parameters::{Entry, Parameters, is_under};
use rayon::prelude::*;

use crate::elementwise::CHUNK;
use crate::reduce::{largest, norm, rescale, sums};
use crate::{Error, Real};

/// The norm that clipping measures.
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
    /// The norm of all gradients together, as if they were one vector. It is accurate for all finite
    /// gradients whose norm an f64 can represent, however small or large, and NaN if any gradient is NaN.
    ///
    /// # Panics
    /// When the p of [`Norm::P`] is not positive and finite.
    #[track_caller]
    pub fn of<F: Real>(self, grads: &[&[F]]) -> f64 {
        self.over(|| grads.iter().copied())
    }

    /// The norm of everything `grads` yields; `grads` may be called twice.
    #[track_caller]
    fn over<'a, F: Real, I: Iterator<Item = &'a [F]>>(self, grads: impl Fn() -> I) -> f64 {
        match self {
            Self::L2 => norm(grads, |g| g * g, f64::sqrt),
            Self::L1 => grads().map(|grads| sums([grads], move |[g]| [g.abs().to_f64()])[0]).sum(),
            Self::Max => grads().fold(0.0, |max: f64, grads| max.larger(largest(grads))),
            Self::P(p) => {
                assert!(p > 0.0 && p.is_finite(), "Norm::P: p = {p} must be positive and finite");
                norm(grads, move |g| g.powf(p), |sum| sum.powf(1.0 / p))
            }
        }
    }
}

/// Limits each component of the trainable parameters' gradients to [−limit, limit]; propagates NaN.
/// `torch.nn.utils.clip_grad_value_`.
///
/// # Panics
/// When `limit` is negative or NaN.
#[track_caller]
pub fn clip_value<P>(params: &mut P, limit: f64)
where
    P: Parameters<Value: Real> + ?Sized,
{
    params.for_each_trainable(|_, grads| clip_value_slice(grads, limit));
}

/// [`clip_value`] on a bare gradient.
///
/// # Panics
/// When `limit` is negative or NaN.
#[track_caller]
pub fn clip_value_slice<F: Real>(grads: &mut [F], limit: f64) {
    assert!(limit >= 0.0, "clip_value: limit = {limit} must not be negative");
    let limit = F::of(limit);
    grads
        .par_chunks_mut(CHUNK)
        .for_each(|grads| grads.iter_mut().for_each(|g| *g = g.larger(-limit).smaller(limit)));
}

/// Scales all gradients of trainable parameters by one factor so that their joint norm is at most `max_norm`,
/// and returns the norm before scaling.
///
/// `torch.nn.utils.clip_grad_norm_`: the factor is max_norm/(norm + 1e-6), at most 1. As in PyTorch, a norm
/// that is not finite makes the gradients 0 or NaN, so check the returned norm.
///
/// # Panics
/// When `max_norm` is negative or NaN, or when [`Norm::of`] panics.
#[track_caller]
pub fn clip_norm<P>(params: &mut P, max_norm: f64, norm: Norm) -> f64
where
    P: Parameters<Value: Real> + ?Sized,
{
    let total = norm.over(|| params.trainable_ranges().map(|range| &params.grads()[range]));
    if let Some(from) = too_long(total, max_norm) {
        params.for_each_trainable(|_, grads| rescale(grads, max_norm, from));
    }
    total
}

/// [`clip_norm`] on the part of a network under `path`, as if there were nothing else: the norm is that of its
/// trainable parameters, and only they are scaled. A part without any has the norm 0.
///
/// In a GAN both networks are parts of one set of parameters; this clips the one that takes the next step:
///
/// ```
/// # use optim::{Error, Norm, Optimizer, Parameters, clip_norm_under};
/// # fn f(params: &mut impl Parameters<Value = f32>, optimizer: &mut Optimizer<f32>) -> Result<(), Error> {
/// clip_norm_under(params, "discriminator", 1.0, Norm::L2)?;
/// # let discriminator = optimizer;
/// discriminator.step(params);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When there is nothing under this path.
///
/// # Panics
/// As [`clip_norm`].
#[track_caller]
pub fn clip_norm_under<P>(params: &mut P, path: &str, max_norm: f64, norm: Norm) -> Result<f64, Error>
where
    P: Parameters<Value: Real> + ?Sized,
{
    if params.all_entries().any(|entry| is_under(entry.name, path)) {
        return Ok(clip_norm(&mut Under { params, path }, max_norm, norm));
    }
    let known: Vec<_> =
        params.all_entries().filter(|entry| entry.is_trainable).map(|entry| entry.name).collect();
    let (pattern, known) = (format!("the path `{path}`"), known.join(", "));
    Err(Error::NoMatch { call: "clip_norm_under", pattern, known })
}

/// Parameters of which only those under a path are trained.
struct Under<'a, P: ?Sized> {
    params: &'a mut P,
    path: &'a str,
}

impl<P: Parameters + ?Sized> Parameters for Under<'_, P> {
    type Value = P::Value;

    fn n_entries(&self) -> usize {
        self.params.n_entries()
    }

    fn entry(&self, idx: usize) -> Entry<'_> {
        let entry = self.params.entry(idx);
        Entry { is_trainable: entry.is_trainable && is_under(entry.name, self.path), ..entry }
    }

    fn values(&self) -> &[P::Value] {
        self.params.values()
    }

    fn grads(&self) -> &[P::Value] {
        self.params.grads()
    }

    fn values_and_grads_mut(&mut self) -> (&mut [P::Value], &mut [P::Value]) {
        self.params.values_and_grads_mut()
    }

    fn values_mut(&mut self) -> &mut [P::Value] {
        self.params.values_mut()
    }
}

/// [`clip_norm`] on bare gradients.
///
/// ```
/// use optim::{Norm, clip_norm_slices};
/// let (mut dw, mut db) = ([3.0f32, 0.0], [4.0f32]);
/// let norm = clip_norm_slices(&mut [&mut dw, &mut db], 1.0, Norm::L2);
/// assert_eq!(norm, 5.0);
/// assert!((dw[0] - 0.6).abs() < 1e-6 && (db[0] - 0.8).abs() < 1e-6);
/// ```
///
/// # Panics
/// When `max_norm` is negative or NaN, or when [`Norm::of`] panics.
#[track_caller]
pub fn clip_norm_slices<F: Real>(grads: &mut [&mut [F]], max_norm: f64, norm: Norm) -> f64 {
    let total = norm.over(|| grads.iter().map(|grads| &**grads));
    if let Some(from) = too_long(total, max_norm) {
        grads.iter_mut().for_each(|grads| rescale(grads, max_norm, from));
    }
    total
}

/// The divisor for gradients of norm `total`, applied before they are multiplied by `max_norm`; `None` if
/// they are short enough.
#[track_caller]
fn too_long(total: f64, max_norm: f64) -> Option<f64> {
    assert!(max_norm >= 0.0, "clip_norm: max_norm = {max_norm} must not be negative");
    let from = total + 1e-6;
    let factor = max_norm / from;
    (factor < 1.0 || factor.is_nan()).then_some(from)
}
