//! Variances and standard deviations over some axes, in two passes.

use tensor::broadcast::{broadcast_zip, broadcast_zip3, reduce_to_shape};
use tensor::elementwise::copy_or_add;
use tensor::reduce::Reduction;
use tensor::{Axes, Beta, Shape, scratch};

use super::reduce::{images_of_reduced, n_reduced, reduced_shape, summed_shards};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Variance {
    name: &'static str,
    axes: Axes,
    correction: usize,
    keepdim: bool,
    /// Whether the root is taken.
    is_std: bool,
}

impl Variance {
    /// What the squares of `n` differences are divided by.
    fn divisor(&self, n: usize) -> f64 {
        n.saturating_sub(self.correction) as f64
    }
}

impl Op for Variance {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        reduced_shape(inputs[0], self.axes, self.keepdim)
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        images_of_reduced(inputs, self.axes)
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, shape) = (f.inputs.value(0), f.inputs.shape(0));
        let (kept, shards) = (self.axes.kept(&shape), summed_shards(f.inputs, self.axes));
        let average = |y: &mut [f32], x: &[f32]| {
            reduce_to_shape(y, x, &kept, &shape, Reduction::Mean, shards.as_ref(), Beta::Zero);
        };
        f.saved.floats.resize(2 * f.output.len(), 0.0);
        let (mean, rest) = f.saved.floats.split_at_mut(f.output.len());
        average(mean, x);
        scratch::with(x.len(), |squares| {
            broadcast_zip(squares, (x, &shape), (mean, &kept), &shape, |x, mean| x - mean);
            // What the mean lost when it was rounded to f32: far from 0 that is not small beside x − mean.
            average(rest, squares);
            let square = |x: f32, mean: f32, rest: f32| (x - mean - rest).powi(2);
            broadcast_zip3(squares, [(x, &shape), (mean, &kept), (rest, &kept)], &shape, square);
            average(f.output, squares);
        });
        let within = (1..shape.rank()).filter(|&axis| self.axes.contains(axis));
        let n = match &shards {
            // A process without images does not know by itself how many rows an image has.
            Some(shards) => shards.count(shape[0]) * within.map(|axis| shape[axis]).product::<usize>(),
            None => n_reduced(f.inputs, self.axes),
        };
        let (factor, is_std) = (n as f64 / self.divisor(n), self.is_std);
        for y in f.output {
            let variance = f64::from(*y) * factor;
            *y = if is_std { variance.sqrt() } else { variance } as f32;
        }
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x, shape) = (b.inputs.value(0), b.inputs.shape(0));
        let kept = self.axes.kept(&shape);
        let divisor = self.divisor(n_reduced(b.inputs, self.axes));
        let (mean, rest) = b.saved.floats.split_at(b.dy.len());
        let Some(dx) = b.grads.get(0) else { return };
        scratch::with(b.dy.len(), |slopes| {
            for (slope, (&dy, &y)) in slopes.iter_mut().zip(b.dy.iter().zip(b.output)) {
                *slope = match (self.is_std, f64::from(dy)) {
                    (false, dy) => 2.0 * dy / divisor,
                    (true, _) if y == 0.0 => 0.0,
                    (true, dy) => dy / (divisor * f64::from(y)),
                } as f32;
            }
            scratch::with(2 * x.len(), |both| {
                let (differences, share) = both.split_at_mut(x.len());
                let difference = |x: f32, mean: f32, rest: f32| x - mean - rest;
                broadcast_zip3(differences, [(x, &shape), (mean, &kept), (rest, &kept)], &shape, difference);
                broadcast_zip(share, (differences, &shape), (slopes, &kept), &shape, |d, slope| d * slope);
                copy_or_add(dx.data, share, dx.beta);
            });
        });
    }
}

impl Graph<'_> {
    /// The variance over some axes, Σ (x − mean)² / (n − correction); `torch.var` with `dim`, `correction` and
    /// `keepdim`. A `correction` of 1 is PyTorch's default; 0 divides by the number of elements, as
    /// normalisation layers do.
    ///
    /// As in PyTorch, n − correction is at least 0: of one element with a correction of 1 the variance is NaN.
    ///
    /// dx = dy · 2 (x − mean) / (n − correction).
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn var(&self, x: Var, axes: impl Into<Axes>, correction: usize, keepdim: bool) -> Var {
        self.variance("var", x, axes.into(), correction, keepdim)
    }

    /// The standard deviation over some axes, the root of [`var`](Self::var); `torch.std`. The gradient is 0
    /// where it is 0. The squares are f32: differences from the mean below 1e-19 or above 1e19 lose digits or
    /// overflow.
    ///
    /// dx = dy · (x − mean) / ((n − correction) · y).
    ///
    /// # Panics
    /// As [`var`](Self::var).
    #[track_caller]
    pub fn std(&self, x: Var, axes: impl Into<Axes>, correction: usize, keepdim: bool) -> Var {
        self.variance("std", x, axes.into(), correction, keepdim)
    }

    #[track_caller]
    fn variance(&self, name: &'static str, x: Var, axes: Axes, correction: usize, keepdim: bool) -> Var {
        self.apply(Variance { name, axes, correction, keepdim, is_std: name == "std" }, &[x])
    }
}
