//! y = max(x · Wᵀ + b, 0) in one pass.

use tensor::activation::relu_backward;
use tensor::linear::linear_relu_forward;
use tensor::{Beta, Shape, scratch};

use super::linear::{linear_backward, linear_operands, linear_output_shape, linear_sizes};
use super::shared::{rows_of_images, shards_of_rows};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct LinearRelu;

impl Op for LinearRelu {
    fn name(&self) -> &'static str {
        "linear_relu"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        linear_output_shape(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        rows_of_images(inputs, output)
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        (output.numel() * inputs[1][1]) as u64
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, w, bias) = linear_operands(f.inputs);
        linear_relu_forward(f.output, x, w, bias, &linear_sizes(f.inputs), &shards_of_rows(f.inputs));
    }

    /// The gradient of [`Graph::linear`] at dz = dy where y > 0, else 0.
    fn backward(&self, mut b: Backward<'_>) {
        scratch::with(b.dy.len(), |dz| {
            relu_backward(dz, b.dy, b.output, Beta::Zero);
            linear_backward(&mut b.grads, b.inputs, dz);
        });
    }
}

impl Graph<'_> {
    /// `relu(linear(x, weight, bias))`, with the same result in one pass fewer.
    ///
    /// # Panics
    /// As [`linear`](Self::linear).
    #[track_caller]
    pub fn linear_relu(&self, x: Var, weight: Var, bias: Option<Var>) -> Var {
        match bias {
            Some(bias) => self.apply(LinearRelu, &[x, weight, bias]),
            None => self.apply(LinearRelu, &[x, weight]),
        }
    }
}
