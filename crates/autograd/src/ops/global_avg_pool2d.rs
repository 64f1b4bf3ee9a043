//! The mean of each channel over the image.

use tensor::Shape;
use tensor::pool::{global_avg_pool2d_backward, global_avg_pool2d_forward};

use super::shared::image_sizes;
use crate::{Backward, Forward, Graph, Inputs, Op, ShapeError, Var};

#[derive(Debug, PartialEq)]
struct GlobalAvgPool2d;

/// Images, pixels, channels.
fn sizes(inputs: Inputs<'_>) -> [usize; 3] {
    let [n, h, w, c] = image_sizes(inputs.shape(0)).expect("checked by output_shape");
    [n, h * w, c]
}

impl Op for GlobalAvgPool2d {
    fn name(&self) -> &'static str {
        "global_avg_pool2d"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        image_sizes(inputs[0]).map(|[n, _, _, c]| Shape::new(&[n, c]))
    }

    fn forward(&self, f: Forward<'_>) {
        let [n, n_pixels, c] = sizes(f.inputs);
        global_avg_pool2d_forward(f.output, f.inputs.value(0), n, n_pixels, c);
    }

    /// dx = dy / number of pixels.
    fn backward(&self, mut b: Backward<'_>) {
        let [n, n_pixels, c] = sizes(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            global_avg_pool2d_backward(dx.data, b.dy, n, n_pixels, c, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The mean of each channel over the image, `[n, h, w, c]` to `[n, c]`; `adaptive_avg_pool2d(x, 1)` and
    /// `flatten` in PyTorch. NaN for images without pixels.
    ///
    /// # Panics
    /// When `x` is not images.
    #[track_caller]
    pub fn global_avg_pool2d(&self, x: Var) -> Var {
        self.apply(GlobalAvgPool2d, &[x])
    }
}
