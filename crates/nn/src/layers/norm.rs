//! Batch normalisation.

use std::fmt;

use autograd::{BatchNormOptions, Graph, Role, Var};

use crate::layer::{Handle, Layer, Scope};

/// The builder methods, the printing and the running of both layers.
macro_rules! batch_norm {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        #[must_use]
        pub struct $name {
            norm: BatchNorm,
        }

        impl $name {
            /// With scale and shift; eps 1e-5, momentum 0.1.
            pub fn new(n_features: usize) -> Self {
                Self { norm: BatchNorm::new(n_features) }
            }

            /// What is added to the variance.
            pub fn eps(mut self, eps: f32) -> Self {
                self.norm.options.eps = eps;
                self
            }

            /// The share of the batch in the running statistics, as PyTorch has it:
            /// `running = (1 − momentum) · running + momentum · batch`.
            pub fn momentum(mut self, momentum: f32) -> Self {
                self.norm.options.momentum = momentum;
                self
            }
        }

        impl Layer for $name {
            fn register(&mut self, scope: &mut Scope<'_>) {
                self.norm.register(scope);
            }

            fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
                self.norm.forward(g, x, self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let BatchNorm { n_features, options: BatchNormOptions { eps, momentum }, .. } = self.norm;
                write!(f, "{}({n_features}, eps={eps:e}, momentum={momentum})", stringify!($name))
            }
        }
    };
}

batch_norm! {
    /// Batch normalisation of vectors `[n, n_features]`; see [`BatchNorm2d`].
    BatchNorm1d
}

batch_norm! {
    /// Batch normalisation of images `[n, h, w, n_features]`, channel by channel:
    /// `y = (x − mean) / √(var + eps) · weight + bias`.
    ///
    /// In training, mean and variance are the batch's (the variance divided by the count); the running
    /// ones follow them (the variance there divided by the count less one) once backward is through.
    /// In evaluation they are the running ones. Parameters and statistics as PyTorch's: `weight`,
    /// `bias`, `running_mean`, `running_var`. Ioffe and Szegedy, "Batch Normalization", 2015.
    BatchNorm2d
}

/// What both layers are: on N × H × W × C and N × C alike, the features are the last axis.
#[derive(Clone, Copy)]
struct BatchNorm {
    n_features: usize,
    options: BatchNormOptions,
    weight: Handle,
    bias: Handle,
    running_mean: Handle,
    running_var: Handle,
}

impl BatchNorm {
    fn new(n_features: usize) -> Self {
        let (options, none) = (BatchNormOptions::default(), Handle::default());
        Self { n_features, options, weight: none, bias: none, running_mean: none, running_var: none }
    }

    fn register(&mut self, scope: &mut Scope<'_>) {
        let mut filled =
            |name, role, value| scope.param(name, [self.n_features], role, |values, _| values.fill(value));
        self.weight = filled("weight", Role::Trainable, 1.0);
        self.bias = filled("bias", Role::Trainable, 0.0);
        self.running_mean = filled("running_mean", Role::Statistic, 0.0);
        self.running_var = filled("running_var", Role::Statistic, 1.0);
    }

    fn forward(&self, g: &Graph<'_>, x: Var, layer: &dyn fmt::Debug) -> Var {
        let params = |handles: [Handle; 2]| handles.map(|handle| g.param(handle.id(layer)));
        let (running, affine) =
            (params([self.running_mean, self.running_var]), params([self.weight, self.bias]));
        g.batch_norm(x, running, Some(affine), self.options)
    }
}
