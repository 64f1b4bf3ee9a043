//! From images to vectors.

use std::fmt;

use autograd::{Graph, Var};

use crate::layer::Layer;

/// Images `[n, h, w, c]` to vectors `[n, c·h·w]` in PyTorch's order (channel, row, column), so that
/// a [`Linear`](crate::Linear) behind it has the weights that PyTorch's would have. Anything else
/// `[n, …]` becomes `[n, product of the rest]` in its own order.
#[derive(Clone, Copy)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.flatten(x)
    }
}

impl fmt::Debug for Flatten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flatten()")
    }
}
