//! A range of one axis.

use std::ops::Range;

use tensor::layout::{slice_backward, slice_forward};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Slice {
    axis: usize,
    range: Range<usize>,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, Range { start, end }) = (inputs[0], self.range.clone());
        match x.get(self.axis) {
            None => Err(ShapeError::new(format!("{x} has no axis {}; axes count from 0", self.axis))),
            Some(&size) if start > end || end > size => Err(ShapeError::new(format!(
                "{start}..{end} does not lie in axis {} of {x}; it must lie in 0..{size}",
                self.axis
            ))),
            Some(_) => Ok(x.with_axis(self.axis, end - start)),
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if self.axis == 0 { inputs.mixed_of(0) } else { inputs.kept_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        let shape = f.inputs.shape(0);
        slice_forward(f.output, f.inputs.value(0), &shape, self.axis, self.range.clone(), Beta::Zero);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        if let Some(dx) = b.grads.get(0) {
            slice_backward(dx.data, b.dy, &shape, self.axis, self.range.clone(), dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The elements whose index on `axis` lies in `range`; `torch.narrow`, or `x[:, start:end]`.
    ///
    /// # Panics
    /// When `x` does not have the axis, or the axis not the range.
    #[track_caller]
    pub fn slice(&self, x: Var, axis: usize, range: Range<usize>) -> Var {
        self.apply(Slice { axis, range }, &[x])
    }
}
