//! A parameter of a model's own.

use std::fmt;

use autograd::{Graph, Role, Var};
use tensor::Shape;

use crate::layer::{Handle, Layer, Scope};

/// A parameter of a model's own, such as the class token of a vision transformer or a learnt query: a layer
/// without an input, whose output is the parameter. Its name in files is the child's own, as that of an
/// `nn.Parameter` in PyTorch.
///
/// ```
/// use autograd::{Graph, Mode, Tape, Var};
/// use nn::{Layer, Parameter};
///
/// nn::layer! {
///     /// Puts a learnt token before each sequence, `[n, t, width]` to `[n, 1 + t, width]`.
///     struct ClassToken(width: usize) {
///         class_token: Parameter = Parameter::new([1, 1, width]).normal(0.02),
///     }
///
///     fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
///         let token = g.expand_as(self.class_token.forward(g, ()), g.slice(x, 1, 0..1));
///         g.concat(&[token, x], 1)
///     }
/// }
///
/// let (layer, mut params) = nn::build(ClassToken::new(4), 0);
/// assert_eq!(params.entries()[0].name, "class_token");
/// let mut tape = Tape::new();
/// let mut g = tape.begin(&mut params, Mode::train(0, 0));
/// let y = layer.forward(&g, g.input([2, 3, 4], &[1.0; 24]));
/// assert_eq!(g.shape(y).dims(), [2, 4, 4]);
/// let loss = g.sum(y);
/// g.backward(loss);
/// drop(g);
/// assert_eq!(params.grads(), [2.0; 4]); // one from each sequence
/// ```
#[derive(Clone)]
#[must_use]
pub struct Parameter {
    shape: Shape,
    /// Of the initial values, which are otherwise zeros.
    std: f64,
    value: Handle,
}

impl Parameter {
    /// Creates a parameter of zeros.
    pub fn new(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), std: 0.0, value: Handle::default() }
    }

    /// Initialises it normally with this standard deviation.
    pub fn normal(mut self, std: f64) -> Self {
        self.std = std;
        self
    }
}

impl Layer<()> for Parameter {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let std = self.std;
        self.value =
            scope.param("", self.shape, Role::Trainable, |values, rng| init::normal(values, 0.0, std, rng));
    }

    fn forward(&self, g: &Graph<'_>, (): ()) -> Var {
        g.param(self.value.id(self))
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter({})", self.shape)
    }
}
