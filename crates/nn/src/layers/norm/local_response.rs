//! Local response normalisation.

use autograd::{Graph, LocalResponseNormOptions, Var};

use crate::config::{Args, Describe, described};
use crate::layer::Layer;

/// Local response normalisation of `[n, …, c]`: `y = x / (k + alpha / size · Σ x²)^beta`, where the sum is
/// over the `size` channels around each channel. Krizhevsky, Sutskever and Hinton, "ImageNet Classification
/// with Deep Convolutional Neural Networks", 2012.
#[derive(Clone, Copy)]
#[must_use]
pub struct LocalResponseNorm(LocalResponseNormOptions);

impl LocalResponseNorm {
    /// Creates a layer over `size` channels; alpha 1e-4, beta 0.75, k 1.
    pub fn new(size: usize) -> Self {
        Self(LocalResponseNormOptions::new(size))
    }

    /// Sets the factor of the mean square.
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// Sets the exponent.
    pub fn beta(mut self, beta: f32) -> Self {
        self.0.beta = beta;
        self
    }

    /// Sets the number added to the mean square.
    pub fn k(mut self, k: f32) -> Self {
        self.0.k = k;
        self
    }
}

impl Layer for LocalResponseNorm {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.local_response_norm(x, self.0)
    }
}

impl Describe for LocalResponseNorm {
    const NAME: &str = "LocalResponseNorm";

    fn blank() -> Self {
        Self::new(1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let LocalResponseNormOptions { alpha, beta, k, .. } = LocalResponseNormOptions::new(1);
        args.positional("size", &mut self.0.size);
        args.shown("alpha", &mut self.0.alpha, alpha);
        args.shown("beta", &mut self.0.beta, beta);
        args.shown("k", &mut self.0.k, k);
    }
}

described!(LocalResponseNorm);
