//! y = x − ln Σ eˣ over the last axis.

use tensor::Shape;
use tensor::loss::{log_softmax_backward, log_softmax_forward};

use super::shared::rows_and_cols;
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct LogSoftmax;

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let (rows, cols) = rows_and_cols(f.shape);
        log_softmax_forward(f.output, f.inputs.value(0), rows, cols);
    }

    /// dx = dy − e^y · Σ dy.
    fn backward(&self, mut b: Backward<'_>) {
        let (rows, cols) = rows_and_cols(b.shape);
        if let Some(dx) = b.grads.get(0) {
            log_softmax_backward(dx.data, b.dy, b.output, rows, cols, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// x − ln Σ eˣ over the last axis; `torch.log_softmax` with `dim=-1`. Finite inputs do not overflow.
    #[track_caller]
    pub fn log_softmax(&self, x: Var) -> Var {
        self.apply(LogSoftmax, &[x])
    }
}
