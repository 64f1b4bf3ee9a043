//! y = factor · x.

use tensor::elementwise::{map, scaled_copy_or_add};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Scale {
    factor: f32,
}

impl Op for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, |x| self.factor * x);
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            scaled_copy_or_add(dx.data, b.dy, self.factor, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// factor · x; `torch.mul` with a number.
    #[track_caller]
    pub fn scale(&self, x: Var, factor: f32) -> Var {
        self.apply(Scale { factor }, &[x])
    }

    /// −x; `torch.neg`.
    #[track_caller]
    pub fn neg(&self, x: Var) -> Var {
        self.scale(x, -1.0)
    }
}
