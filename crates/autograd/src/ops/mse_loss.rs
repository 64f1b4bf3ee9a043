//! loss = (x − t)², the mean or the sum over the elements.

use tensor::Shape;

use super::shared::{Pairwise, Reduction, pairwise_backward, pairwise_forward, pairwise_shape};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct MseLoss {
    reduction: Reduction,
}

impl Pairwise for MseLoss {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn loss(&self, x: f32, t: f32) -> f32 {
        (x - t) * (x - t)
    }

    fn slopes(&self, x: f32, t: f32) -> [f32; 2] {
        [2.0 * (x - t), 2.0 * (t - x)]
    }
}

impl Op for MseLoss {
    fn name(&self) -> &'static str {
        "mse_loss"
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
    /// (x − t)², the mean or the sum over the elements; `torch.nn.functional.mse_loss`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        self.apply(MseLoss { reduction }, &[x, target])
    }
}
