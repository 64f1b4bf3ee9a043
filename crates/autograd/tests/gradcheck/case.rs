//! What a row of the table says, and the random numbers it draws from.

use std::ops::{Range, RangeInclusive};

use autograd::{Graph, Var};
use keyed_random::{skip, splitmix64, unit};
use tensor::Shape;

/// A row: one op, or what is recorded as several, checked on random cases.
pub(crate) struct Row {
    /// The op's name, as errors say it.
    pub(crate) op: &'static str,
    /// Whether it is recorded as other ops, of other names.
    pub(crate) is_composition: bool,
    /// |analytic − numeric| may be this times the largest gradient (at least 1).
    pub(crate) tolerance: f64,
    /// A case of random shapes and values.
    pub(crate) sample: Box<dyn Fn(&mut Rng) -> Case>,
    /// Points without a derivative, and what is allowed there.
    pub(crate) kinks: Vec<Kink>,
}

impl Row {
    /// A row for an op that is smooth where cases are drawn.
    pub(crate) fn new(op: &'static str, tolerance: f64, sample: impl Fn(&mut Rng) -> Case + 'static) -> Self {
        Self { op, is_composition: false, tolerance, sample: Box::new(sample), kinks: Vec::new() }
    }

    /// A row for a method that records other ops.
    pub(crate) fn composition(
        op: &'static str,
        tolerance: f64,
        sample: impl Fn(&mut Rng) -> Case + 'static,
    ) -> Self {
        Self { is_composition: true, ..Self::new(op, tolerance, sample) }
    }

    /// Cases with a distance to the nearest kink.
    pub(crate) fn margin(self, margin: impl Fn(&[Vec<f64>]) -> f64 + Clone + 'static) -> Self {
        let sample = self.sample;
        Self { sample: Box::new(move |rng| sample(rng).margin(margin.clone())), ..self }
    }

    /// Adds a point without a derivative.
    pub(crate) fn kink(
        mut self,
        inputs: &[&[f32]],
        record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static,
        allowed: impl Fn(&[f32]) -> bool + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|input| input.to_vec()).collect();
        self.kinks.push(Kink { inputs, record: Box::new(record), allowed: Box::new(allowed) });
        self
    }
}

/// A point without a derivative: every input a vector, the gradient of the first one is judged, for a
/// gradient of 1 at each output.
pub(crate) struct Kink {
    pub(crate) inputs: Vec<Vec<f32>>,
    pub(crate) record: Box<RecordCase>,
    pub(crate) allowed: Box<Allowed>,
}

/// What an input is to the op.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Gets a gradient.
    Variable,
    /// A running statistic, or a mask: an entry of the parameters that gets none.
    Statistic,
}

#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) shape: Shape,
    pub(crate) values: Vec<f32>,
    pub(crate) kind: Kind,
    /// Whether the first axis runs over the images of a batch.
    pub(crate) has_images: bool,
}

/// An op with concrete inputs and options, and what it computes.
pub(crate) struct Case {
    pub(crate) inputs: Vec<Input>,
    pub(crate) training: bool,
    /// Records the op.
    pub(crate) record: Box<RecordCase>,
    /// The op's forward in f64. It is also told the f32 output, for ops that draw random numbers.
    pub(crate) reference: Box<Reference>,
    /// How near the inputs are to a kink; cases nearer than 1e-3 are drawn again.
    pub(crate) margin: Box<Margin>,
}

