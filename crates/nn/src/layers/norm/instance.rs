//! Instance normalisation.

use autograd::{BatchNormOptions, Graph, Var};

use super::affine::{Running, ScaleAndShift, channels, scale_and_shift_options};
use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};

/// Instance normalisation of images `[n, h, w, n_features]`, or with any other axes between the first and the
/// last: each channel of each image is normalised to mean 0 and variance 1,
/// `y = (x − mean) / √(var + eps)`, and optionally scaled and shifted.
///
/// Running statistics, if kept, follow the means over the batch and are used in evaluation. Parameters and
/// statistics, if any, as in PyTorch: `weight`, `bias`, `running_mean`, `running_var`. Ulyanov, Vedaldi and
/// Lempitsky, "Instance Normalization", 2016.
///
/// Running it panics if the last axis has another size than `n_features`, or if a channel of an image has one value only.
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
    /// Creates a layer without scale, shift or running statistics; eps 1e-5, momentum 0.1.
    pub fn new(n_features: usize) -> Self {
        let (options, affine) = (BatchNormOptions::default(), ScaleAndShift::new(false));
        Self { n_features, options, affine, tracks: false, running: Running::default() }
    }

    /// Sets the number added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.options.eps = eps;
        self
    }

    /// Sets the weight of the batch in the running statistics; with `None` they do not change.
    pub fn momentum(mut self, momentum: impl Into<Option<f32>>) -> Self {
        self.options.momentum = momentum.into();
        self
    }

    scale_and_shift_options!(affine, "off");

    /// Sets whether running statistics are kept; off by default.
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
        channels("instance_norm", ("num_features", self.n_features)).check(g, "input", x);
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
        self.affine.describe(args, "affine", false);
        args.shown("track_running_stats", &mut self.tracks, false);
    }
}

described!(InstanceNorm2d);
