//! loss = ½d² where |d| ≤ δ, δ·(|d| − ½δ) elsewhere, d = x − t; the mean or the sum over the elements.

use tensor::Shape;

use super::shared::{Pairwise, Reduction, pairwise_backward, pairwise_forward, pairwise_shape};
use crate::{Backward, Forward, Graph, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct HuberLoss {
    delta: f32,
    reduction: Reduction,
}

impl Pairwise for HuberLoss {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn loss(&self, x: f32, t: f32) -> f32 {
        let (d, delta) = ((x - t).abs(), self.delta);
        if d > delta { delta * (d - 0.5 * delta) } else { 0.5 * d * d }
    }

    fn slopes(&self, x: f32, t: f32) -> [f32; 2] {
        // `clamp` hands NaN on.
        let slope = (x - t).clamp(-self.delta, self.delta);
        [slope, -slope]
    }
}

impl Op for HuberLoss {
    fn name(&self) -> &'static str {
        "huber_loss"
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
    /// ½d² where |d| ≤ δ and δ·(|d| − ½δ) elsewhere, d = x − t, the mean or the sum over the elements;
    /// `torch.nn.functional.huber_loss`. Huber 1964.
    ///
    /// # Panics
    /// When the shapes differ, or δ is not positive.
    #[track_caller]
    pub fn huber_loss(&self, x: Var, target: Var, delta: f32, reduction: Reduction) -> Var {
        assert!(delta > 0.0, "huber_loss{}: delta is {delta}, it must be positive", self.at());
        self.apply(HuberLoss { delta, reduction }, &[x, target])
    }
}
