//! The [`Layer`] trait, and how layers register their parameters.

use std::any::Any;
use std::fmt;

use autograd::{Graph, Output, ParamId, Params, Role, Var};
use keyed_random::{generator, hash_name};
use rand_chacha::ChaCha8Rng;
use tensor::Shape;

use crate::config::Describe;
use crate::summary::{InputShape, Summary};

/// A part of a network: it registers its parameters once and computes `y = f(x)` at each step.
///
/// A layer is a plain, cloneable struct of sizes, options and parameter handles; the values are stored in
/// [`Params`]. A custom model is a struct that implements `Layer` by combining other layers, each a named
/// [`Child`]. The macro [`layer!`](crate::layer!) writes most of this:
///
/// ```
/// use autograd::{Graph, Mode, Tape, Var};
/// use nn::{Child, Layer, Linear, Scope};
///
/// /// y = up(tanh(down(x))) + x
/// #[derive(Clone, Debug)]
/// struct Bottleneck {
///     down: Child<Linear>,
///     up: Child<Linear>,
/// }
///
/// impl Layer for Bottleneck {
///     fn register(&mut self, scope: &mut Scope<'_>) {
///         scope.layer(&mut self.down);
///         scope.layer(&mut self.up);
///     }
///     fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
///         let h = g.tanh(self.down.forward(g, x));
///         g.add(self.up.forward(g, h), x)
///     }
/// }
///
/// let down = Child::new("down", Linear::new(8, 2));
/// let block = Bottleneck { down, up: Child::new("up", Linear::new(2, 8)) };
/// let (block, mut params) = nn::build(block, 0);
/// assert_eq!(params.entries()[2].name, "up.weight");
///
/// let mut tape = Tape::new();
/// let g = tape.begin(&mut params, Mode::eval());
/// let x = g.input([5, 8], &[1.0; 40]);
/// let y = block.forward(&g, x);
/// assert_eq!(g.shape(y).dims(), [5, 8]);
/// ```
///
/// # Other inputs
/// The type parameter `X` is the layer's input, by default one tensor ([`Var`]). Tokens are
/// [`Indices`](autograd::Indices), made by [`Graph::tokens`]; several inputs are a tuple or your own struct.
/// Everything else is the same, and [`Sequential::over`](crate::Sequential::over) starts a network with such
/// a layer.
///
/// ```
/// use autograd::{Graph, Indices, Mode, Tape, Var};
/// use nn::{Child, Layer, Linear, Scope};
///
/// /// y = first(a) + second(b)
/// #[derive(Clone, Debug)]
/// struct Join {
///     first: Child<Linear>,
///     second: Child<Linear>,
/// }
///
/// impl Layer<(Var, Var)> for Join {
///     fn register(&mut self, scope: &mut Scope<'_>) {
///         scope.layer(&mut self.first);
///         scope.layer(&mut self.second);
///     }
///     fn forward(&self, g: &Graph<'_>, (a, b): (Var, Var)) -> Var {
///         g.add(self.first.forward(g, a), self.second.forward(g, b))
///     }
/// }
///
/// let child = |name, in_features| Child::new(name, Linear::new(in_features, 2));
/// let (join, mut params) = nn::build(Join { first: child("first", 3), second: child("second", 5) }, 0);
/// assert_eq!(join.summary(&params, ([4, 3], [4, 5])).n_params(), 20);
///
/// let mut tape = Tape::new();
/// let g = tape.begin(&mut params, Mode::eval());
/// let y = join.forward(&g, (g.input([4, 3], &[1.0; 12]), g.input([4, 5], &[1.0; 20])));
/// assert_eq!(g.shape(y).dims(), [4, 2]);
/// ```
///
/// A layer implements `Layer` for one `X`. Other ways to run it (with a mask, with a carried state) are
/// separate methods, which a parent calls through [`Child::run`].
pub trait Layer<X = Var>: Any + fmt::Debug + Send + Sync + CloneLayer<X> {
    /// Adds the layer's parameters to the model. Layers without parameters need not implement it.
    fn register(&mut self, scope: &mut Scope<'_>) {
        let _ = scope;
    }

