//! Local response normalisation.

use std::fmt;

use autograd::{Graph, LocalResponseNormOptions, Var};

use crate::layer::Layer;

/// Local response normalisation of `[n, …, c]`: `y = x / (k + alpha / size · Σ x²)^beta`, the sum over the `size` channels
/// around one. Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012.
#[derive(Clone, Copy)]
#[must_use]
pub struct LocalResponseNorm(LocalResponseNormOptions);

impl LocalResponseNorm {
    /// Over `size` channels; alpha 1e-4, beta 0.75, k 1.
    pub fn new(size: usize) -> Self {
        Self(LocalResponseNormOptions::new(size))
    }

    /// The factor of the mean square.
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// The exponent.
    pub fn beta(mut self, beta: f32) -> Self {
        self.0.beta = beta;
        self
    }

    /// What is added to the mean square.
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

impl fmt::Debug for LocalResponseNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocalResponseNormOptions { size, alpha, beta, k } = self.0;
        write!(f, "LocalResponseNorm({size}, alpha={alpha:?}, beta={beta:?}, k={k:?})")
    }
}
