//! y = x / (k + α / size · Σ x²)^β, summed over neighbouring channels.

use tensor::Shape;
use tensor::norm::{LocalResponseNormShape, local_response_norm_backward, local_response_norm_forward};

use super::shared::rows_and_cols;
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

/// The options of [`Graph::local_response_norm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponseNormOptions {
    /// The number of neighbouring channels whose squares are summed, including the channel itself.
    pub size: usize,
    /// α, the factor of their mean square.
    pub alpha: f32,
    /// β, the exponent.
    pub beta: f32,
    /// The constant added to the mean square.
    pub k: f32,
}

impl LocalResponseNormOptions {
    /// Creates options with PyTorch's defaults: α 1e-4, β 0.75, k 1.
    pub fn new(size: usize) -> Self {
        Self { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }
}

struct LocalResponseNorm(LocalResponseNormOptions);

impl LocalResponseNorm {
    fn sizes(&self, x: Shape) -> LocalResponseNormShape {
        let ((rows, channels), LocalResponseNormOptions { size, alpha, beta, k }) =
            (rows_and_cols(x), self.0);
        LocalResponseNormShape { rows, channels, size, alpha, beta, k }
    }
}

impl Op for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "local_response_norm"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let x = inputs[0];
        if x.rank() < 2 {
            return Err(ShapeError::new(format!(
                "the input is {x}, expected images [n, h, w, c]; reshape it"
            )));
        }
        if self.0.size == 0 {
            return Err(ShapeError::new("the window has no channels; make its size at least 1"));
        }
        Ok(x)
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        inputs.kept_of(0)
    }

    fn forward(&self, f: Forward<'_>) {
        local_response_norm_forward(f.output, f.inputs.value(0), &self.sizes(f.shape));
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            local_response_norm_backward(dx.data, b.dy, b.inputs.value(0), &self.sizes(b.shape), dx.beta);
        }
    }
}

impl Graph<'_> {
    /// Local response normalisation of `x` [n, …, c]: y = x / (k + α / size · Σ x²)^β, summed over the `size`
    /// channels around each one; channels beyond the first and last count as 0.
    /// `torch.nn.functional.local_response_norm`; Krizhevsky, Sutskever and Hinton, "ImageNet Classification
    /// with Deep Convolutional Neural Networks", 2012.
    ///
    /// # Panics
    /// When `x` has fewer than two axes, or the window is empty or of more channels than memory could hold.
    #[track_caller]
    pub fn local_response_norm(&self, x: Var, options: LocalResponseNormOptions) -> Var {
        self.apply(LocalResponseNorm(options), &[x])
    }
}
