//! y = x + number.

use tensor::elementwise::{copy_or_add, map};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct AddScalar {
    number: f32,
}

impl Op for AddScalar {
    fn name(&self) -> &'static str {
        "add_scalar"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, |x| x + self.number);
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            copy_or_add(dx.data, b.dy, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// x + number; `torch.add` with a number.
    #[track_caller]
    pub fn add_scalar(&self, x: Var, number: f32) -> Var {
        self.apply(AddScalar { number }, &[x])
    }
}
