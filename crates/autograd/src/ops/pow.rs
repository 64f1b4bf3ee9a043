//! y = xᵖ for a number p.

use tensor::elementwise::{map, zip};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct Pow {
    exponent: f32,
}

impl Op for Pow {
    fn name(&self) -> &'static str {
        "pow"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        map(f.output, f.inputs.value(0), Beta::Zero, |x| x.powf(self.exponent));
    }

    /// dx = dy · p · xᵖ⁻¹, and 0 everywhere when p = 0.
    fn backward(&self, mut b: Backward<'_>) {
        let p = self.exponent;
        if let Some(dx) = b.grads.get(0) {
            // 0 · 0⁻¹ would be NaN.
            let slope = |x: f32| if p == 0.0 { 0.0 } else { p * x.powf(p - 1.0) };
            zip(dx.data, b.dy, b.inputs.value(0), dx.beta, |dy, x| dy * slope(x));
        }
    }
}

impl Graph<'_> {
    /// x to the power of a number, element by element; `torch.pow`. NaN where x is negative and the
    /// exponent is not a whole number.
    #[track_caller]
    pub fn pow(&self, x: Var, exponent: f32) -> Var {
        self.apply(Pow { exponent }, &[x])
    }
}
