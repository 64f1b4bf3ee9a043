//! Group normalisation.

use std::fmt;

use autograd::{Graph, Var};

use super::affine::{ScaleAndShift, python};
use crate::layer::{Layer, Scope};

/// Group normalisation of `[n, …, n_channels]`: the channels of each image make groups of neighbours, each of which is
/// brought to mean 0 and variance 1 over its pixels and channels: `y = (x − mean) / √(var + eps) · weight + bias`.
///
/// It does not depend on the batch and is the same in training and evaluation. Parameters as PyTorch's: `weight` and
/// `bias` of each channel. Wu and He, "Group Normalization", 2018.
#[derive(Clone)]
#[must_use]
pub struct GroupNorm {
    n_groups: usize,
    n_channels: usize,
    eps: f32,
    affine: ScaleAndShift,
}

impl GroupNorm {
    /// With scale and shift; eps 1e-5.
    pub fn new(n_groups: usize, n_channels: usize) -> Self {
        Self { n_groups, n_channels, eps: 1e-5, affine: ScaleAndShift::new(true, true) }
    }

    /// What is added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// With or without `weight` and `bias`; the default is with both.
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = ScaleAndShift::new(affine, affine);
        self
    }

    /// With or without `bias`; the default is with.
    pub fn bias(mut self, bias: bool) -> Self {
        self.affine.has_bias = bias;
        self
    }
}

impl Layer for GroupNorm {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let divides = self.n_groups > 0 && self.n_channels.is_multiple_of(self.n_groups);
        assert!(divides, "{self:?}: the groups must divide the channels");
        self.affine.register(scope, [self.n_channels]);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.group_norm(x, self.n_groups, self.affine.vars(g, self), self.eps)
    }
}

impl fmt::Debug for GroupNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_groups, n_channels, eps, affine } = self;
        let [weight, bias] = [affine.has_weight, affine.has_bias].map(python);
        write!(f, "GroupNorm({n_groups}, {n_channels}, eps={eps:e}, affine={weight}, bias={bias})")
    }
}
