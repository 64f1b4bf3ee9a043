//! The residual block.

use std::fmt;
use std::iter;

use autograd::{Graph, Var};

use crate::layer::{Layer, Scope};
use crate::sequential::write_children;
use crate::summary::Summary;

/// `y = body(x) + x`, or `y = body(x) + shortcut(x)` where the body changes the shape.
/// He et al., "Deep Residual Learning for Image Recognition", 2015.
///
/// Its children are called `body` and `shortcut`.
///
/// ```
/// use nn::{Conv2d, ReLU, Residual, Sequential};
/// let body = Sequential::new().add(Conv2d::new(16, 32, 3).padding(1)).add(ReLU);
/// let block = Residual::new(body).shortcut(Conv2d::new(16, 32, 1).bias(false));
/// # let (_block, params) = nn::build(block, 0);
/// # assert_eq!(params.entries()[2].name, "shortcut.weight");
/// ```
#[must_use]
pub struct Residual {
    body: Box<dyn Layer>,
    shortcut: Option<Box<dyn Layer>>,
}

impl Residual {
    /// A block around this body.
    pub fn new(body: impl Layer) -> Self {
        Self { body: Box::new(body), shortcut: None }
    }

    /// What the input goes through on its way around the body, instead of nothing.
    pub fn shortcut(mut self, shortcut: impl Layer) -> Self {
        self.shortcut = Some(Box::new(shortcut));
        self
    }

    /// The children with their names.
    fn children(&self) -> impl Iterator<Item = (&str, &dyn Layer)> {
        let shortcut = self.shortcut.as_deref().map(|layer| ("shortcut", layer));
        iter::once(("body", self.body.as_ref())).chain(shortcut)
    }

    #[track_caller]
    fn join(g: &Graph<'_>, y: Var, x: Var) -> Var {
        let (body, around) = (g.shape(y), g.shape(x));
        assert!(
            body == around,
            "residual{}: the body makes {body} where what goes around it is {around}; give the block a \
             shortcut that makes {body} too",
            g.at()
        );
        g.add(y, x)
    }
}

impl Layer for Residual {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer("body", self.body.as_mut());
        if let Some(shortcut) = &mut self.shortcut {
            scope.layer("shortcut", shortcut.as_mut());
        }
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let y = g.scope("body", |g| self.body.forward(g, x));
        let x = match &self.shortcut {
            Some(shortcut) => g.scope("shortcut", |g| shortcut.forward(g, x)),
            None => x,
        };
        Self::join(g, y, x)
    }

    fn summarize(&self, summary: &mut Summary, g: &Graph<'_>, x: Var) -> Var {
        let y = summary.layer("body", self.body.as_ref(), g, x);
        let x = self.shortcut.as_ref().map_or(x, |layer| summary.layer("shortcut", layer.as_ref(), g, x));
        Self::join(g, y, x)
    }
}

impl fmt::Debug for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_children(f, "Residual", self.children())
    }
}
