//! y = eˣ.

use tensor::elementwise::{exp, map, zip};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Exp;

impl Op for Exp {
    fn name(&self) -> &'static str {
        "exp"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, exp);
    }

    /// dx = dy · y.
    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            zip(dx.data, b.dy, b.output, dx.beta, |dy, y| dy * y);
        }
    }
}

impl Graph<'_> {
    /// eˣ, element by element; `torch.exp`.
    #[track_caller]
    pub fn exp(&self, x: Var) -> Var {
        self.apply(Exp, &[x])
    }
}