    /// Records the layer on the graph.
    ///
    /// # Panics
    /// When the shape of `x` does not fit; the message names the op, the layer's path, the shapes and the
    /// fix. Also when the layer has parameters that were never registered.
    fn forward(&self, g: &Graph<'_>, x: X) -> Var;

    /// Returns the direct child with this name. Only containers need to implement it.
    fn child(&self, name: &str) -> Option<&dyn Layer> {
        let _ = name;
        None
    }

    /// Returns the layer at a path such as `0.body.2`, or `None` if the path leads to no layer or its
    /// container does not expose it.
    ///
    /// ```
    /// use std::any::Any;
    /// use nn::{Layer, Linear, ReLU, Residual, Sequential};
    ///
    /// let body = Sequential::new().add(Linear::new(4, 4)).add(ReLU);
    /// let net = Sequential::new().add_named("block", Residual::new(body));
    /// let layer: &dyn Any = net.get("block.body.0").unwrap();
    /// assert!(layer.is::<Linear>());
    /// assert!(net.get("block.body.2").is_none());
    /// ```
    fn get(&self, path: &str) -> Option<&dyn Layer>
    where
        Self: Sized,
    {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let mut names = rest.into_iter().flat_map(|rest| rest.split('.'));
        names.try_fold(self.child(first)?, |layer, name| layer.child(name))
    }

    /// Returns a table of the model for an input of the given shape: a row for each [`Child`] that has no
    /// children or has parameters of its own, with its output shape and parameters, and the total. The model
    /// runs once on zeros, in evaluation mode. For several inputs, pass a tuple of shapes.
    ///
    /// # Panics
    /// When the model does not accept an input of this shape.
    fn summary(&self, params: &Params, input: impl InputShape<X>) -> Summary
    where
        Self: Sized,
    {
        Summary::of(format!("{self:?}"), params, input, |g, x| self.forward(g, x))
    }
}

impl<X: 'static, L: Layer<X> + ?Sized> Layer<X> for Box<L>
where
    Box<L>: Clone,
{
    fn register(&mut self, scope: &mut Scope<'_>) {
        (**self).register(scope);
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        (**self).child(name)
    }

    fn forward(&self, g: &Graph<'_>, x: X) -> Var {
        (**self).forward(g, x)
    }
}

/// Makes `Box<dyn Layer>` cloneable; implemented for every layer that is [`Clone`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` must be `Clone` to be a layer",
    label = "cannot be cloned",
    note = "add `#[derive(Clone)]` to `{Self}`"
)]
pub trait CloneLayer<X> {
    /// Returns a boxed clone of the layer.
    fn clone_layer(&self) -> Box<dyn Layer<X>>;
}

impl<X: 'static, L: Layer<X> + Clone> CloneLayer<X> for L {
    fn clone_layer(&self) -> Box<dyn Layer<X>> {
        Box::new(self.clone())
    }
}

impl<X: 'static> Clone for Box<dyn Layer<X>> {
    fn clone(&self) -> Self {
        (**self).clone_layer()
    }
}

/// A named layer inside another: its parameters, errors, random numbers and summary row all use this name.
/// [`Scope::layer`] registers it.
#[derive(Clone)]
pub struct Child<L = Box<dyn Layer>> {
    pub(crate) name: String,
    pub(crate) layer: L,
}

impl<L: fmt::Debug> Child<L> {
    /// Creates a child with this name.
    pub fn new(name: impl Into<String>, layer: L) -> Self {
        Self { name: name.into(), layer }
    }

    /// Records the child on the graph, under its name.
    ///
    /// # Panics
    /// As [`Layer::forward`].
    pub fn forward<X>(&self, g: &Graph<'_>, x: X) -> Var
    where
        L: Layer<X>,
    {
        self.run(g, |layer, g| layer.forward(g, x))
    }

    /// Records the child on the graph under its name through a method other than [`Layer::forward`], which
    /// may return more than one value, for example `(y, state)`.
    ///
    /// # Panics
    /// As `run` does.
    pub fn run<Y: Output>(&self, g: &Graph<'_>, run: impl FnOnce(&L, &Graph<'_>) -> Y) -> Y {
        g.layer(&self.name, &self.layer, |g| run(&self.layer, g))
    }
}

impl<L: fmt::Debug> fmt::Debug for Child<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layer.fmt(f)
    }
}

/// Registers the parameters of a model under PyTorch's names and initialises them.
///
/// Each parameter is drawn from its own generator, keyed by `seed` and its name, so adding a layer leaves the
/// values of other layers unchanged unless it changes their names.
///
/// ```
/// use nn::{Linear, ReLU, Sequential};
/// let net = Sequential::new().add(Linear::new(4, 16)).add(ReLU).add(Linear::new(16, 3));
/// let (net, params) = nn::build(net, 7);
/// let names: Vec<_> = params.entries().iter().map(|entry| entry.name.as_str()).collect();
/// assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// # let _ = net;
/// ```
///
/// # Panics
/// When a layer's sizes or options do not fit together (a convolution's groups do not divide its channels, for
/// example), or a layer registers two parameters with the same name. The message names the layer and its path.
pub fn build<X, L: Layer<X>>(mut model: L, seed: u64) -> (L, Params) {
    let mut params = Params::new();
    model.register(&mut Scope { target: Target::Params(&mut params), seed, path: String::new(), fuse: true });
    (model, params)
}

