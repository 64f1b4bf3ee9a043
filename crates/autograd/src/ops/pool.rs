//! Pooling of images: the largest element or the mean of each window, and the mean of each channel.

use tensor::Shape;
use tensor::pool::{
    Pool2dShape, avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward,
    global_avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward,
};

use super::shared::image_sizes;
use crate::{Backward, Forward, Grad, Graph, Inputs, Op, Saved, ShapeError, Var};

/// A pooling over windows: `forward(sizes, f)` and `backward(sizes, dx, dy, saved)`.
struct Pool2d<F, B> {
    name: &'static str,
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    forward: F,
    backward: B,
}

impl<F, B> Pool2d<F, B> {
    fn sizes(&self, x: Shape) -> Result<Pool2dShape, ShapeError> {
        let [batch, height, width, channels] = image_sizes(x)?;
        let &Self { kernel_size, stride, padding, .. } = self;
        let sizes = Pool2dShape { batch, height, width, channels, kernel_size, stride, padding };
        let explain = |reason| {
            ShapeError::new(format!(
                "a window {kernel_size:?} by {stride:?} does not fit the input {x}: {reason}"
            ))
        };
        sizes.validate().map(|()| sizes).map_err(explain)
    }

    fn checked_sizes(&self, inputs: Inputs<'_>) -> Pool2dShape {
        self.sizes(inputs.shape(0)).expect("checked by output_shape")
    }
}

impl<F, B> Op for Pool2d<F, B>
where
    F: Fn(&Pool2dShape, Forward<'_>) + Send + Sync + 'static,
    B: Fn(&Pool2dShape, Grad<'_>, &[f32], &Saved) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(inputs[0])?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height(), sizes.out_width(), sizes.channels]))
    }

    fn forward(&self, f: Forward<'_>) {
        (self.forward)(&self.checked_sizes(f.inputs), f);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let sizes = self.checked_sizes(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            (self.backward)(&sizes, dx, b.dy, b.saved);
        }
    }
}

struct GlobalAvgPool2d;

/// Images, pixels, channels.
fn image_pixels(inputs: Inputs<'_>) -> [usize; 3] {
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
        let [n, n_pixels, c] = image_pixels(f.inputs);
        global_avg_pool2d_forward(f.output, f.inputs.value(0), n, n_pixels, c);
    }

    /// dx = dy / number of pixels.
    fn backward(&self, mut b: Backward<'_>) {
        let [n, n_pixels, c] = image_pixels(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            global_avg_pool2d_backward(dx.data, b.dy, n, n_pixels, c, dx.beta);
        }
    }
}

impl Graph<'_> {
    #[track_caller]
    fn pool2d(
        &self,
        name: &'static str,
        x: Var,
        [kernel_size, stride, padding]: [[usize; 2]; 3],
        forward: impl Fn(&Pool2dShape, Forward<'_>) + Send + Sync + 'static,
        backward: impl Fn(&Pool2dShape, Grad<'_>, &[f32], &Saved) + Send + Sync + 'static,
    ) -> Var {
        self.apply(Pool2d { name, kernel_size, stride, padding, forward, backward }, &[x])
    }

    /// The mean of each window, `[n, h, w, c]` to `[n, h', w', c]`;
    /// `torch.nn.functional.avg_pool2d` but for the layout. The zeros of the padding count.
    ///
    /// h' = ⌊(h + 2·padding − kernel_size) / stride⌋ + 1, and w' likewise. An element gets the sum of
    /// dy / (size of the window) over the windows that it lies in.
    ///
    /// # Panics
    /// When `x` is not images, the window is larger than a padded image, or the padding more than half
    /// the window.
    #[track_caller]
    pub fn avg_pool2d(
        &self,
        x: Var,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Var {
        let forward =
            |sizes: &Pool2dShape, f: Forward<'_>| avg_pool2d_forward(f.output, f.inputs.value(0), sizes);
        self.pool2d("avg_pool2d", x, [kernel_size, stride, padding], forward, |sizes, dx, dy, _| {
            avg_pool2d_backward(dx.data, dy, sizes, dx.beta);
        })
    }

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
        let forward = |sizes: &Pool2dShape, f: Forward<'_>| {
            f.saved.indices.resize(f.output.len(), 0);
            max_pool2d_forward(f.output, &mut f.saved.indices, f.inputs.value(0), sizes);
        };
        self.pool2d("max_pool2d", x, [kernel_size, stride, padding], forward, |sizes, dx, dy, saved| {
            max_pool2d_backward(dx.data, dy, &saved.indices, sizes, dx.beta);
        })
    }

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
