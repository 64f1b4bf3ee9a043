//! `Sequential`: layers one after the other.

use std::fmt;

use autograd::{Graph, Var};

use crate::fusion;
use crate::layer::{Child, Layer, Scope};

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
    pub(crate) children: Vec<Child>,
    fuse: bool,
}

impl Sequential {
    /// No layers yet: the identity.
    pub fn new() -> Self {
        Self { children: Vec::new(), fuse: true }
    }

    /// Appends a layer; another `Sequential` is a layer too.
    #[expect(clippy::should_implement_trait, reason = "`add` appends, as in PyTorch's containers")]
    pub fn add(self, layer: impl Layer) -> Self {
        let name = self.children.len().to_string();
        self.add_named(name, layer)
    }

    /// Appends a layer under a name of its own instead of its position.
    pub fn add_named(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        self.children.push(Child::new(name, Box::new(layer)));
        self
    }

    /// Whether neighbouring layers may run as one fused op; on by default. Set before the model is
    /// built, `false` holds for the containers within too.
    pub fn fuse(mut self, fuse: bool) -> Self {
        self.fuse = fuse;
        self
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl Layer for Sequential {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.fuse = scope.allow_fusion(self.fuse);
        self.children.iter_mut().for_each(|child| scope.layer(child));
    }

    fn forward(&self, g: &Graph<'_>, mut x: Var) -> Var {
        let may_fuse = self.fuse && !g.is_tracing();
        let mut rest = &self.children[..];
        while let [first, ..] = rest {
            let fused = if may_fuse { fusion::run(rest, g, x) } else { None };
            let (y, n_layers) = fused.unwrap_or_else(|| (first.forward(g, x), 1));
            (x, rest) = (y, &rest[n_layers..]);
        }
        x
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_children(f, "Sequential", &self.children)
    }
}

/// Writes a container as PyTorch does: its name, and a line for each child, indented.
pub(crate) fn write_children<'a>(
    f: &mut fmt::Formatter<'_>,
    container: &str,
    children: impl IntoIterator<Item = &'a Child>,
) -> fmt::Result {
    let mut lines = String::new();
    for Child { name, layer } in children {
        let child = format!("{layer:?}").replace('\n', "\n  ");
        lines += &format!("\n  ({name}): {child}");
    }
    if lines.is_empty() { write!(f, "{container}()") } else { write!(f, "{container}({lines}\n)") }
}
