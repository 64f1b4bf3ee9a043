//! y = Σ x over some axes.

use tensor::broadcast::{broadcast_forward, reduce_to_shape};
use tensor::{Axes, Beta, Shape};

use super::shared::reduced_shape;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Sum {
    axes: Axes,
    keepdim: bool,
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        reduced_shape(inputs[0], self.axes, self.keepdim)
    }

    fn forward(&self, f: Forward<'_>) {
        let shape = f.inputs.shape(0);
        reduce_to_shape(f.output, f.inputs.value(0), &self.axes.kept(&shape), &shape, Beta::Zero);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        if let Some(dx) = b.grads.get(0) {
            broadcast_forward(dx.data, b.dy, &self.axes.kept(&shape), &shape, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The sum of all elements, a scalar; `torch.sum`. Accumulated in f64; 0 for no elements.
    #[track_caller]
    pub fn sum(&self, x: Var) -> Var {
        self.apply(Sum { axes: Axes::from(..), keepdim: false }, &[x])
    }

    /// The sum over some axes; `torch.sum` with `dim` and `keepdim`: the axes vanish, or stay with
    /// size 1. Accumulated in f64.
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn sum_axes(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.apply(Sum { axes: axes.into(), keepdim }, &[x])
    }
}
