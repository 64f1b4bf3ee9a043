//! Transposed convolution of images: y = the input gradient of a convolution.

use tensor::Shape;
use tensor::conv::{
    Algorithm, ConvTranspose2dShape, conv_transpose2d_backward_input, conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
};
use tensor::reduce::{Reduction, reduce_rows};

use super::shared::{channels_last_hint, count, image_sizes};
use crate::{Backward, Forward, Graph, Inputs, Op, ShapeError, Var};

/// The options of [`Graph::conv_transpose2d`], vertical before horizontal; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2dOptions {
    /// The distance in the output from one input to the next (default 1).
    pub stride: [usize; 2],
    /// How much is cut off on each side (default 0).
    pub padding: [usize; 2],
    /// How much is added at the bottom and on the right, less than the stride or the dilation (default 0).
    pub output_padding: [usize; 2],
    /// The distance between the kernel's taps (default 1).
    pub dilation: [usize; 2],
    /// The number of channel groups, which are convolved separately (default 1).
    pub groups: usize,
    /// How it is computed; [`Algorithm::Auto`] chooses by the shape.
    pub algorithm: Algorithm,
}

impl Default for ConvTranspose2dOptions {
    fn default() -> Self {
        Self {
            stride: [1; 2],
            padding: [0; 2],
            output_padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            algorithm: Algorithm::Auto,
        }
    }
}

struct ConvTranspose2d(ConvTranspose2dOptions);

impl ConvTranspose2d {
    fn sizes(&self, x: Shape, w: Shape) -> Result<ConvTranspose2dShape, ShapeError> {
        let [batch, height, width, channels] = image_sizes(x)?;
        let &[in_channels, group_channels, kernel_height, kernel_width] = w.dims() else {
            return Err(ShapeError::new(format!(
                "the weight is {w}, expected [in_channels, out_channels / groups, kernel height, kernel width]; \
                 reshape it"
            )));
        };
        if channels != in_channels {
            return Err(ShapeError::new(format!(
                "the input {x} has {}, the weight {w} expects {in_channels}; set in_channels to {channels}, or \
                 change the preceding layer{}",
                count(channels, "channel"),
                channels_last_hint(x, |first| first == in_channels)
            )));
        }
        let ConvTranspose2dOptions { stride, padding, output_padding, dilation, groups, .. } = self.0;
        let explain =
            |reason| ShapeError::new(format!("the input {x} and the weight {w} do not fit: {reason}"));
        let Some(out_channels) = group_channels.checked_mul(groups) else {
            return Err(explain(format!("groups = {groups} is too large")));
        };
        let sizes = ConvTranspose2dShape {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel_size: [kernel_height, kernel_width],
            stride,
            padding,
            output_padding,
            dilation,
            groups,
        };
        sizes.validate().map(|()| sizes).map_err(explain)
    }

    fn checked_sizes(&self, inputs: Inputs<'_>) -> ConvTranspose2dShape {
        self.sizes(inputs.shape(0), inputs.shape(1)).expect("checked by output_shape")
    }
}

impl Op for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(inputs[0], inputs[1])?;
        super::conv2d::check_bias(inputs, sizes.out_channels)?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height(), sizes.out_width(), sizes.out_channels]))
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        (inputs[0].numel() * inputs[1][1..].iter().product::<usize>()) as u64
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, w) = (f.inputs.value(0), f.inputs.value(1));
        let bias = (f.inputs.len() == 3).then(|| f.inputs.value(2));
        conv_transpose2d_forward(f.output, x, w, bias, &self.checked_sizes(f.inputs), self.0.algorithm);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x, w, sizes) = (b.inputs.value(0), b.inputs.value(1), self.checked_sizes(b.inputs));
        let (shards, algorithm) = (b.shards, self.0.algorithm);
        if b.inputs.len() == 3
            && let Some(db) = b.grads.get(2)
        {
            let n_pixels = sizes.batch * sizes.out_height() * sizes.out_width();
            reduce_rows(db.data, b.dy, n_pixels, sizes.out_channels, Reduction::Sum, &shards, db.beta);
        }
        b.grads.write_sum(1, &shards, |dw, shards, beta| {
            conv_transpose2d_backward_weight(dw, b.dy, x, &sizes, shards, beta, algorithm);
        });
        if let Some(dx) = b.grads.get(0) {
            conv_transpose2d_backward_input(dx.data, b.dy, w, &sizes, dx.beta, algorithm);
        }
    }
}

impl Graph<'_> {
    /// Transposed convolution of images `[n, h, w, in_channels]` by a weight
    /// `[in_channels, out_channels / groups, kh, kw]`, plus a bias `[out_channels]`, to
    /// `[n, h', w', out_channels]`; `torch.nn.functional.conv_transpose2d` except for the layout of the
    /// images.
    ///
    /// h' = (h − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1, and w' likewise. The output
    /// is the input gradient that the [`conv2d`](Self::conv2d) with these options would have if `x` were the
    /// gradient of its output, with zeros after it if the output padding is the stride or more.
    ///
    /// # Panics
    /// When the shapes and options do not fit each other, or a forced algorithm does not support them.
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: ConvTranspose2dOptions,
    ) -> Var {
        self.apply_present(ConvTranspose2d(options), x, [Some(weight), bias])
    }
}
