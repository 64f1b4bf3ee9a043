//! y = max(x, 0).

use tensor::Shape;
use tensor::activation::{relu_backward, relu_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Relu;

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        relu_forward(f.output, f.inputs.value(0));
    }

    /// dx = dy where y > 0, else 0.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            relu_backward(dx.data, b.dy, b.output, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// max(x, 0), element by element; `torch.relu`. NaN passes through; the gradient at 0 is 0.
    #[track_caller]
    pub fn relu(&self, x: Var) -> Var {
        self.apply(Relu, &[x])
    }
}
