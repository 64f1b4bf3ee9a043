//! y = x · Φ(x), Φ the normal distribution function.

use tensor::Shape;
use tensor::activation::{gelu_backward, gelu_forward};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Gelu;

impl Op for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        gelu_forward(f.output, f.inputs.value(0));
    }

    /// dx = dy · (Φ(x) + x · φ(x)), φ the normal density.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            gelu_backward(dx.data, b.dy, b.inputs.value(0), dx.beta);
        }
    }
}

impl Graph<'_> {
    /// x · Φ(x), element by element, Φ the normal distribution function in its exact form;
    /// `torch.nn.functional.gelu`. Hendrycks and Gimpel 2016.
    #[track_caller]
    pub fn gelu(&self, x: Var) -> Var {
        self.apply(Gelu, &[x])
    }
}
