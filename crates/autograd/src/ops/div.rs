//! y = a / b, element by element.

use tensor::Shape;
use tensor::broadcast::broadcast_zip;

use super::shared::{broadcast_shape, write_broadcast};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Div;

impl Op for Div {
    fn name(&self) -> &'static str {
        "div"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast_shape(inputs)
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, |a, b| a / b);
    }

    /// da = dy / b and db = −dy · y / b, each summed over the axes along which it was broadcast.
    fn backward(&self, mut bwd: Backward<'_>) {
        let (dy, y, shape) = (bwd.dy, bwd.output, bwd.shape);
        let [a_shape, b_shape] = [0, 1].map(|i| bwd.inputs.shape(i));
        let b = (bwd.inputs.value(1), &b_shape);
        if let Some(da) = bwd.grads.get(0) {
            write_broadcast(da, a_shape, shape, |da| {
                broadcast_zip(da, (dy, &shape), b, &shape, |dy, b| dy / b);
            });
        }
        if let Some(db) = bwd.grads.get(1) {
            write_broadcast(db, b_shape, shape, |db| {
                broadcast_zip(db, (y, &shape), b, &shape, |y, b| -y / b);
                db.iter_mut().zip(dy).for_each(|(db, dy)| *db *= dy);
            });
        }
    }
}

impl Graph<'_> {
    /// a / b, element by element, broadcast as in NumPy; `torch.div`. x / 0 is ±∞ or NaN, as in IEEE 754.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn div(&self, a: Var, b: Var) -> Var {
        self.apply(Div, &[a, b])
    }
}
