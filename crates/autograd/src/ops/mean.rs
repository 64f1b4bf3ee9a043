//! y = the mean of x over some axes.

use tensor::broadcast::{broadcast_forward, reduce_to_shape};
use tensor::elementwise::map;
use tensor::{Axes, Beta, Shape, scratch};

use super::shared::reduced_shape;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Mean {
    axes: Axes,
    keepdim: bool,
}

/// How many elements make one of the result.
fn n_reduced(axes: Axes, shape: Shape) -> usize {
    let kept = axes.kept(&shape);
    shape.iter().zip(kept.iter()).filter(|(size, kept)| size != kept).map(|(size, _)| size).product()
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        reduced_shape(inputs[0], self.axes, self.keepdim)
    }

    fn forward(&self, f: Forward<'_>) {
        let shape = f.inputs.shape(0);
        reduce_to_shape(f.output, f.inputs.value(0), &self.axes.kept(&shape), &shape, Beta::Zero);
        let n = n_reduced(self.axes, shape) as f32;
        f.output.iter_mut().for_each(|y| *y /= n);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        let n = n_reduced(self.axes, shape) as f32;
        if let Some(dx) = b.grads.get(0) {
            scratch::with(b.dy.len(), |share| {
                map(share, b.dy, Beta::Zero, |dy| dy / n);
                broadcast_forward(dx.data, share, &self.axes.kept(&shape), &shape, dx.beta);
            });
        }
    }
}

impl Graph<'_> {
    /// The mean of all elements, a scalar; `torch.mean`. Accumulated in f64; NaN for no elements.
    #[track_caller]
    pub fn mean(&self, x: Var) -> Var {
        self.apply(Mean { axes: Axes::from(..), keepdim: false }, &[x])
    }

    /// The mean over some axes; `torch.mean` with `dim` and `keepdim`: the axes vanish, or stay with
    /// size 1. Accumulated in f64.
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn mean_axes(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.apply(Mean { axes: axes.into(), keepdim }, &[x])
    }
}
