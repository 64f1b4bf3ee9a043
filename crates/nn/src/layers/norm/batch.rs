//! Batch normalisation.

use std::fmt;

use autograd::{BatchNormOptions, Graph, Role, Var};
use tensor::activation::Activation;

use super::affine::{Running, ScaleAndShift, channels, scale_and_shift_options};
use crate::config::{self, Args, Describe};
use crate::layer::{Handle, Layer, Scope};

/// Batch normalisation of vectors `[n, n_features]`.
pub type BatchNorm1d = BatchNorm<1>;

/// Batch normalisation of images `[n, h, w, n_features]`, channel by channel.
pub type BatchNorm2d = BatchNorm<2>;

/// Batch normalisation: `y = (x − mean) / √(var + eps) · weight + bias`, for each feature.
///
/// The features are the last axis, so [`BatchNorm1d`] and [`BatchNorm2d`] differ only in their printed name.
///
/// Training uses the batch's mean and variance (divided by the count). The running statistics are updated
/// after the backward pass, with the variance divided by the count less one; evaluation uses them. Parameters
/// and statistics as in PyTorch: `weight`, `bias`, `running_mean`, `running_var`, and `num_batches_tracked`
/// if the momentum is `None`. Ioffe and Szegedy, "Batch Normalization", 2015.
///
/// To continue training with the existing statistics (PyTorch: `bn.eval()` after `net.train()`), freeze them.
/// Scale and shift are still trained unless they are frozen too:
///
/// ```
/// use nn::{BatchNorm2d, Sequential};
/// let (_net, mut params) = nn::build(Sequential::new().add(BatchNorm2d::new(8)), 0);
/// params.freeze("0.running_mean")?;
/// params.freeze("0.running_var")?;
/// assert_eq!(params.n_trainable(), 16);
/// # Ok::<(), autograd::UnknownPath>(())
/// ```
///
/// Running it panics if the last axis has another size than `n_features`, or where the batch's statistics are
/// used and there are fewer than two values for each feature, as PyTorch raises a `ValueError`.
#[derive(Clone)]
#[must_use]
pub struct BatchNorm<const N: usize> {
    n_features: usize,
    options: BatchNormOptions,
    affine: ScaleAndShift,
    tracks: bool,
    running: Running,
    n_batches: Handle,
}

impl<const N: usize> BatchNorm<N> {
    /// Creates a layer with scale and shift, eps 1e-5 and momentum 0.1.
    pub fn new(n_features: usize) -> Self {
        Self {
            n_features,
            options: BatchNormOptions::default(),
            affine: ScaleAndShift::new(true),
            tracks: true,
            running: Running::default(),
            n_batches: Handle::default(),
        }
    }

    /// Sets the number added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.options.eps = eps;
        self
    }

    /// Sets the weight of the batch in the running statistics, as in PyTorch: `running = (1 − momentum) ·
    /// running + momentum · batch`. With `None` they are the plain mean over all batches so far, counted in
    /// `num_batches_tracked`.
    pub fn momentum(mut self, momentum: impl Into<Option<f32>>) -> Self {
        self.options.momentum = momentum.into();
        self
    }

    scale_and_shift_options!(affine, "on");

    /// Sets whether the layer, if it is `affine`, has `weight`; on by default. Without it the layer shifts but does not scale, for example
    /// before a ReLU and another layer, which can do the scaling. PyTorch has no such layer; the equivalent
    /// there is a `weight` of ones that is not trained.
    pub fn scale(mut self, scale: bool) -> Self {
        self.affine.scale = scale;
        self
    }

    /// Sets whether running statistics are kept; on by default. Without them, evaluation uses the batch's
    /// statistics too.
    pub fn track_running_stats(mut self, track: bool) -> Self {
        self.tracks = track;
        self
    }

    /// Runs the layer and the activation after it as one op.
    pub(crate) fn forward_activation(&self, g: &Graph<'_>, x: Var, activation: Activation) -> Var {
        self.normalised(g, x, Some(activation))
    }

    /// In evaluation the layer is x · scale + shift for each feature: returns scale and shift, computed from
    /// the parameters and running statistics. `None` if the batch's statistics may be used.
    pub(crate) fn scale_and_shift(&self, g: &Graph<'_>) -> Option<[Var; 2]> {
        if g.mode().training || !self.tracks {
            return None;
        }
        let ([mean, var], [weight, bias]) = (self.running.vars(g, self), self.affine.vars(g, self));
        let one_over_std = g.pow(g.add_scalar(var, self.options.eps), -0.5);
        let scale = weight.map_or(one_over_std, |weight| g.mul(weight, one_over_std));
        let shift = g.neg(g.mul(mean, scale));
        Some([scale, bias.map_or(shift, |bias| g.add(bias, shift))])
    }

    fn normalised(&self, g: &Graph<'_>, x: Var, activation: Option<Activation>) -> Var {
        channels("batch_norm", ("num_features", self.n_features)).check(g, "input", x);
        let affine = self.affine.vars(g, self);
        let with = |running: &[Var]| match activation {
            Some(activation) => g.batch_norm_activation(x, running, affine, self.options, activation),
            None => g.batch_norm(x, running, affine, self.options),
        };
        if !self.tracks {
            return with(&[]);
        }
        let [mean, var] = self.running.vars(g, self);
        if self.counts() {
            return with(&[mean, var, g.param(self.n_batches.id(self))]);
        }
        with(&[mean, var])
    }

    /// Whether batches are counted: only if the count is needed.
    fn counts(&self) -> bool {
        self.tracks && self.options.momentum.is_none()
    }
}

impl<const N: usize> Layer for BatchNorm<N> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.affine.register(scope, [self.n_features]);
        if self.tracks {
            self.running.register(scope, self.n_features);
        }
        if self.counts() {
            self.n_batches = scope.param("num_batches_tracked", [], Role::Statistic, |_, _| {});
        }
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.normalised(g, x, None)
    }
}

impl<const N: usize> Describe for BatchNorm<N> {
    const NAME: &str = if N == 1 { "BatchNorm1d" } else { "BatchNorm2d" };

    fn blank() -> Self {
        Self::new(0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let BatchNormOptions { eps, momentum } = BatchNormOptions::default();
        let (mut scale, mut bias) = (self.affine.has_weight(), self.affine.has_bias());
        // If both are off, only `affine=False` is printed.
        self.affine.is_affine = scale || bias;
        args.positional("num_features", &mut self.n_features);
        args.shown("eps", &mut self.options.eps, eps);
        args.shown("momentum", &mut self.options.momentum, momentum);
        args.option("affine", &mut self.affine.is_affine, true);
        args.option("track_running_stats", &mut self.tracks, true);
        if self.affine.is_affine {
            args.option("bias", &mut bias, true);
            args.option("scale", &mut scale, true);
        }
        (self.affine.scale, self.affine.bias) = (scale, bias);
    }
}

impl<const N: usize> fmt::Debug for BatchNorm<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        config::write(self, f)
    }
}
