//! The fully connected layer.

use autograd::{Graph, Var};
use tensor::Shape;
use tensor::activation::Activation;

use super::affine::{Affine, affine_options};
use crate::config::{Args, Describe, described};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// `y = x Wᵀ + b`: `[…, in_features]` to `[…, out_features]`.
///
/// Parameters as in PyTorch's `nn.Linear`: `weight` `[out_features, in_features]` and `bias`
/// `[out_features]`, both uniform in ±1/√in_features by default.
/// [`Embedding::weight`](crate::Embedding::weight) shows how to share a weight between layers.
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

    /// The weight on the graph, to use it elsewhere too, as [`Embedding::weight`](crate::Embedding::weight)
    /// shows. It stays one parameter: its gradient is the sum over all uses.
    ///
    /// # Panics
    /// When the layer was never registered.
    #[track_caller]
    pub fn weight(&self, g: &Graph<'_>) -> Var {
        self.affine.weight(g, self)
    }

    /// Runs the layer and a following activation as one op.
    pub(crate) fn forward_activation(&self, g: &Graph<'_>, x: Var, activation: Activation) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.linear_activation(x, weight, bias, activation)
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
