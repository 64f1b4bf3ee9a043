//! y = a · σ(b), where a and b are the halves of the last axis.

use tensor::Shape;
use tensor::activation::{glu_backward, glu_forward};

use super::shared::{count, rows_and_cols, rows_of_images};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Glu;

impl Op for Glu {
    fn name(&self) -> &'static str {
        "glu"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let x = inputs[0];
        match x.last() {
            Some(size) if size.is_multiple_of(2) => Ok(x.with_axis(x.rank() - 1, size / 2)),
            Some(size) => Err(ShapeError::new(format!(
                "the last axis of {x} has {}, which cannot be halved; make the number even",
                count(*size, "element")
            ))),
            None => {
                Err(ShapeError::new("the input is a scalar, which has no halves; reshape it to [.., 2n]"))
            }
        }
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        rows_of_images(inputs, output)
    }

    fn forward(&self, f: Forward<'_>) {
        glu_forward(f.output, f.inputs.value(0), rows_and_cols(f.shape).1);
    }

    /// da = dy · σ(b), db = dy · a · σ(b) · (1 − σ(b)).
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            glu_backward(dx.data, b.dy, b.inputs.value(0), rows_and_cols(b.shape).1, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The gated linear unit a · σ(b), where a and b are the halves of the last axis: `[.., 2n]` to
    /// `[.., n]`; `torch.nn.functional.glu` with `dim=-1`. Dauphin et al. 2017.
    ///
    /// # Panics
    /// When the last axis is odd, or missing.
    #[track_caller]
    pub fn glu(&self, x: Var) -> Var {
        self.apply(Glu, &[x])
    }
}
