//! The fully connected layer.

use autograd::{Graph, Var};
use tensor::Shape;

use super::affine::{Affine, affine_options};
use crate::config::{Args, Describe, described};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// `y = x Wᵀ + b`: `[…, in_features]` to `[…, out_features]`.
///
/// Parameters as in PyTorch's `nn.Linear`: `weight` `[out_features, in_features]` and `bias`
/// `[out_features]`, both uniform in ±1/√in_features by default.
#[derive(Clone)]
#[must_use]
pub struct Linear {
    in_features: usize,
    out_features: usize,
    affine: Affine,
}

impl Linear {
    /// Creates a layer with a bias and PyTorch's default initialisation.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self { in_features, out_features, affine: Affine::new() }
    }

    affine_options!();

    /// Runs the layer and a following ReLU as one op.
    pub(crate) fn forward_relu(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.linear_relu(x, weight, bias)
    }
}

// ANCHOR: layer
impl Layer for Linear {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.affine.register(scope, Shape::new(&[self.out_features, self.in_features]), self.out_features);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.linear(x, weight, bias)
    }
}
// ANCHOR_END: layer

impl Describe for Linear {
    const NAME: &str = "Linear";

    fn blank() -> Self {
        Self::new(0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("in_features", &mut self.in_features);
        args.named("out_features", &mut self.out_features);
        args.shown("bias", &mut self.affine.has_bias, true);
        self.affine.describe(args);
    }
}

described!(Linear);
