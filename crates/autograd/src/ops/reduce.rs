//! Sums and means over some axes, accumulated in f64.

use tensor::broadcast::{broadcast_forward, reduce_to_shape};
use tensor::elementwise::map;
use tensor::parallel::Shards;
use tensor::reduce::Reduction;
use tensor::{Axes, Beta, MAX_RANK, Shape, scratch};

use crate::{Backward, Forward, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

struct Reduce {
    name: &'static str,
    reduction: Reduction,
    axes: Axes,
    keepdim: bool,
}

impl Op for Reduce {
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
        reduce_to_shape(f.output, x, &kept, &shape, self.reduction, shards.as_ref(), Beta::Zero);
    }

    /// dx = dy, broadcast, and divided by the number of elements for the mean.
    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        let kept = self.axes.kept(&shape);
        let Some(dx) = b.grads.get(0) else { return };
        match self.reduction {
            Reduction::Sum => broadcast_forward(dx.data, b.dy, &kept, &shape, dx.beta),
            Reduction::Mean => scratch::with(b.dy.len(), |share| {
                let n = n_reduced(b.inputs, self.axes) as f32;
                map(share, b.dy, Beta::Zero, |dy| dy / n);
                broadcast_forward(dx.data, share, &kept, &shape, dx.beta);
            }),
        }
    }
}

/// Where the images of the first input are in the result.
pub(super) fn images_of_reduced(inputs: Operands<'_>, axes: Axes) -> Images {
    if axes.contains(0) { Images::Summed } else { inputs.kept_of(0) }
}

/// The shards by which the first input is reduced, if its images are.
pub(super) fn summed_shards(inputs: Inputs<'_>, axes: Axes) -> Option<Shards<'_>> {
    (inputs.has_images(0) && axes.contains(0)).then(|| inputs.shards(0))
}

/// How many elements of the first input are reduced to one element of the result.
pub(super) fn n_reduced(inputs: Inputs<'_>, axes: Axes) -> usize {
    let shape = inputs.shape(0);
    let sizes = shape.iter().enumerate().filter(|&(axis, _)| axes.contains(axis));
    let size = |(axis, &size): (usize, &usize)| match axis {
        0 => inputs.shards(0).rows_of_batch(size),
        _ => size,
    };
    sizes.map(size).product()
}

/// The shape of `x` without the axes, or with them set to 1.
pub(super) fn reduced_shape(x: Shape, axes: Axes, keepdim: bool) -> Result<Shape, ShapeError> {
    if !axes.fits(&x) {
        let beyond = (x.rank()..MAX_RANK).find(|&axis| axes.contains(axis)).unwrap_or(MAX_RANK);
        return Err(ShapeError::new(format!("{x} has no axis {beyond} to reduce; axes count from 0")));
    }
    Ok(if keepdim { axes.kept(&x) } else { axes.removed(&x) })
}

impl Graph<'_> {
    /// The sum of all elements, a scalar; `torch.sum`. Accumulated in f64; 0 for no elements.
    #[track_caller]
    pub fn sum(&self, x: Var) -> Var {
        self.sum_axes(x, .., false)
    }

    /// The sum over some axes; `torch.sum` with `dim` and `keepdim`: the axes are removed, or kept with
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

    /// The mean over some axes; `torch.mean` with `dim` and `keepdim`: the axes are removed, or kept with
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