/// Returns the names and shapes of the parameters and statistics that [`build`] would register, without
/// drawing or allocating them.
///
/// ```
/// let shapes = nn::shapes(nn::Linear::new(1_000_000, 1_000_000));
/// assert_eq!((shapes[0].0.as_str(), shapes[0].1.numel()), ("weight", 1_000_000_000_000));
/// ```
pub fn shapes<X, L: Layer<X>>(mut model: L) -> Vec<(String, Shape)> {
    let mut shapes = Vec::new();
    model.register(&mut Scope {
        target: Target::Shapes(&mut shapes),
        seed: 0,
        path: String::new(),
        fuse: true,
    });
    shapes
}

/// Where a layer registers its parameters: the model's [`Params`], the path of the layer, the seed.
#[derive(Debug)]
pub struct Scope<'a> {
    target: Target<'a>,
    seed: u64,
    path: String,
    fuse: bool,
}

/// The destination of parameters: memory, or a list of shapes.
#[derive(Debug)]
enum Target<'a> {
    Params(&'a mut Params),
    Shapes(&'a mut Vec<(String, Shape)>),
}

impl Scope<'_> {
    /// Registers a child: the names of its parameters start with its own, `name.…`.
    pub fn layer<X, L: Layer<X>>(&mut self, child: &mut Child<L>) {
        let (len, fuse) = (self.path.len(), self.fuse);
        self.path = self.full_name(&child.name);
        child.layer.register(self);
        self.path.truncate(len);
        self.fuse = fuse;
    }

    /// Registers a parameter of this layer; `init` fills it, using a generator that belongs to this parameter
    /// alone. With an empty `name` the parameter has that of the layer.
    ///
    /// ```
    /// use autograd::{Graph, Role, Var};
    /// use nn::{Handle, Layer, Scope};
    ///
    /// /// y = gamma · x, a factor for each channel, 0.1 at first.
    /// #[derive(Clone, Debug)]
    /// struct LayerScale {
    ///     n_channels: usize,
    ///     gamma: Handle,
    /// }
    ///
    /// impl Layer for LayerScale {
    ///     fn register(&mut self, scope: &mut Scope<'_>) {
    ///         let fill = |values: &mut [f32], _: &mut _| values.fill(0.1);
    ///         self.gamma = scope.param("gamma", [self.n_channels], Role::Trainable, fill);
    ///     }
    ///     fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
    ///         g.mul(x, g.param(self.gamma.id(self)))
    ///     }
    /// }
    ///
    /// let (_layer, params) = nn::build(LayerScale { n_channels: 3, gamma: Handle::default() }, 0);
    /// assert_eq!(params.values(), [0.1, 0.1, 0.1]);
    /// ```
    ///
    /// # Panics
    /// When the layer already has a parameter with this name.
    #[track_caller]
    pub fn param(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        role: Role,
        init: impl FnOnce(&mut [f32], &mut ChaCha8Rng),
    ) -> Handle {
        let name = if name.is_empty() { self.path.clone() } else { self.full_name(name) };
        let params = match &mut self.target {
            Target::Params(params) => params,
            Target::Shapes(shapes) => {
                shapes.push((name, shape.into()));
                return Handle::default();
            }
        };
        let mut rng = generator([self.seed, hash_name(&name), 0, 0]);
        let id = params.add(name, shape, role);
        init(params.value_mut(id), &mut rng);
        Handle(Some(id))
    }

    /// Checks the sizes and options of the layer being registered.
    ///
    /// # Panics
    /// When they do not fit together; the message names the layer and its path.
    pub(crate) fn check<L: Describe>(&self, layer: &L) {
        let at = if self.path.is_empty() { String::new() } else { format!(" at layer {:?}", self.path) };
        layer.check().unwrap_or_else(|error| panic!("{layer:?}{at}: {error}"));
    }

    /// Sets whether the container being registered, and those inside it, may run neighbouring layers as one
    /// fused op; returns the resulting setting.
    pub(crate) fn allow_fusion(&mut self, fuse: bool) -> bool {
        self.fuse &= fuse;
        self.fuse
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A layer's handle to one of its parameters: empty until [`Scope::param`] fills it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handle(Option<ParamId>);

impl Handle {
    /// The id of the parameter.
    ///
    /// # Panics
    /// When the layer was not registered; `layer` is printed.
    #[track_caller]
    pub fn id(self, layer: &dyn fmt::Debug) -> ParamId {
        self.0.unwrap_or_else(|| {
            panic!("{layer:?} has no parameters yet: pass the model through nn::build before it is run")
        })
    }
}
