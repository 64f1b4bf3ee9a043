//! Cumulative sums along an axis.

use tensor::Shape;
use tensor::cumsum::{cumsum_backward, cumsum_forward};

use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Cumsum {
    axis: usize,
}

impl Op for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match inputs[0].get(self.axis) {
            Some(_) => Ok(inputs[0]),
            None => {
                Err(ShapeError::new(format!("{} has no axis {}; axes count from 0", inputs[0], self.axis)))
            }
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if self.axis == 0 { inputs.mixed_of(0) } else { inputs.kept_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        cumsum_forward(f.output, f.inputs.value(0), &f.shape, self.axis);
    }

    /// dx = Σ dy over each element and all after it.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            cumsum_backward(dx.data, b.dy, &b.shape, self.axis, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The sums along an axis up to and including each element; `torch.cumsum`. Accumulated in f64.
    ///
    /// # Panics
    /// When `x` does not have the axis.
    #[track_caller]
    pub fn cumsum(&self, x: Var, axis: usize) -> Var {
        self.apply(Cumsum { axis }, &[x])
    }
}
