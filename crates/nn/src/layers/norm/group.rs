//! Group normalisation.

use autograd::{Graph, Var};

use super::affine::{ScaleAndShift, channels, scale_and_shift_options};
use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};
use crate::layers::affine::check_divisible;
use crate::layers::last_axis::LastAxis;

/// Group normalisation of `[n, …, n_channels]`: the channels of each image are divided into groups of
/// neighbours, and each group is normalised to mean 0 and variance 1 over its pixels and channels: `y = (x −
/// mean) / √(var + eps) · weight + bias`.
///
/// It does not depend on the batch and is the same in training and evaluation. Parameters as in PyTorch:
/// `weight` and `bias`, one number per channel. Wu and He, "Group Normalization", 2018.
///
/// Building it panics if the channels cannot be divided into the groups, running it if the last axis has another size
/// than `n_channels`.
#[derive(Clone)]
#[must_use]
pub struct GroupNorm {
    n_groups: usize,
    n_channels: usize,
    eps: f32,
    affine: ScaleAndShift,
}

impl GroupNorm {
    /// Creates a layer with scale and shift and eps 1e-5.
    pub fn new(n_groups: usize, n_channels: usize) -> Self {
        Self { n_groups, n_channels, eps: 1e-5, affine: ScaleAndShift::new(true) }
    }

    /// Sets the number added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    scale_and_shift_options!(affine, "on");
}

impl Layer for GroupNorm {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.check(self);
        self.affine.register(scope, [self.n_channels]);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let divisor = Some(("num_groups", self.n_groups));
        let channels = channels("group_norm", ("num_channels", self.n_channels));
        LastAxis { divisor, ..channels }.check(g, "input", x);
        g.group_norm(x, self.n_groups, self.affine.vars(g, self), self.eps)
    }
}

impl Describe for GroupNorm {
    const NAME: &str = "GroupNorm";

    fn blank() -> Self {
        Self::new(1, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("num_groups", &mut self.n_groups);
        args.positional("num_channels", &mut self.n_channels);
        args.shown("eps", &mut self.eps, 1e-5);
        self.affine.describe(args, "affine", true);
    }

    fn check(&self) -> Result<(), String> {
        check_divisible(("num_channels", self.n_channels), ("num_groups", self.n_groups))
    }
}

described!(GroupNorm);
