//! Batch normalisation.

use std::fmt;

use autograd::{BatchNormOptions, Graph, Role, Var};

use crate::layer::{Handle, Layer, Scope};

/// Batch normalisation of vectors `[n, n_features]`.
pub type BatchNorm1d = BatchNorm<1>;

/// Batch normalisation of images `[n, h, w, n_features]`, channel by channel.
pub type BatchNorm2d = BatchNorm<2>;

/// Batch normalisation: `y = (x − mean) / √(var + eps) · weight + bias`, feature by feature.
///
/// The features are the last axis, so [`BatchNorm1d`] and [`BatchNorm2d`] are the same but for their printed name.
///
/// In training, mean and variance are the batch's (the variance divided by the count); the running
/// ones follow them (the variance there divided by the count less one) once backward is through.
/// In evaluation they are the running ones. Parameters and statistics as PyTorch's: `weight`,
/// `bias`, `running_mean`, `running_var`. Ioffe and Szegedy, "Batch Normalization", 2015.
#[derive(Clone)]
#[must_use]
pub struct BatchNorm<const N: usize> {
    n_features: usize,
    options: BatchNormOptions,
    weight: Handle,
    bias: Handle,
    running_mean: Handle,
    running_var: Handle,
}

impl<const N: usize> BatchNorm<N> {
    /// With scale and shift; eps 1e-5, momentum 0.1.
    pub fn new(n_features: usize) -> Self {
        let (options, none) = (BatchNormOptions::default(), Handle::default());
        Self { n_features, options, weight: none, bias: none, running_mean: none, running_var: none }
    }

    /// What is added to the variance.
    pub fn eps(mut self, eps: f32) -> Self {
        self.options.eps = eps;
        self
    }

    /// The share of the batch in the running statistics, as PyTorch has it:
    /// `running = (1 − momentum) · running + momentum · batch`.
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.options.momentum = momentum;
        self
    }
}

impl<const N: usize> Layer for BatchNorm<N> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let mut filled =
            |name, role, value| scope.param(name, [self.n_features], role, |values, _| values.fill(value));
        self.weight = filled("weight", Role::Trainable, 1.0);
        self.bias = filled("bias", Role::Trainable, 0.0);
        self.running_mean = filled("running_mean", Role::Statistic, 0.0);
        self.running_var = filled("running_var", Role::Statistic, 1.0);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let params = |handles: [Handle; 2]| handles.map(|handle| g.param(handle.id(self)));
        let (running, affine) =
            (params([self.running_mean, self.running_var]), params([self.weight, self.bias]));
        g.batch_norm(x, running, Some(affine), self.options)
    }
}

impl<const N: usize> fmt::Debug for BatchNorm<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_features, options: BatchNormOptions { eps, momentum }, .. } = self;
        write!(f, "BatchNorm{N}d({n_features}, eps={eps:e}, momentum={momentum})")
    }
}
