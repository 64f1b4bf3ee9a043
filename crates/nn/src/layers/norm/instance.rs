//! Instance normalisation.

use autograd::{BatchNormOptions, Graph, Var};

use super::affine::{Running, ScaleAndShift};
use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};

/// Instance normalisation of images `[n, h, w, n_features]`: each channel of each image is brought to mean 0 and variance
/// 1, `y = (x − mean) / √(var + eps)`, and scaled and shifted if it is told to.
///
/// With running statistics those follow the means over the batch, and are used in evaluation. Parameters and statistics
/// as PyTorch's, if there are any: `weight`, `bias`, `running_mean`, `running_var`. Ulyanov, Vedaldi and Lempitsky,
/// "Instance Normalization", 2016.
#[derive(Clone)]
#[must_use]
pub struct InstanceNorm2d {
    n_features: usize,
    options: BatchNormOptions,
    affine: ScaleAndShift,
    tracks: bool,
    running: Running,
}

impl InstanceNorm2d {
    /// Without scale and shift, and without running statistics; eps 1e-5, momentum 0.1.
    pub fn new(n_features: usize) -> Self {
        let (options, affine) = (BatchNormOptions::default(), ScaleAndShift::new(false, false));
        Self { n_features, options, affine, tracks: false, running: Running::default() }
    }

    /// What is added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.options.eps = eps;
        self
    }

    /// The share of the batch in the running statistics; with `None` they stay as they are.
    pub fn momentum(mut self, momentum: impl Into<Option<f32>>) -> Self {
        self.options.momentum = momentum.into();
        self
    }

    /// With or without `weight` and `bias`; the default is without.
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = ScaleAndShift::new(affine, affine);
        self
    }

    /// With or without `bias`; the default is as `affine` says.
    pub fn bias(mut self, bias: bool) -> Self {
        self.affine.has_bias = bias;
        self
    }

    /// With or without running statistics; the default is without.
    pub fn track_running_stats(mut self, track: bool) -> Self {
        self.tracks = track;
        self
    }
}

impl Layer for InstanceNorm2d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.affine.register(scope, [self.n_features]);
        if self.tracks {
            self.running.register(scope, self.n_features);
        }
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let channels = g.shape(x).last().copied();
        assert!(
            channels == Some(self.n_features),
            "instance_norm{}: the input {} does not have {} channels on its last axis; give images [n, h, w, {}]",
            g.at(),
            g.shape(x),
            self.n_features,
            self.n_features
        );
        let running = self.tracks.then(|| self.running.vars(g, self));
        g.instance_norm(x, running, self.affine.vars(g, self), self.options)
    }
}

impl Describe for InstanceNorm2d {
    const NAME: &str = "InstanceNorm2d";

    fn blank() -> Self {
        Self::new(0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let BatchNormOptions { eps, momentum } = BatchNormOptions::default();
        args.positional("num_features", &mut self.n_features);
        args.shown("eps", &mut self.options.eps, eps);
        args.shown("momentum", &mut self.options.momentum, momentum);
        args.shown("affine", &mut self.affine.has_weight, false);
        args.shown("bias", &mut self.affine.has_bias, self.affine.has_weight);
        args.shown("track_running_stats", &mut self.tracks, false);
    }
}

described!(InstanceNorm2d);
