//! y = a − b.

use tensor::Beta;
use tensor::Shape;
use tensor::broadcast::{broadcast_zip, reduce_to_shape};
use tensor::elementwise::map;

use super::shared::{broadcast_shape, write_broadcast};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Sub;

impl Op for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast_shape(inputs)
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, |a, b| a - b);
    }

    fn backward(&self, mut bwd: Backward<'_>) {
        let (dy, shape) = (bwd.dy, bwd.shape);
        let [a_shape, b_shape] = [0, 1].map(|i| bwd.inputs.shape(i));
        if let Some(da) = bwd.grads.get(0) {
            reduce_to_shape(da.data, dy, &a_shape, &shape, da.beta);
        }
        if let Some(db) = bwd.grads.get(1) {
            write_broadcast(db, b_shape, shape, |db| map(db, dy, Beta::Zero, |dy| -dy));
        }
    }
}

impl Graph<'_> {
    /// a − b, element by element, broadcast as in NumPy; `torch.sub`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn sub(&self, a: Var, b: Var) -> Var {
        self.apply(Sub, &[a, b])
    }
}
