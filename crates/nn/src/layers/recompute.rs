//! Recomputation in the backward pass.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};
use crate::sequential::Sequential;

/// A layer whose activations are not kept for the backward pass but recomputed there: a network that would
/// not fit into memory trains at the cost of one more forward pass. Activations between the wrapped parts are
/// kept; a good size for a part is about √n of n layers. Chen et al., "Training Deep Nets with Sublinear
/// Memory Cost", 2016; `torch.utils.checkpoint`.
///
/// The wrapped layer keeps its name, and losses, gradients, dropout masks and running statistics are
/// bit-identical to those without it: see [`Graph::recompute`].
///
/// ```
/// use nn::{Conv2d, ReLU, Recompute, Sequential};
/// let block = || Sequential::new().add(Conv2d::new(8, 8, 3).padding(1)).add(ReLU);
/// let net = Sequential::new().add(Recompute::new(block())).add(Recompute::new(block()));
/// let (_net, params) = nn::build(net, 0);
/// assert_eq!(params.entries()[2].name, "1.0.weight");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Recompute {
    layer: Box<dyn Layer>,
}

impl Recompute {
    /// Wraps this layer so that its activations are not kept.
    pub fn new(layer: impl Layer) -> Self {
        Self { layer: Box::new(layer) }
    }
}

impl Layer for Recompute {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.layer.register(scope);
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        self.layer.child(name)
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.recompute(&[x], |g, x| self.layer.forward(g, x[0]))
    }
}

impl Describe for Recompute {
    const NAME: &str = "Recompute";

    fn blank() -> Self {
        Self::new(Sequential::new())
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.wrapped(&mut self.layer);
    }
}

described!(Recompute);
