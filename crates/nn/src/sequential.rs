//! `Sequential`: layers that run one after the other.

use std::fmt;

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::fusion;
use crate::layer::{Child, Layer, Scope};

/// Creates a [`Sequential`] of these layers: `sequential![Linear::new(2, 8), ReLU, Linear::new(8, 1)]`.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {
        $crate::Sequential::new()$(.add($layer))*
    };
}

/// Layers that run one after the other; the layer at position `i` is named `i`, as in PyTorch.
///
/// Neighbouring layers with a faster fused op run as one: `Conv2d` → `MaxPool2d(2)`, with or without a `ReLU`
/// between them, `Linear`, `BatchNorm1d` or `BatchNorm2d` → `ReLU`, `GELU` or `SiLU`, and the sum at
/// the end of `Residual` → `ReLU`; in evaluation also `Conv2d` → `BatchNorm2d`, if the convolution has no more
/// weights than one input image has numbers. A layer that [`Tape::eval_under`](autograd::Tape::eval_under)
/// names runs by itself. Printing, names and saved files are unaffected.
///
/// ```
/// use nn::{Linear, ReLU, Sequential, sequential};
/// let net = Sequential::new().add(Linear::new(2, 8)).add(ReLU).add(Linear::new(8, 1));
/// assert_eq!(format!("{net:?}").lines().nth(2), Some("  (1): ReLU()"));
/// let same = sequential![Linear::new(2, 8), ReLU, Linear::new(8, 1)];
/// assert_eq!(same.config(), net.config());
/// ```
#[derive(Clone)]
#[must_use]
pub struct Sequential {
    pub(crate) children: Vec<Child>,
    fuse: bool,
}

impl Sequential {
    /// Creates a network without layers: the identity.
    pub fn new() -> Self {
        Self { children: Vec::new(), fuse: true }
    }

    /// Creates a network whose input is not a single tensor: its first layer, named `0`, reads tokens, for
    /// example. The layers added after it read one tensor each, as usual.
    ///
    /// ```
    /// use autograd::{Graph, Indices, Mode, Tape, Var};
    /// use nn::{Layer, Linear, Sequential};
    ///
    /// /// 1 where a sentence has the token, else 0: `[n, t]` to `[n, n_tokens]`.
    /// #[derive(Clone, Debug)]
    /// struct BagOfTokens {
    ///     n_tokens: usize,
    /// }
    ///
    /// impl Layer<Indices> for BagOfTokens {
    ///     fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
    ///         let mut bag = vec![0.0; tokens.shape()[0] * self.n_tokens];
    ///         for (i, &token) in g.integers(tokens).iter().enumerate() {
    ///             bag[i / tokens.shape()[1] * self.n_tokens + token as usize] = 1.0;
    ///         }
    ///         g.input([tokens.shape()[0], self.n_tokens], &bag)
    ///     }
    /// }
    ///
    /// let net = Sequential::over(BagOfTokens { n_tokens: 10 }).add(Linear::new(10, 2));
    /// let (net, mut params) = nn::build(net, 0);
    /// assert_eq!(params.entries()[0].name, "1.weight");
    ///
    /// let mut tape = Tape::new();
    /// let g = tape.begin(&mut params, Mode::eval());
    /// let y = net.forward(&g, g.tokens([2, 3], &[1, 9, 4, 4, 0, 0]));
    /// assert_eq!(g.shape(y).dims(), [2, 2]);
    /// ```
    pub fn over<X>(first: impl Layer<X>) -> SequentialOver<X> {
        SequentialOver { first: Child::new("0", Box::new(first)), rest: Self::new() }
    }

    /// Appends a layer, which may be another `Sequential`.
    #[expect(clippy::should_implement_trait, reason = "`add` appends, as in PyTorch's containers")]
    pub fn add(self, layer: impl Layer) -> Self {
        let name = self.children.len().to_string();
        self.add_named(name, layer)
    }

    /// Appends a layer with a custom name instead of its position.
    pub fn add_named(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        self.children.push(Child::new(name, Box::new(layer)));
        self
    }

