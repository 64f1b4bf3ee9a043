//! Recomputation in backward.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::layer::{Layer, Scope};
use crate::sequential::Sequential;

/// A layer whose values are not kept for backward but computed again there: a network that would not fit into memory
/// trains for the price of one more forward pass. Between the parts that are wrapped the values stay; a good size of
/// a part is about √n of n layers. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016;
/// `torch.utils.checkpoint`.
///
/// The wrapped layer keeps its name, and losses, gradients, dropout's draws and running statistics are the same, bit by
/// bit, as without it: see [`Graph::recompute`].
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
    /// This layer, without keeping its values.
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
