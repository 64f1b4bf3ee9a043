//! Recomputation in the backward pass.

use std::fmt;

use autograd::{Graph, Var};

use super::unread::Unread;
use crate::config::{self, Args, Describe};
use crate::layer::{Layer, Scope};

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
#[must_use]
pub struct Recompute<X = Var> {
    layer: Box<dyn Layer<X>>,
}

impl<X: Tensors> Recompute<X> {
    /// Wraps this layer so that its activations are not kept.
    pub fn new(layer: impl Layer<X>) -> Self {
        Self { layer: Box::new(layer) }
    }
}

/// The input of a layer that [`Recompute`] can wrap: one tensor or several.
pub trait Tensors: Copy + 'static {
    /// Returns the input with each tensor replaced by `f` of it, always in the same order.
    #[must_use]
    fn map(self, f: &mut dyn FnMut(Var) -> Var) -> Self;
}

impl Tensors for Var {
    fn map(self, f: &mut dyn FnMut(Var) -> Var) -> Self {
        f(self)
    }
}

impl Tensors for () {
    fn map(self, _: &mut dyn FnMut(Var) -> Var) -> Self {}
}

impl<A: Tensors> Tensors for Option<A> {
    fn map(self, f: &mut dyn FnMut(Var) -> Var) -> Self {
        self.map(|tensors| tensors.map(f))
    }
}

impl<A: Tensors, B: Tensors> Tensors for (A, B) {
    fn map(self, f: &mut dyn FnMut(Var) -> Var) -> Self {
        (self.0.map(f), self.1.map(f))
    }
}

const MAX_TENSORS: usize = 8;

/// Records `run` of `x` so that its values are not kept.
pub(super) fn recomputed<X: Tensors>(g: &Graph<'_>, x: X, run: impl FnOnce(&Graph<'_>, X) -> Var) -> Var {
    let (mut inputs, mut n) = ([None; MAX_TENSORS], 0);
    let _ = x.map(&mut |tensor| {
        assert!(n < MAX_TENSORS, "recompute{}: the input has more than {MAX_TENSORS} tensors", g.at());
        inputs[n] = Some(tensor);
        n += 1;
        tensor
    });
    let first = inputs[0].unwrap_or_else(|| panic!("recompute{}: the input has no tensors", g.at()));
    let inputs = inputs.map(|tensor| tensor.unwrap_or(first));
    g.recompute(&inputs[..n], |g, inputs| {
        let mut inputs = inputs.iter();
        run(g, x.map(&mut |_| *inputs.next().expect("as many tensors as before")))
    })
}

impl<X: Tensors> Layer<X> for Recompute<X> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.layer.register(scope);
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        self.layer.child(name)
    }

    fn forward(&self, g: &Graph<'_>, x: X) -> Var {
        recomputed(g, x, |g, x| self.layer.forward(g, x))
    }
}

impl<X: Tensors> Describe for Recompute<X> {
    const NAME: &str = "Recompute";

    fn blank() -> Self {
        Self::new(Unread)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.wrapped(&mut self.layer);
    }
}

impl<X: 'static> Clone for Recompute<X> {
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone() }
    }
}

impl<X: Tensors> fmt::Debug for Recompute<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        config::write(self, f)
    }
}
