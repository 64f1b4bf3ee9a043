//! loss = |x − t|, the mean or the sum over the elements.

use tensor::Shape;

use super::shared::{Pairwise, Reduction, pairwise_backward, pairwise_forward, pairwise_shape};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct L1Loss {
    reduction: Reduction,
}

impl Pairwise for L1Loss {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn loss(&self, x: f32, t: f32) -> f32 {
        (x - t).abs()
    }

    fn slopes(&self, x: f32, t: f32) -> [f32; 2] {
        [sign(x - t), sign(t - x)]
    }
}

/// −1, 0 or 1; NaN for NaN. `signum` has no 0.
fn sign(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { d.signum() }
}

impl Op for L1Loss {
    fn name(&self) -> &'static str {
        "l1_loss"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        pairwise_shape(inputs)
    }

    fn forward(&self, f: Forward<'_>) {
        pairwise_forward(self, f);
    }

    fn backward(&self, b: Backward<'_>) {
        pairwise_backward(self, b);
    }
}

impl Graph<'_> {
    /// |x − t|, the mean or the sum over the elements; `torch.nn.functional.l1_loss`. The gradient is 0
    /// where x = t.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn l1_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        self.apply(L1Loss { reduction }, &[x, target])
    }
}
