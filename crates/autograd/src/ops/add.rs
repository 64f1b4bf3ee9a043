//! y = a + b.

use tensor::Shape;
use tensor::broadcast::{broadcast_zip, reduce_to_shape};

use super::shared::broadcast_shape;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Add;

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast_shape(inputs)
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, |a, b| a + b);
    }

    fn backward(&self, mut bwd: Backward<'_>) {
        for i in 0..2 {
            let shape = bwd.inputs.shape(i);
            if let Some(grad) = bwd.grads.get(i) {
                reduce_to_shape(grad.data, bwd.dy, &shape, &bwd.shape, grad.beta);
            }
        }
    }
}

impl Graph<'_> {
    /// a + b, element by element, broadcast as in NumPy; `torch.add`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn add(&self, a: Var, b: Var) -> Var {
        self.apply(Add, &[a, b])
    }
}
