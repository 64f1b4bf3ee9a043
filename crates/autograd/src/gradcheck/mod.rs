//! The gradient check: compares the gradients of an op or a layer, from this crate or yours, with finite
//! differences. The entry point is [`GradCheck`].

mod difference;
mod run;

use std::ops::Range;

use keyed_random::{skip, splitmix64, unit};
use tensor::Shape;

use crate::{Graph, Mode, Params, Var};

/// One op or layer with concrete inputs, whose gradients are compared with finite differences. Like
/// `torch.autograd.gradcheck`, but in f64 only if there is a [reference](Self::reference) implementation.
///
/// ```
/// use autograd::gradcheck::GradCheck;
///
/// let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
/// GradCheck::new(|g, v| g.log(g.add_scalar(g.exp(v[0]), 1.0)))
///     .random([3, 4])
///     .reference(|x| x[0].iter().map(|&x| softplus(x)).collect())
///     .run();
/// ```
///
/// [`run`](Self::run) compares the output and the gradient of every input and every trainable
/// [parameter](Self::params). It requests the gradients in every possible way: for variables and for
/// parameters, all together and each alone, with the op recorded once and twice on the same inputs, with one
/// value as two inputs of the same shape, and after a step whose gradients were NaN.
///
/// With a reference, the check uses central differences of its f64 forward. Without one, it uses differences
/// of the f32 forward itself, with two step sizes extrapolated to zero (Richardson 1911), which are good to
/// three digits where the function is smooth. In that case use inputs that are at least 0.02 away from kinks,
/// and add a reference if three digits are too few.
pub struct GradCheck<'a> {
    record: Box<Record<'a>>,
    inputs: Vec<Input>,
    params: Params,
    reference: Option<Box<Reference<'a>>>,
    margin: Box<Margin<'a>>,
    tolerance: Option<f64>,
    mode: Mode,
    rng: Rng,
    name: String,
}

type Record<'a> = dyn Fn(&Graph<'_>, &[Var]) -> Var + 'a;
type Reference<'a> = dyn Fn(&[Vec<f64>], &[f32]) -> Vec<f64> + 'a;
type Margin<'a> = dyn Fn(&[Vec<f64>]) -> f64 + 'a;

struct Input {
    shape: Shape,
    values: Vec<f32>,
    is_statistic: bool,
}

/// Values closer to a kink than this are not compared.
const MARGIN: f64 = 1e-3;

impl<'a> GradCheck<'a> {
    /// Creates a check of what `record` records on its inputs, in the order they are given.
    pub fn new(record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'a) -> Self {
        Self {
            record: Box::new(record),
            inputs: Vec::new(),
            params: Params::new(),
            reference: None,
            margin: Box::new(|_| f64::INFINITY),
            tolerance: None,
            mode: Mode::train(1, 2),
            rng: Rng(0),
            name: "gradient check".to_owned(),
        }
    }

    /// Adds an input with these values.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn input(mut self, shape: impl Into<Shape>, values: &[f32]) -> Self {
        self.add(shape.into(), values.to_vec(), false);
        self
    }

    /// Adds an input with random values between −2 and 2.
    pub fn random(mut self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let values = self.rng.floats(shape.numel(), -2.0..2.0);
        self.add(shape, values, false);
        self
    }

    /// Adds an input that is a running statistic: an entry of the parameters that gets no gradient.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn statistic(mut self, shape: impl Into<Shape>, values: &[f32]) -> Self {
        self.add(shape.into(), values.to_vec(), true);
        self
    }

    #[track_caller]
    fn add(&mut self, shape: Shape, values: Vec<f32>, is_statistic: bool) {
        let n_values = values.len();
        assert!(n_values == shape.numel(), "GradCheck: {n_values} values do not fill the shape {shape}");
        self.inputs.push(Input { shape, values, is_statistic });
    }

    /// Sets the parameters of a recorded layer; every trainable one is checked. The reference gets the values
    /// of all entries after the inputs, in order.
    ///
    /// ```
    /// use autograd::gradcheck::GradCheck;
    /// use autograd::{Params, Role};
    /// let mut params = Params::new();
    /// let scale = params.add("scale", [3], Role::Trainable);
    /// params.value_mut(scale).copy_from_slice(&[0.5, -1.0, 2.0]);
    /// GradCheck::new(|g, v| g.tanh(g.mul(v[0], g.param(scale)))).params(&params).random([2, 3]).run();
    /// ```
    pub fn params(self, params: &Params) -> Self {
        Self { params: params.clone(), ..self }
    }

    /// Sets the reference implementation in f64: it gets the values of all inputs and then of all parameters,
    /// and returns the output.
    pub fn reference(self, reference: impl Fn(&[Vec<f64>]) -> Vec<f64> + 'a) -> Self {
        self.reference_given_output(move |x, _| reference(x))
    }

    /// Like [`reference`](Self::reference), for an op that draws random numbers: the reference also gets the
    /// op's own output, from which it can tell what was drawn.
    pub fn reference_given_output(self, reference: impl Fn(&[Vec<f64>], &[f32]) -> Vec<f64> + 'a) -> Self {
        Self { reference: Some(Box::new(reference)), ..self }
    }

    /// Sets how close values are to a point without a derivative. One value is used for two inputs only if
    /// that keeps it 1e-3 away from such a point.
    pub fn margin(self, margin: impl Fn(&[Vec<f64>]) -> f64 + 'a) -> Self {
        Self { margin: Box::new(margin), ..self }
    }

    /// Sets the error allowed at each element, relative to the largest expected element or to 1: by default
    /// 1e-5 with a reference, 1e-3 without.
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }

    /// Sets the mode of the steps, with gradients; training by default.
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode: mode.with_grad(true), ..self }
    }

    /// Sets the seed for the inputs added after this call; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Self { rng: Rng(seed), ..self }
    }

    /// Sets the name of the check in failure messages, instead of "gradient check".
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Runs the check.
    ///
    /// # Panics
    /// When a gradient is missing or wrong, or depends on how it is requested. The message names the input or
    /// parameter, the element, and both numbers.
    #[track_caller]
    pub fn run(mut self) {
        if let Err(error) = self.check() {
            panic!("{}: {error}", self.name);
        }
    }
}

/// The state of SplitMix64.
struct Rng(u64);

impl Rng {
    fn floats(&mut self, n: usize, range: Range<f32>) -> Vec<f32> {
        let key = self.0;
        self.0 = skip(key, n as u64);
        let float = |idx| range.start + unit(splitmix64(key, idx)) * (range.end - range.start);
        (0..n as u64).map(float).collect()
    }
}
