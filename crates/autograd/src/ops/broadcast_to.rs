//! Repeats a value along axes, as the operands of an addition are.

use tensor::broadcast::{broadcast_forward, broadcast_shapes};
use tensor::{Beta, Shape};

use super::broadcast::{OperandGrad, broadcast_images};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

/// The second input, if there is one, tells where the images are.
struct BroadcastTo {
    shape: Shape,
}

impl Op for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, shape) = (inputs[0], self.shape);
        match broadcast_shapes(&x, &shape) == Some(shape) {
            true => Ok(shape),
            false => Err(ShapeError::new(format!(
                "{x} does not broadcast to {shape}; aligned at the last axis, each of its sizes must be the \
                 same or 1: reshape it"
            ))),
        }
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        broadcast_images(inputs, output)
    }

    fn forward(&self, f: Forward<'_>) {
        broadcast_forward(f.output, f.inputs.value(0), &f.inputs.shape(0), &f.shape, Beta::Zero);
    }

    /// dx = Σ dy over the axes along which x was repeated.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(grad) = OperandGrad::of(&mut b, 0) {
            grad.copy();
        }
    }
}

impl Graph<'_> {
    /// x repeated along its axes of size 1 and along missing leading axes, as NumPy broadcasts;
    /// `torch.broadcast_to`, `torch.Tensor.expand`. The operands of [`add`](Self::add) and the like need no
    /// such call. To repeat a parameter for each image of a batch, use [`expand_as`](Self::expand_as).
    ///
    /// # Panics
    /// When x does not broadcast to the shape.
    #[track_caller]
    pub fn broadcast_to(&self, x: Var, shape: impl Into<Shape>) -> Var {
        self.apply(BroadcastTo { shape: shape.into() }, &[x])
    }

    /// x repeated to the shape of `like`, with images where `like` has them; `torch.Tensor.expand_as`. The
    /// values of `like` do not matter, and it gets no gradient.
    ///
    /// # Panics
    /// When x does not broadcast to the shape.
    #[track_caller]
    pub fn expand_as(&self, x: Var, like: Var) -> Var {
        self.apply(BroadcastTo { shape: self.shape(like) }, &[x, self.detach(like)])
    }
}
