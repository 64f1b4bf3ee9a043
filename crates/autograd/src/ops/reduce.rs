//! Sums and means: of the losses of a batch, and over some axes; accumulated in f64.

use tensor::broadcast::{broadcast_forward, reduce_to_shape};
use tensor::elementwise::map;
use tensor::reduce::sum;
use tensor::{Axes, Beta, Shape, scratch};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

/// How the losses of the elements, or of the rows, become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; NaN when there are none, as in PyTorch.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// The losses as one number.
    pub(super) fn of(self, losses: &[f32]) -> f32 {
        match self {
            Reduction::Mean => sum(losses) / losses.len() as f32,
            Reduction::Sum => sum(losses),
        }
    }

    /// The gradient of each of `n_losses`, when that of the reduced one is `dy`.
    pub(super) fn backward(self, dy: f32, n_losses: usize) -> f32 {
        match self {
            Reduction::Mean => dy * (1.0 / n_losses as f32),
            Reduction::Sum => dy,
        }
    }
}

struct Reduce {
    name: &'static str,
    reduction: Reduction,
    axes: Axes,
    keepdim: bool,
}

/// How many elements make one of the result.
fn n_reduced(axes: Axes, shape: Shape) -> usize {
    let kept = axes.kept(&shape);
    shape.iter().zip(kept.iter()).filter(|(size, kept)| size != kept).map(|(size, _)| size).product()
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let x = inputs[0];
        match (self.axes.fits(&x), self.keepdim) {
            (false, _) => Err(ShapeError::new(format!(
                "{x} has {} axes, and one beyond them is to be reduced; axes count from 0",
                x.rank()
            ))),
            (true, true) => Ok(self.axes.kept(&x)),
            (true, false) => Ok(self.axes.removed(&x)),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let shape = f.inputs.shape(0);
        reduce_to_shape(f.output, f.inputs.value(0), &self.axes.kept(&shape), &shape, Beta::Zero);
        if self.reduction == Reduction::Mean {
            let n = n_reduced(self.axes, shape) as f32;
            f.output.iter_mut().for_each(|y| *y /= n);
        }
    }

    /// dx = dy, broadcast; divided by the number of elements for the mean.
    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        let kept = self.axes.kept(&shape);
        let Some(dx) = b.grads.get(0) else { return };
        match self.reduction {
            Reduction::Sum => broadcast_forward(dx.data, b.dy, &kept, &shape, dx.beta),
            Reduction::Mean => scratch::with(b.dy.len(), |share| {
                let n = n_reduced(self.axes, shape) as f32;
                map(share, b.dy, Beta::Zero, |dy| dy / n);
                broadcast_forward(dx.data, share, &kept, &shape, dx.beta);
            }),
        }
    }
}

impl Graph<'_> {
    /// The sum of all elements, a scalar; `torch.sum`. Accumulated in f64; 0 for no elements.
    #[track_caller]
    pub fn sum(&self, x: Var) -> Var {
        self.sum_axes(x, .., false)
    }

    /// The sum over some axes; `torch.sum` with `dim` and `keepdim`: the axes vanish, or stay with
    /// size 1. Accumulated in f64.
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn sum_axes(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.reduce_axes("sum", x, Reduction::Sum, axes.into(), keepdim)
    }

    /// The mean of all elements, a scalar; `torch.mean`. Accumulated in f64; NaN for no elements.
    #[track_caller]
    pub fn mean(&self, x: Var) -> Var {
        self.mean_axes(x, .., false)
    }

    /// The mean over some axes; `torch.mean` with `dim` and `keepdim`: the axes vanish, or stay with
    /// size 1. Accumulated in f64.
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn mean_axes(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.reduce_axes("mean", x, Reduction::Mean, axes.into(), keepdim)
    }

    #[track_caller]
    fn reduce_axes(
        &self,
        name: &'static str,
        x: Var,
        reduction: Reduction,
        axes: Axes,
        keepdim: bool,
    ) -> Var {
        self.apply(Reduce { name, reduction, axes, keepdim }, &[x])
    }
}
