//! y = √x.

use tensor::elementwise::{map, zip};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Sqrt;

impl Op for Sqrt {
    fn name(&self) -> &'static str {
        "sqrt"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, f32::sqrt);
    }

    /// dx = dy / 2y.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            zip(dx.data, b.dy, b.output, dx.beta, |dy, y| dy / (2.0 * y));
        }
    }
}

impl Graph<'_> {
    /// √x, element by element; `torch.sqrt`. NaN below 0; the gradient at 0 is infinite.
    #[track_caller]
    pub fn sqrt(&self, x: Var) -> Var {
        self.apply(Sqrt, &[x])
    }
}
