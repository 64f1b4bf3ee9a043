//! `Sequential`: layers one after the other.

use std::fmt;

use autograd::{Graph, Var};

use crate::fusion;
use crate::layer::{Layer, Scope};
use crate::summary::Summary;

/// Layers that run one after the other; the layer at position `i` is called `i`, as in PyTorch.
///
/// Neighbours for which there is a faster common op run as one: `Conv2d` → `ReLU` → `MaxPool2d(2)` and
/// `Linear` → `ReLU`. What is printed, named and saved stays as written.
///
/// ```
/// use nn::{Linear, ReLU, Sequential};
/// let net = Sequential::new().add(Linear::new(2, 8)).add(ReLU).add(Linear::new(8, 1));
/// assert_eq!(format!("{net:?}").lines().nth(2), Some("  (1): ReLU()"));
/// ```
#[must_use]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    names: Vec<String>,
    fuse: bool,
}

impl Sequential {
    /// No layers yet: the identity.
    pub fn new() -> Self {
        Self { layers: Vec::new(), names: Vec::new(), fuse: true }
    }

    /// Appends a layer; another `Sequential` is a layer too.
    #[expect(clippy::should_implement_trait, reason = "`add` appends, as in PyTorch's containers")]
    pub fn add(mut self, layer: impl Layer) -> Self {
        self.names.push(self.layers.len().to_string());
        self.layers.push(Box::new(layer));
        self
    }

    /// Whether neighbouring layers may run as one fused op; on by default. Set before the model is
    /// built, `false` holds for the containers within too.
    pub fn fuse(mut self, fuse: bool) -> Self {
        self.fuse = fuse;
        self
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl Layer for Sequential {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.fuse &= *scope.fuse();
        *scope.fuse() = self.fuse;
        for (name, layer) in self.names.iter().zip(&mut self.layers) {
            scope.layer(name, layer.as_mut());
        }
    }

    fn forward(&self, g: &Graph<'_>, mut x: Var) -> Var {
        let mut i = 0;
        while i < self.layers.len() {
            let rest = &self.layers[i..];
            let (y, n_layers) = g.scope(&self.names[i], |g| {
                let fused = if self.fuse { fusion::run(rest, g, x) } else { None };
                fused.unwrap_or_else(|| (rest[0].forward(g, x), 1))
            });
            x = y;
            i += n_layers;
        }
        x
    }

    fn summarize(&self, summary: &mut Summary, g: &Graph<'_>, x: Var) -> Var {
        let layers = self.names.iter().zip(&self.layers);
        layers.fold(x, |x, (name, layer)| summary.layer(name, layer.as_ref(), g, x))
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children = self.names.iter().map(String::as_str).zip(self.layers.iter().map(AsRef::as_ref));
        write_children(f, "Sequential", children)
    }
}

/// Writes a container as PyTorch does: its name, and a line for each child, indented.
pub(crate) fn write_children<'a>(
    f: &mut fmt::Formatter<'_>,
    container: &str,
    children: impl Iterator<Item = (&'a str, &'a dyn Layer)>,
) -> fmt::Result {
    let mut lines = String::new();
    for (name, layer) in children {
        let child = format!("{layer:?}").replace('\n', "\n  ");
        lines += &format!("\n  ({name}): {child}");
    }
    if lines.is_empty() { write!(f, "{container}()") } else { write!(f, "{container}({lines}\n)") }
}
