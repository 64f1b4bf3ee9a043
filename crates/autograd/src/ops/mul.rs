//! y = a · b, element by element.

use tensor::Shape;
use tensor::broadcast::broadcast_zip;

use super::shared::{broadcast_shape, write_broadcast};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Mul;

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast_shape(inputs)
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, |a, b| a * b);
    }

    /// da = dy · b and db = dy · a, each summed over the axes along which it was broadcast.
    fn backward(&self, mut bwd: Backward<'_>) {
        let (dy, shape) = (bwd.dy, bwd.shape);
        for i in 0..2 {
            let own_shape = bwd.inputs.shape(i);
            let (other, other_shape) = (bwd.inputs.value(1 - i), bwd.inputs.shape(1 - i));
            if let Some(grad) = bwd.grads.get(i) {
                write_broadcast(grad, own_shape, shape, |share| {
                    broadcast_zip(share, (dy, &shape), (other, &other_shape), &shape, |dy, other| dy * other);
                });
            }
        }
    }
}

impl Graph<'_> {
    /// a · b, element by element, broadcast as in NumPy; `torch.mul`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn mul(&self, a: Var, b: Var) -> Var {
        self.apply(Mul, &[a, b])
    }
}
