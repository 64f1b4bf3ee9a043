//! A constant factor.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::layer::Layer;

/// `y = factor · x` with a factor that is not trained: after a head, a small one keeps the initial logits
/// small.
#[derive(Clone, Copy)]
#[must_use]
pub struct Scale {
    factor: f32,
}

impl Scale {
    /// Creates a layer that multiplies by this factor.
    pub fn new(factor: f32) -> Self {
        Self { factor }
    }
}

impl Layer for Scale {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.scale(x, self.factor)
    }
}

impl Describe for Scale {
    const NAME: &str = "Scale";

    fn blank() -> Self {
        Self::new(1.0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("factor", &mut self.factor);
    }
}

described!(Scale);