    /// Returns the network as text, with everything needed to rebuild it: names, options and weight
    /// initialisation. `text.parse::<Sequential>()` yields the same network.
    ///
    /// ```
    /// use nn::{Init, Linear, Sequential};
    /// let net = Sequential::new().add_named("head", Linear::new(4, 2).weight_init(Init::HeNormal));
    /// let text = "Sequential(
    ///   (head): Linear(in_features=4, out_features=2, bias=True, weight_init=HeNormal)
    /// )";
    /// assert_eq!(net.config(), text);
    /// assert_eq!(text.parse::<Sequential>()?.config(), text);
    /// # Ok::<(), nn::config::ConfigError>(())
    /// ```
    pub fn config(&self) -> String {
        format!("{self:#?}")
    }

    /// Sets whether neighbouring layers may run as one fused op; on by default. If set before the model is
    /// built, `false` also applies to nested containers.
    pub fn fuse(mut self, fuse: bool) -> Self {
        self.fuse = fuse;
        self
    }

    /// Whether layers may run as one op; not while the output shape of each layer is being recorded.
    pub(crate) fn may_fuse(&self, g: &Graph<'_>) -> bool {
        self.fuse && !g.is_tracing()
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

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(&*child.layer)
    }

    fn forward(&self, g: &Graph<'_>, mut x: Var) -> Var {
        let may_fuse = self.may_fuse(g);
        let mut rest = &self.children[..];
        while let [first, ..] = rest {
            let fused = if may_fuse { fusion::run(rest, g, x) } else { None };
            let (y, n_layers) = fused.unwrap_or_else(|| (first.forward(g, x), 1));
            (x, rest) = (y, &rest[n_layers..]);
        }
        x
    }
}

impl Describe for Sequential {
    const NAME: &str = "Sequential";

    fn blank() -> Self {
        Self::new()
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.hidden("fuse", &mut self.fuse, true);
        args.children(&mut self.children);
    }
}

described!(Sequential);

/// A [`Sequential`] whose first layer reads tokens or several tensors instead of one tensor.
/// [`Sequential::over`] creates it.
#[must_use]
pub struct SequentialOver<X> {
    pub(crate) first: Child<Box<dyn Layer<X>>>,
    pub(crate) rest: Sequential,
}

impl<X: 'static> SequentialOver<X> {
    /// Appends a layer.
    #[expect(clippy::should_implement_trait, reason = "`add` appends, as in PyTorch's containers")]
    pub fn add(self, layer: impl Layer) -> Self {
        let name = (1 + self.rest.children.len()).to_string();
        self.add_named(name, layer)
    }

    /// Appends a layer with a custom name instead of its position.
    pub fn add_named(self, name: impl Into<String>, layer: impl Layer) -> Self {
        Self { rest: self.rest.add_named(name, layer), ..self }
    }

    /// Same as [`Sequential::config`].
    pub fn config(&self) -> String {
        format!("{self:#?}")
    }

    /// Same as [`Sequential::fuse`].
    pub fn fuse(self, fuse: bool) -> Self {
        Self { rest: self.rest.fuse(fuse), ..self }
    }
}

impl<X: 'static> Clone for SequentialOver<X> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), rest: self.rest.clone() }
    }
}

impl<X: 'static> Layer<X> for SequentialOver<X> {
    fn register(&mut self, scope: &mut Scope<'_>) {
        // The switch of `rest` is the whole network's.
        self.rest.fuse = scope.allow_fusion(self.rest.fuse);
        scope.layer(&mut self.first);
        self.rest.register(scope);
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        self.rest.child(name)
    }

    fn forward(&self, g: &Graph<'_>, x: X) -> Var {
        self.rest.forward(g, self.first.forward(g, x))
    }
}

impl<X: 'static> fmt::Debug for SequentialOver<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut args = Args::writing(f.alternate());
        args.write_child(&self.first.name, &self.first.layer);
        self.rest.clone().describe(&mut args);
        args.write(Sequential::NAME, f)
    }
}
