//! y = 1 / (1 + e⁻ˣ).

use tensor::Shape;
use tensor::activation::{sigmoid_backward, sigmoid_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Sigmoid;

impl Op for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        sigmoid_forward(f.output, f.inputs.value(0));
    }

    /// dx = dy · y · (1 − y).
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            sigmoid_backward(dx.data, b.dy, b.output, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// 1 / (1 + e⁻ˣ), element by element; `torch.sigmoid`.
    #[track_caller]
    pub fn sigmoid(&self, x: Var) -> Var {
        self.apply(Sigmoid, &[x])
    }
}
