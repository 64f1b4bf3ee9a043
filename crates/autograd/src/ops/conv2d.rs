//! y = x ∗ W + b over images.

use tensor::Shape;
use tensor::conv::{Algorithm, Conv2dShape, conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use tensor::reduce::{Reduction, reduce_rows};

use super::shared::{channels_last_hint, count, image_sizes};
use crate::{Backward, Forward, Graph, Inputs, Op, Operands, ShapeError, Var};

/// The options of [`Graph::conv2d`], vertical before horizontal; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// The stride of the kernel (default 1).
    pub stride: [usize; 2],
    /// Zeros added on each side (default 0).
    pub padding: [usize; 2],
    /// The distance between the kernel's taps (default 1).
    pub dilation: [usize; 2],
    /// The number of channel groups, which are convolved separately (default 1).
    pub groups: usize,
    /// How it is computed; [`Algorithm::Auto`] chooses by the shape.
    pub algorithm: Algorithm,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, algorithm: Algorithm::Auto }
    }
}

impl Conv2dOptions {
    /// The sizes of a convolution of `x` by `w`, if the shapes fit each other.
    pub(super) fn sizes(&self, x: Shape, w: Shape) -> Result<Conv2dShape, ShapeError> {
        let [batch, height, width, in_channels] = image_sizes(x)?;
        let &[out_channels, group_channels, kernel_height, kernel_width] = w.dims() else {
            return Err(ShapeError::new(format!(
                "the weight is {w}, expected [out_channels, in_channels / groups, kernel height, kernel width]; \
                 reshape it"
            )));
        };
        let &Self { stride, padding, dilation, groups, .. } = self;
        if group_channels.checked_mul(groups) != Some(in_channels) {
            let takes = group_channels.saturating_mul(groups);
            return Err(ShapeError::new(format!(
                "the input {x} has {}, the weight {w} with groups = {groups} expects {takes}; set in_channels \
                 to {in_channels}, or change the preceding layer{}",
                count(in_channels, "channel"),
                channels_last_hint(x, |first| first == takes)
            )));
        }
        let kernel_size = [kernel_height, kernel_width];
        let sizes = Conv2dShape {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
        };
        let explain =
            |reason| ShapeError::new(format!("the input {x} and the weight {w} do not fit: {reason}"));
        sizes.validate().map(|()| sizes).map_err(explain)
    }
}

struct Conv2d(Conv2dOptions);

impl Conv2d {
    fn sizes(&self, inputs: Inputs<'_>) -> Conv2dShape {
        self.0.sizes(inputs.shape(0), inputs.shape(1)).expect("checked by output_shape")
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.0.sizes(inputs[0], inputs[1])?;
        check_bias(inputs, sizes.out_channels)?;
        Ok(Shape::new(&[sizes.batch, sizes.out_height(), sizes.out_width(), sizes.out_channels]))
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        (output.numel() * inputs[1][1..].iter().product::<usize>()) as u64
    }

    fn reads_recipe(&self, i: usize, inputs: Operands<'_>) -> bool {
        let sizes = self.0.sizes(inputs.shape(0), inputs.shape(1)).expect("checked by output_shape");
        i == 0 && self.0.algorithm.takes_computed_input(&sizes)
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, w) = (f.inputs.pointwise(0), f.inputs.value(1));
        let bias = (f.inputs.len() == 3).then(|| f.inputs.value(2));
        conv2d_forward(f.output, x, w, bias, &self.sizes(f.inputs), self.0.algorithm);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x, w, sizes) = (b.inputs.pointwise(0), b.inputs.value(1), self.sizes(b.inputs));
        let shards = b.shards;
        if b.inputs.len() == 3
            && let Some(db) = b.grads.get(2)
        {
            let n_pixels = sizes.batch * sizes.out_height() * sizes.out_width();
            reduce_rows(db.data, b.dy, n_pixels, sizes.out_channels, Reduction::Sum, &shards, db.beta);
        }
        b.grads.write_sum(1, &shards, |dw, shards, beta| {
            conv2d_backward_weight(dw, b.dy, x, &sizes, shards, beta, self.0.algorithm);
        });
        if let Some(dx) = b.grads.get(0) {
            conv2d_backward_input(dx.data, b.dy, w, &sizes, dx.beta, self.0.algorithm);
        }
    }
}

/// Checks the optional bias, input 2.
pub(super) fn check_bias(inputs: &[Shape], out_channels: usize) -> Result<(), ShapeError> {
    match inputs.get(2) {
        Some(bias) if bias.dims() != [out_channels] => Err(ShapeError::new(format!(
            "the bias is {bias}, but the weight {} produces {}; make the bias [{out_channels}]",
            inputs[1],
            count(out_channels, "channel")
        ))),
        _ => Ok(()),
    }
}

impl Graph<'_> {
    /// Convolution (cross-correlation, as usual in deep learning) of images `[n, h, w, in_channels]` by a
    /// weight `[out_channels, in_channels / groups, kh, kw]`, plus a bias `[out_channels]`, to
    /// `[n, h', w', out_channels]`; `torch.nn.functional.conv2d` except for the layout of the images.
    ///
    /// h' = ⌊(h + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, and w' likewise.
    ///
    /// # Panics
    /// When the shapes and options do not fit each other, or a forced algorithm does not support them.
    #[track_caller]
    pub fn conv2d(&self, x: Var, weight: Var, bias: Option<Var>, options: Conv2dOptions) -> Var {
        match bias {
            Some(bias) => self.apply(Conv2d(options), &[x, weight, bias]),
            None => self.apply(Conv2d(options), &[x, weight]),
        }
    }
}