pub(crate) type RecordCase = dyn Fn(&Graph<'_>, &[Var]) -> Var;
pub(crate) type Allowed = dyn Fn(&[f32]) -> bool;
pub(crate) type Reference = dyn Fn(&[Vec<f64>], &[f32]) -> Vec<f64>;
pub(crate) type Margin = dyn Fn(&[Vec<f64>]) -> f64;

impl Case {
    pub(crate) fn new(
        inputs: Vec<Input>,
        record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static,
        reference: impl Fn(&[Vec<f64>]) -> Vec<f64> + 'static,
    ) -> Self {
        Self {
            inputs,
            training: true,
            record: Box::new(record),
            reference: Box::new(move |inputs, _| reference(inputs)),
            margin: Box::new(|_| f64::INFINITY),
        }
    }

    /// With a distance to the nearest kink.
    pub(crate) fn margin(mut self, margin: impl Fn(&[Vec<f64>]) -> f64 + 'static) -> Self {
        self.margin = Box::new(margin);
        self
    }
}

/// The state of SplitMix64, and the batch that cases are made for: of any size, or some images of one of a given size.
pub(crate) struct Rng {
    state: u64,
    batch: Option<(usize, Range<usize>)>,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, batch: None }
    }

    /// Draws cases with a batch of `n_images`, and gives the `images` of the case.
    pub(crate) fn part(seed: u64, n_images: usize, images: Range<usize>) -> Self {
        Self { state: seed, batch: Some((n_images, images)) }
    }

    fn next(&mut self) -> u64 {
        let bits = splitmix64(self.state, 0);
        self.state = skip(self.state, 1);
        bits
    }

    pub(crate) fn size(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.next() as usize % (range.end() - range.start() + 1)
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.size(0..=1) == 1
    }

    pub(crate) fn pair(&mut self, range: RangeInclusive<usize>) -> [usize; 2] {
        [self.size(range.clone()), self.size(range)]
    }

    pub(crate) fn float(&mut self, range: Range<f32>) -> f32 {
        range.start + unit(self.next()) * (range.end - range.start)
    }

    pub(crate) fn indices(&mut self, n: usize, bound: usize) -> Vec<u32> {
        (0..n).map(|_| self.size(0..=bound - 1) as u32).collect()
    }

    /// Whether a batch of a given size is asked for: then cases keep the images on the first axis.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// The images of a batch: as many as are asked for, or as `range` has.
    pub(crate) fn batch(&mut self, range: RangeInclusive<usize>) -> usize {
        self.batch.as_ref().map(|&(n_images, _)| n_images).unwrap_or_else(|| self.size(range))
    }

    /// As [`shape`](Self::shape), the first axis that of a batch if one is asked for.
    pub(crate) fn batch_shape(&mut self, rank: RangeInclusive<usize>) -> Shape {
        let Some(&(n_images, _)) = self.batch.as_ref() else { return self.shape(rank) };
        let rest = self.shape(rank.start().saturating_sub(1)..=rank.end() - 1);
        Shape::new(&[&[n_images], rest.dims()].concat())
    }

    /// A shape of some rank whose sizes are 1 to 4.
    pub(crate) fn shape(&mut self, rank: RangeInclusive<usize>) -> Shape {
        let dims: Vec<usize> = (0..self.size(rank)).map(|_| self.size(1..=4)).collect();
        Shape::new(&dims)
    }

    /// A shape that broadcasts to `shape`.
    pub(crate) fn broadcasting_to(&mut self, shape: Shape) -> Shape {
        let first = self.size(0..=shape.rank());
        let mut dims: Vec<usize> =
            shape[first..].iter().map(|&size| if self.bool() { size } else { 1 }).collect();
        if self.is_batch() && first == 0 && !dims.is_empty() {
            dims[0] = 1;
        }
        Shape::new(&dims)
    }

    /// Numbers below a bound, as many for each image of the batch.
    pub(crate) fn indices_of_images(&mut self, n_images: usize, per_image: usize, bound: usize) -> Vec<u32> {
        let indices = self.indices(n_images * per_image, bound);
        match &self.batch {
            Some((_, images)) => indices[images.start * per_image..images.end * per_image].to_vec(),
            None => indices,
        }
    }

    /// A variable whose first axis runs over the images of the batch.
    pub(crate) fn images(&mut self, shape: impl Into<Shape>) -> Input {
        self.images_in(shape, -2.0..2.0)
    }

    pub(crate) fn images_in(&mut self, shape: impl Into<Shape>, range: Range<f32>) -> Input {
        let mut input = self.variable_in(shape, range);
        if let Some((n_images, images)) = &self.batch {
            let (len, n_rows) = (input.values.len() / n_images, input.shape[0] / n_images);
            input.values = input.values[images.start * len..images.end * len].to_vec();
            input.shape = input.shape.with_axis(0, images.len() * n_rows);
            input.has_images = true;
        }
        input
    }

    /// Zeros and ones that get no gradient, the first axis that of the images of the batch if `has_images`.
    pub(crate) fn mask(&mut self, shape: impl Into<Shape>, has_images: bool) -> Input {
        let range = 0.0..1.0;
        let mut mask = if has_images { self.images_in(shape, range) } else { self.variable_in(shape, range) };
        mask.values.iter_mut().for_each(|v| *v = v.round());
        Input { kind: Kind::Statistic, ..mask }
    }

    /// A variable with values between −2 and 2.
    pub(crate) fn variable(&mut self, shape: impl Into<Shape>) -> Input {
        self.variable_in(shape, -2.0..2.0)
    }

    pub(crate) fn variable_in(&mut self, shape: impl Into<Shape>, range: Range<f32>) -> Input {
        let shape = shape.into();
        let values = (0..shape.numel()).map(|_| self.float(range.clone())).collect();
        Input { shape, values, kind: Kind::Variable, has_images: false }
    }
}

/// The smallest |x − kink|.
pub(crate) fn distance(x: &[f64], kink: f64) -> f64 {
    x.iter().map(|x| (x - kink).abs()).fold(f64::INFINITY, f64::min)
}
