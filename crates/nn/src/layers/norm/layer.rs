//! Layer normalisation and RMS normalisation.

use autograd::{Graph, Var};
use tensor::Shape;

use super::affine::{ScaleAndShift, scale_and_shift_options};
use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};

/// Layer normalisation over the last axes: `y = (x − mean) / √(var + eps) · weight + bias`, each row of
/// `normalized_shape` separately, in training and evaluation alike.
///
/// Parameters as in PyTorch: `weight`, initially ones, and `bias`, initially zeros, both of shape
/// `normalized_shape`. Ba, Kiros and Hinton, "Layer Normalization", 2016.
///
/// ```
/// use nn::LayerNorm;
/// // Tokens [n, t, 64], each by itself; images [n, h, w, c] each as a whole.
/// let (_of_tokens, _of_images) = (LayerNorm::new([64]), LayerNorm::new([8, 8, 16]));
/// ```
#[derive(Clone)]
#[must_use]
pub struct LayerNorm {
    normalized_shape: Shape,
    eps: f32,
    affine: ScaleAndShift,
}

impl LayerNorm {
    /// Creates a layer with scale and shift and eps 1e-5.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        let normalized_shape = normalized_shape.into();
        Self { normalized_shape, eps: 1e-5, affine: ScaleAndShift::new(true) }
    }

    /// Sets the number added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    scale_and_shift_options!(elementwise_affine, "on");
}

// ANCHOR: layer
impl Layer for LayerNorm {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.affine.register(scope, self.normalized_shape);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.layer_norm(x, self.normalized_shape, self.affine.vars(g, self), self.eps)
    }
}
// ANCHOR_END: layer

/// RMS normalisation over the last axes: `y = x / √(mean(x²) + eps) · weight`, each row of `normalized_shape`
/// separately; no mean is subtracted.
///
/// The parameter as in PyTorch: `weight` of shape `normalized_shape`, initially ones. Zhang and Sennrich,
/// "Root Mean Square Layer Normalization", 2019.
#[derive(Clone)]
#[must_use]
pub struct RMSNorm {
    normalized_shape: Shape,
    eps: Option<f32>,
    affine: ScaleAndShift,
}

impl RMSNorm {
    /// Creates a layer with a scale; eps is that of f32, 1.19e-7, which PyTorch prints as `None`.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        let normalized_shape = normalized_shape.into();
        let mut affine = ScaleAndShift::new(true);
        affine.bias = false;
        Self { normalized_shape, eps: None, affine }
    }

    /// Sets the number added to the mean square.
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = Some(eps);
        self
    }

    /// Sets whether the layer has `weight`; on by default.
    pub fn elementwise_affine(mut self, affine: bool) -> Self {
        self.affine.is_affine = affine;
        self
    }
}

impl Layer for RMSNorm {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.affine.register(scope, self.normalized_shape);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let [weight, _] = self.affine.vars(g, self);
        g.rms_norm(x, self.normalized_shape, weight, self.eps.unwrap_or(f32::EPSILON))
    }
}

impl Describe for LayerNorm {
    const NAME: &str = "LayerNorm";

    fn blank() -> Self {
        Self::new([])
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("normalized_shape", &mut self.normalized_shape);
        args.shown("eps", &mut self.eps, 1e-5);
        self.affine.describe(args, "elementwise_affine", true);
    }
}

impl Describe for RMSNorm {
    const NAME: &str = "RMSNorm";

    fn blank() -> Self {
        Self::new([])
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("normalized_shape", &mut self.normalized_shape);
        args.shown("eps", &mut self.eps, None);
        args.shown("elementwise_affine", &mut self.affine.is_affine, true);
    }
}

described!(LayerNorm, RMSNorm);
