//! y = tanh x.

use tensor::Shape;
use tensor::activation::{tanh_backward, tanh_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Tanh;

impl Op for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        tanh_forward(f.output, f.inputs.value(0));
    }

    /// dx = dy · (1 − y²).
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            tanh_backward(dx.data, b.dy, b.output, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The hyperbolic tangent, element by element; `torch.tanh`.
    #[track_caller]
    pub fn tanh(&self, x: Var) -> Var {
        self.apply(Tanh, &[x])
    }
}
