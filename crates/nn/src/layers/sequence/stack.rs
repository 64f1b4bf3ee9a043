//! The stack of layers shared by the transformer's encoder and decoder.

use std::fmt;

use autograd::{Graph, Var};

use crate::config::{Args, Within, write_children};
use crate::layer::{Child, Layer, Scope};
use crate::layers::LayerNorm;

/// A stack of layers of one kind, `layers.0`, `layers.1`, …, optionally followed by a layer norm, `norm`.
#[derive(Clone)]
pub(super) struct Stack<L> {
    pub(super) layers: Vec<Child<L>>,
    pub(super) norm: Option<Child<LayerNorm>>,
}

impl<L: Clone + fmt::Debug> Stack<L> {
    pub(super) fn new(layer: L, num_layers: usize) -> Self {
        let layers = (0..num_layers).map(|idx| Child::new(format!("layers.{idx}"), layer.clone())).collect();
        Self { layers, norm: None }
    }

    pub(super) fn norm(self, norm: LayerNorm) -> Self {
        Self { norm: Some(Child::new("norm", norm)), ..self }
    }

    pub(super) fn register<X>(&mut self, scope: &mut Scope<'_>)
    where
        L: Layer<X>,
    {
        self.layers.iter_mut().for_each(|layer| scope.layer(layer));
        self.norm.iter_mut().for_each(|norm| scope.layer(norm));
    }

    /// Runs `step` with each layer on the output of the one before it.
    pub(super) fn run(&self, g: &Graph<'_>, x: Var, step: impl Fn(&Child<L>, Var) -> Var) -> Var {
        let x = self.layers.iter().fold(x, |x, layer| step(layer, x));
        self.norm.as_ref().map_or(x, |norm| norm.forward(g, x))
    }

    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let layers = self.layers.iter().map(|layer| (&*layer.name, format!("{layer:?}")));
        let norm = self.norm.iter().map(|norm| ("norm", format!("{norm:?}")));
        write_children(f, name, None, layers.chain(norm))
    }

    pub(super) fn describe<X: 'static>(&mut self, args: &mut Args<'_>)
    where
        L: Within<X>,
    {
        args.optional_child("norm", &mut self.norm);
        args.children(&mut self.layers);
        for (idx, layer) in self.layers.iter_mut().enumerate() {
            layer.name = format!("layers.{idx}");
        }
    }
}
