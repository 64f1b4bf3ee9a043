//! The gradient check: the gradients of an op or a layer, of this crate or of yours, held to finite differences.
//! [`GradCheck`] is the one call.

mod difference;
mod run;

use std::ops::Range;

use tensor::Shape;

use crate::{Graph, Mode, Params, Var};

/// One op or layer with concrete inputs, whose gradients are held to finite differences; as
/// `torch.autograd.gradcheck`, but in f64 only where a [reference](Self::reference) says what is computed.
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
/// [parameter](Self::params); and it asks for the gradients in every way in which they can be asked for: of variables and
/// of parameters, all of them and each alone, the op recorded once and twice on the same inputs, one value as two inputs of
/// one shape, and with NaN in all memory that a step must write.
///
/// With a reference the differences are central ones of its f64 forward. Without, they are taken on the f32 forward itself,
/// with two steps extrapolated to none (Richardson 1911): good for three digits where the function is smooth. Give
/// inputs that keep 0.02 away from kinks then, and a reference where three digits are too few.
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

/// Values nearer to a kink than this are not compared.
const MARGIN: f64 = 1e-3;

impl<'a> GradCheck<'a> {
    /// The check of what `record` records on its inputs, in the order in which they are given.
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

    /// The parameters of a layer that is recorded; every trainable one is checked. The reference gets the values of
    /// all entries behind the inputs, in their order.
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

    /// What is computed, in f64: given the values of all inputs and then of all parameters, the output.
    pub fn reference(self, reference: impl Fn(&[Vec<f64>]) -> Vec<f64> + 'a) -> Self {
        self.reference_given_output(move |x, _| reference(x))
    }

    /// As [`reference`](Self::reference), of an op that draws random numbers: the reference is also given the op's own
    /// output, from which it sees what was drawn.
    pub fn reference_given_output(self, reference: impl Fn(&[Vec<f64>], &[f32]) -> Vec<f64> + 'a) -> Self {
        Self { reference: Some(Box::new(reference)), ..self }
    }

    /// How near values are to a point without a derivative. One value stands for two inputs only where that keeps
    /// it 1e-3 away.
    pub fn margin(self, margin: impl Fn(&[Vec<f64>]) -> f64 + 'a) -> Self {
        Self { margin: Box::new(margin), ..self }
    }

    /// The error allowed at each element, as a share of the largest expected one or of 1: 1e-5 by default with a
    /// reference, 1e-3 without.
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }

    /// The mode of the steps, with gradients; training by default.
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode: mode.with_grad(true), ..self }
    }

    /// Which random numbers are drawn from here on; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Self { rng: Rng(seed), ..self }
    }

    /// What a failure calls the check, instead of "gradient check".
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Runs the check.
    ///
    /// # Panics
    /// When a gradient is missing or wrong, or depends on how it is asked for; the message names the input or the
    /// parameter, the element, and both numbers.
    #[track_caller]
    pub fn run(mut self) {
        if let Err(error) = self.check() {
            panic!("{}: {error}", self.name);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Rng(u64);

impl Rng {
    fn floats(&mut self, n: usize, range: Range<f32>) -> Vec<f32> {
        let mut float = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32;
            range.start + unit * (range.end - range.start)
        };
        (0..n).map(|_| float()).collect()
    }
}
