//! loss = −t · ln σ(x) − (1 − t) · ln(1 − σ(x)), the mean or the sum over the elements.

use tensor::Shape;
use tensor::activation::sigmoid;

use super::shared::{Pairwise, Reduction, pairwise_backward, pairwise_forward, pairwise_shape};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct BceWithLogits {
    reduction: Reduction,
}

impl Pairwise for BceWithLogits {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// max(x, 0) − x · t + ln(1 + e^−|x|): the same without overflow.
    fn loss(&self, x: f32, t: f32) -> f32 {
        let positive = if x < 0.0 { 0.0 } else { x };
        positive - x * t + (-x.abs()).exp().ln_1p()
    }

    fn slopes(&self, x: f32, t: f32) -> [f32; 2] {
        [sigmoid(x) - t, -x]
    }
}

impl Op for BceWithLogits {
    fn name(&self) -> &'static str {
        "bce_with_logits"
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
    /// Binary cross-entropy of logits x with probabilities t, −t · ln σ(x) − (1 − t) · ln(1 − σ(x)), the
    /// mean or the sum over the elements; `torch.nn.functional.binary_cross_entropy_with_logits`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn bce_with_logits(&self, x: Var, target: Var, reduction: Reduction) -> Var {
        self.apply(BceWithLogits { reduction }, &[x, target])
    }
}
