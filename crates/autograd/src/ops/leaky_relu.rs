//! y = x where x > 0, negative_slope · x elsewhere.

use tensor::Shape;
use tensor::activation::{leaky_relu_backward, leaky_relu_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct LeakyRelu {
    negative_slope: f32,
}

impl Op for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        leaky_relu_forward(f.output, f.inputs.value(0), self.negative_slope);
    }

    /// dx = dy where x > 0, negative_slope · dy elsewhere.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            leaky_relu_backward(dx.data, b.dy, b.inputs.value(0), self.negative_slope, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// x where x > 0, negative_slope · x elsewhere; `torch.nn.functional.leaky_relu`. The gradient at
    /// 0 is the slope.
    #[track_caller]
    pub fn leaky_relu(&self, x: Var, negative_slope: f32) -> Var {
        self.apply(LeakyRelu { negative_slope }, &[x])
    }
}
