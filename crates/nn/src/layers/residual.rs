//! The residual block.

use autograd::{Graph, Var};

use super::unread::Unread;
use crate::config::{Args, Describe, described};
use crate::layer::{Child, Layer, Scope};

/// `y = body(x) + x`, or `y = body(x) + shortcut(x)` if the body changes the shape. He et al., "Deep Residual
/// Learning for Image Recognition", 2015.
///
/// Its children are named `body` and `shortcut`.
///
/// ```
/// use nn::{Conv2d, ReLU, Residual, Sequential};
/// let body = Sequential::new().add(Conv2d::new(16, 32, 3).padding(1)).add(ReLU);
/// let block = Residual::new(body).shortcut(Conv2d::new(16, 32, 1).bias(false));
/// # let (_block, params) = nn::build(block, 0);
/// # assert_eq!(params.entries()[2].name, "shortcut.weight");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Residual {
    body: Child,
    shortcut: Option<Child>,
}

impl Residual {
    /// Creates a block around this body.
    pub fn new(body: impl Layer) -> Self {
        Self { body: Child::new("body", Box::new(body)), shortcut: None }
    }

    /// Sets the layer on the shortcut path, instead of the identity.
    pub fn shortcut(mut self, shortcut: impl Layer) -> Self {
        self.shortcut = Some(Child::new("shortcut", Box::new(shortcut)));
        self
    }

    /// Runs the block and a following ReLU, with sum and ReLU as one op.
    pub(crate) fn forward_relu(&self, g: &Graph<'_>, x: Var) -> Var {
        let [body, around] = self.branches(g, x);
        g.add_relu(body, around)
    }

    /// The outputs of the body and of the shortcut, with the same shape.
    fn branches(&self, g: &Graph<'_>, x: Var) -> [Var; 2] {
        let y = self.body.forward(g, x);
        let x = self.shortcut.as_ref().map_or(x, |shortcut| shortcut.forward(g, x));
        let (body, around) = (g.shape(y), g.shape(x));
        assert!(
            body == around,
            "residual{}: the body returns {body}, but the shortcut path returns {around}; give the block a \
             shortcut that returns {body}",
            g.at()
        );
        [y, x]
    }
}

impl Layer for Residual {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.body);
        self.shortcut.iter_mut().for_each(|shortcut| scope.layer(shortcut));
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        let child = [Some(&self.body), self.shortcut.as_ref()]
            .into_iter()
            .flatten()
            .find(|child| child.name == name)?;
        Some(&*child.layer)
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let [body, around] = self.branches(g, x);
        g.add(body, around)
    }
}

impl Describe for Residual {
    const NAME: &str = "Residual";

    fn blank() -> Self {
        Self::new(Unread)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.child(&mut self.body);
        args.optional_child("shortcut", &mut self.shortcut);
    }
}

described!(Residual);
