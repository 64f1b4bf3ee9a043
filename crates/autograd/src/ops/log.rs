//! y = ln x.

use tensor::elementwise::{map, zip};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Log;

impl Op for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, f32::ln);
    }

    /// dx = dy / x.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            zip(dx.data, b.dy, b.inputs.value(0), dx.beta, |dy, x| dy / x);
        }
    }
}

impl Graph<'_> {
    /// ln x, element by element; `torch.log`. −∞ at 0 and NaN below.
    #[track_caller]
    pub fn log(&self, x: Var) -> Var {
        self.apply(Log, &[x])
    }
}
