//! Flattens images to vectors, and back.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, Value, described};
use crate::layer::Layer;

/// Images `[n, h, w, c]` to vectors `[n, c·h·w]` in PyTorch's order (channel, row, column), so that a
/// following [`Linear`](crate::Linear) has the same weights as in PyTorch. Anything else `[n, …]` becomes
/// `[n, product of the rest]` in its own order.
#[derive(Clone, Copy)]
pub struct Flatten;

impl Flatten {
    /// Flattens the axes from `start_dim` on into one, in their own order. From axis 1 on, the default, it is
    /// [`Flatten`] itself.
    ///
    /// ```
    /// use nn::Flatten;
    /// assert_eq!(format!("{:?}", Flatten.start_dim(2)), "Flatten(start_dim=2)");
    /// ```
    pub fn start_dim(self, start_dim: usize) -> FlattenFrom {
        FlattenFrom { start_dim, end_dim: EndDim(None) }
    }
}

/// A [`Flatten`] with a `start_dim` and optionally an `end_dim`.
#[derive(Clone, Copy)]
#[must_use]
pub struct FlattenFrom {
    start_dim: usize,
    end_dim: EndDim,
}

impl FlattenFrom {
    /// Sets the last of the axes to flatten; the default is the last axis. Flattening 1 to 2 turns images
    /// `[n, h, w, c]` into sequences of pixels, `[n, h·w, c]`.
    pub fn end_dim(self, end_dim: usize) -> Self {
        Self { end_dim: EndDim(Some(end_dim)), ..self }
    }
}

/// An axis, or the last one, printed as −1.
#[derive(Clone, Copy, PartialEq)]
struct EndDim(Option<usize>);

/// Splits one axis into several.
///
/// ```
/// use nn::Unflatten;
/// // From vectors to images of 7 × 7 pixels with 128 channels.
/// let images = Unflatten::new(1, &[7, 7, 128]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Unflatten {
    dim: usize,
    sizes: Vec<usize>,
}

impl Unflatten {
    /// Splits the axis `dim` into axes of these sizes.
    ///
    /// Vectors `[n, c·h·w]` become images if there are three sizes, `[h, w, c]`. They are then read in
    /// PyTorch's order (channel, row, column), as [`Flatten`] writes them, so that a preceding
    /// [`Linear`](crate::Linear) has the same weights as before PyTorch's `Unflatten(1, (c, h, w))`.
    pub fn new(dim: usize, sizes: &[usize]) -> Self {
        Self { dim, sizes: sizes.to_vec() }
    }
}

impl Layer for Flatten {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.flatten(x)
    }
}

impl Layer for FlattenFrom {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        match self.end_dim {
            EndDim(None) => g.flatten_from(x, self.start_dim),
            EndDim(Some(end_dim)) => g.flatten_between(x, self.start_dim, end_dim),
        }
    }
}

impl Layer for Unflatten {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.unflatten(x, self.dim, &self.sizes)
    }
}

impl Describe for Flatten {
    const NAME: &str = "Flatten";

    fn blank() -> Self {
        Self
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.only("start_dim", 1);
        args.only("end_dim", "-1".to_owned());
    }
}

impl Describe for FlattenFrom {
    const NAME: &str = "Flatten";

    fn blank() -> Self {
        Self { start_dim: 1, end_dim: EndDim(None) }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.shown("start_dim", &mut self.start_dim, 1);
        args.option("end_dim", &mut self.end_dim, EndDim(None));
    }
}

impl Describe for Unflatten {
    const NAME: &str = "Unflatten";

    fn blank() -> Self {
        Self::new(0, &[])
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("dim", &mut self.dim);
        args.named("unflattened_size", &mut self.sizes);
    }
}

described!(Flatten, FlattenFrom, Unflatten);

impl Value for EndDim {
    const EXPECTED: &str = "an axis, or -1";

    fn write(&self) -> String {
        self.0.map_or("-1".to_owned(), |axis| axis.to_string())
    }

    fn read(text: &str) -> Option<Self> {
        if text == "-1" { Some(Self(None)) } else { text.parse().ok().map(|axis| Self(Some(axis))) }
    }
}

impl FlattenFrom {
    /// The layer that it stands for: from axis 1 on, images are read in PyTorch's order.
    pub(crate) fn boxed(self) -> Box<dyn Layer> {
        if self.start_dim == 1 && self.end_dim == EndDim(None) { Box::new(Flatten) } else { Box::new(self) }
    }
}
