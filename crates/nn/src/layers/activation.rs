//! Activations: the element-wise functions between layers.

use std::fmt;

use autograd::{Graph, Var};

use crate::layer::Layer;

/// `max(0, x)`; NaN passes through.
#[derive(Clone, Copy)]
pub struct ReLU;

/// `x` where positive, `negative_slope · x` elsewhere.
#[derive(Clone, Copy)]
pub struct LeakyReLU {
    negative_slope: f32,
}

impl LeakyReLU {
    /// With this slope left of 0; PyTorch's default is 0.01.
    pub fn new(negative_slope: f32) -> Self {
        Self { negative_slope }
    }
}

impl Default for LeakyReLU {
    fn default() -> Self {
        Self::new(0.01)
    }
}

/// `1 / (1 + e⁻ˣ)`.
#[derive(Clone, Copy)]
pub struct Sigmoid;

/// `(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.
#[derive(Clone, Copy)]
pub struct Tanh;

/// `x · Φ(x)` with Φ the distribution function of the standard normal, by the exact error function.
/// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
#[derive(Clone, Copy)]
pub struct GELU;

impl Layer for ReLU {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.relu(x)
    }
}

impl Layer for LeakyReLU {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.leaky_relu(x, self.negative_slope)
    }
}

impl Layer for Sigmoid {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.sigmoid(x)
    }
}

impl Layer for Tanh {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.tanh(x)
    }
}

impl Layer for GELU {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.gelu(x)
    }
}

impl fmt::Debug for ReLU {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReLU()")
    }
}

impl fmt::Debug for LeakyReLU {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeakyReLU(negative_slope={})", self.negative_slope)
    }
}

impl fmt::Debug for Sigmoid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sigmoid()")
    }
}

impl fmt::Debug for Tanh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tanh()")
    }
}

impl fmt::Debug for GELU {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GELU()")
    }
}
