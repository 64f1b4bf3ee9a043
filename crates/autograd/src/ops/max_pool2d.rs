//! The largest element of each window.

use tensor::Shape;
use tensor::pool::{Pool2dShape, max_pool2d_backward, max_pool2d_forward};

use super::shared::pool_sizes;
use crate::{Backward, Forward, Graph, Inputs, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct MaxPool2d {
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl MaxPool2d {
    fn sizes(&self, x: Shape) -> Result<Pool2dShape, ShapeError> {
        pool_sizes(x, self.kernel_size, self.stride, self.padding)
    }

    fn checked_sizes(&self, inputs: Inputs<'_>) -> Pool2dShape {
        self.sizes(inputs.shape(0)).expect("checked by output_shape")
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(inputs[0])?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height(), sizes.out_width(), sizes.channels]))
    }

    fn forward(&self, f: Forward<'_>) {
        f.saved.indices.resize(f.output.len(), 0);
        max_pool2d_forward(f.output, &mut f.saved.indices, f.inputs.value(0), &self.checked_sizes(f.inputs));
    }

    /// dx = dy at the place of each maximum, 0 elsewhere.
    fn backward(&self, mut b: Backward<'_>) {
        let sizes = self.checked_sizes(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            max_pool2d_backward(dx.data, b.dy, &b.saved.indices, &sizes, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The largest element of each window, `[n, h, w, c]` to `[n, h', w', c]`;
    /// `torch.nn.functional.max_pool2d` but for the layout. Padding never wins, NaN always does; of equal
    /// elements the first gets the gradient.
    ///
    /// h' = ⌊(h + 2·padding − kernel_size) / stride⌋ + 1, and w' likewise.
    ///
    /// # Panics
    /// When `x` is not images, the window is larger than a padded image, or the padding more than half
    /// the window.
    #[track_caller]
    pub fn max_pool2d(
        &self,
        x: Var,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Var {
        self.apply(MaxPool2d { kernel_size, stride, padding }, &[x])
    }
}
