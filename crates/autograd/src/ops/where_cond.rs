//! Choosing between two values, element by element.

use tensor::Shape;
use tensor::broadcast::{broadcast_shapes, broadcast_zip3};

use super::broadcast::Value::A;
use super::broadcast::{OperandGrad, broadcast_all, broadcast_images};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

/// The inputs are the condition, the values where it holds and the values where it does not.
struct Where;

impl Op for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast_all(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        broadcast_images(inputs, output)
    }

    fn forward(&self, f: Forward<'_>) {
        let shapes = [0, 1, 2].map(|i| f.inputs.shape(i));
        let operands = [0, 1, 2].map(|i| (f.inputs.value(i), &shapes[i]));
        broadcast_zip3(f.output, operands, &f.shape, |condition, a, b| if condition != 0.0 { a } else { b });
    }

    /// da = dy where the condition holds, db = dy where it does not, 0 elsewhere; the condition is detached.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(da) = OperandGrad::of(&mut b, 1) {
            da.zip(A, |dy, condition| if condition != 0.0 { dy } else { 0.0 });
        }
        if let Some(db) = OperandGrad::of(&mut b, 2) {
            db.zip(A, |dy, condition| if condition != 0.0 { 0.0 } else { dy });
        }
    }
}

impl Graph<'_> {
    /// `a` where the condition holds and `b` where it does not, all three broadcast as in NumPy;
    /// `torch.where`. The condition holds where it is not 0. No gradient flows into it. Values that are not
    /// chosen get none either, even if they are NaN, which is not propagated.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn where_cond(&self, condition: Var, a: Var, b: Var) -> Var {
        self.apply(Where, &[self.detach(condition), a, b])
    }

    /// `value` where the mask is not 0, `x` elsewhere; `torch.masked_fill`. The mask broadcasts to the shape of `x`.
    ///
    /// # Panics
    /// When the mask does not broadcast to the shape of `x`.
    #[track_caller]
    pub fn masked_fill(&self, x: Var, mask: Var, value: f32) -> Var {
        let (shape, mask_shape) = (self.shape(x), self.shape(mask));
        assert!(
            broadcast_shapes(&mask_shape, &shape) == Some(shape),
            "masked_fill{}: the mask {mask_shape} does not broadcast to {shape}; aligned at the last axis, its sizes must \
             be equal or 1: reshape it",
            self.at()
        );
        self.where_cond(mask, self.input([], &[value]), x)
    }
}
