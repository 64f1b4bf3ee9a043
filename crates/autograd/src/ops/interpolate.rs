//! Resizing of images.

use tensor::Shape;
use tensor::interpolate::{
    Interpolate2dShape, Interpolation, ResizeTo, interpolate2d_backward, interpolate2d_forward,
};

use super::shared::{channels_last_hint, image_sizes};
use crate::{Backward, Forward, Graph, Inputs, Op, ShapeError, Var};

struct Interpolate {
    to: ResizeTo,
    mode: Interpolation,
}

impl Interpolate {
    fn sizes(&self, x: Shape) -> Result<Interpolate2dShape, ShapeError> {
        let sizes = |[batch, height, width, channels]: [usize; 4]| {
            let sizes = Interpolate2dShape { batch, height, width, channels, to: self.to, mode: self.mode };
            sizes.validate().map(|()| sizes)
        };
        let [n, c, h, w] = image_sizes(x)?;
        sizes([n, c, h, w]).map_err(|reason| {
            let hint = channels_last_hint(x, |_| sizes([n, h, w, c]).is_ok());
            ShapeError::new(format!("the input {x} cannot be resized: {reason}{hint}"))
        })
    }

    fn checked_sizes(&self, inputs: Inputs<'_>) -> Interpolate2dShape {
        self.sizes(inputs.shape(0)).expect("checked by output_shape")
    }
}

impl Op for Interpolate {
    fn name(&self) -> &'static str {
        "interpolate"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(inputs[0])?;
        let [height, width] = sizes.out_size();
        Ok(Shape::new(&[sizes.batch, height, width, sizes.channels]))
    }

    fn forward(&self, f: Forward<'_>) {
        interpolate2d_forward(f.output, f.inputs.value(0), &self.checked_sizes(f.inputs));
    }

    fn backward(&self, mut b: Backward<'_>) {
        let sizes = self.checked_sizes(b.inputs);
        if let Some(dx) = b.grads.get(0) {
            interpolate2d_backward(dx.data, b.dy, &sizes, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// Resizes images `[n, h, w, c]` to `[n, h', w', c]`; `torch.nn.functional.interpolate` in the modes
    /// `"nearest"` and `"bilinear"`, except for the layout.
    ///
    /// A pixel's gradient is shared among the pixels that it was computed from, in proportion to their
    /// weights.
    ///
    /// # Panics
    /// When `x` is not images, or an output would have no pixel.
    #[track_caller]
    pub fn interpolate(&self, x: Var, to: ResizeTo, mode: Interpolation) -> Var {
        self.apply(Interpolate { to, mode }, &[x])
    }
}
