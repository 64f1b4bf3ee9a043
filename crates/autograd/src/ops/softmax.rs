//! y = eˣ / Σ eˣ over the last axis.

use tensor::Shape;
use tensor::loss::{softmax_backward, softmax_forward};

use super::shared::rows_and_cols;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Softmax;

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let (rows, cols) = rows_and_cols(f.shape);
        softmax_forward(f.output, f.inputs.value(0), rows, cols);
    }

    /// dx = y · (dy − Σ dy · y).
    fn backward(&self, mut b: Backward<'_>) {
        let (rows, cols) = rows_and_cols(b.shape);
        if let Some(dx) = b.grads.get(0) {
            softmax_backward(dx.data, b.dy, b.output, rows, cols, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// eˣ / Σ eˣ over the last axis; `torch.softmax` with `dim=-1`. Finite inputs do not overflow.
    #[track_caller]
    pub fn softmax(&self, x: Var) -> Var {
        self.apply(Softmax, &[x])
    }
}
