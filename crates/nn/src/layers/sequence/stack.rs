//! The stack of layers shared by the transformer's encoder and decoder.

use std::fmt;

use autograd::{Graph, Var};

use crate::config::{Args, Within, write_children};
use crate::layer::{Child, Layer, Scope};
use crate::layers::LayerNorm;
use crate::layers::recompute::{Tensors, recomputed};

/// A stack of layers of one kind, `layers.0`, `layers.1`, …, optionally followed by a layer norm, `norm`.
#[derive(Clone)]
pub(super) struct Stack<L> {
    pub(super) layers: Vec<Child<L>>,
    pub(super) norm: Option<Child<LayerNorm>>,
    /// Whether the values within each layer are computed again in backward instead of being kept.
    pub(super) recompute: bool,
}

impl<L: Clone + fmt::Debug> Stack<L> {
    pub(super) fn new(layer: L, num_layers: usize) -> Self {
        let layers = (0..num_layers).map(|idx| Child::new(format!("layers.{idx}"), layer.clone())).collect();
        Self { layers, norm: None, recompute: false }
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

    /// Runs `step` with each layer on the output of the one before it, and on what all layers take besides.
    pub(super) fn run<X: Tensors>(
        &self,
        g: &Graph<'_>,
        x: Var,
        others: X,
        step: impl Fn(&L, &Graph<'_>, Var, X) -> Var,
    ) -> Var {
        let x = self.layers.iter().fold(x, |x, layer| {
            let run = |g: &Graph<'_>, (x, others)| layer.run(g, |layer, g| step(layer, g, x, others));
            if self.recompute { recomputed(g, (x, others), run) } else { run(g, (x, others)) }
        });
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
        args.hidden("recompute", &mut self.recompute, false);
        args.optional_child("norm", &mut self.norm);
        args.children(&mut self.layers);
        for (idx, layer) in self.layers.iter_mut().enumerate() {
            layer.name = format!("layers.{idx}");
        }
    }
}
