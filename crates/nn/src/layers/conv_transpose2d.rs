//! The two-dimensional transposed convolution.

use autograd::{ConvTranspose2dOptions, Graph, Var};
use tensor::Shape;

use super::affine::{Affine, affine_options, check_groups};
use super::pair::Pair;
use crate::config::{Args, Describe, described};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// A transposed convolution of images N × H × W × C: the operation by which a [`Conv2d`](crate::Conv2d)
/// computes its input gradient from its output gradient. It enlarges images by as much as the convolution
/// shrinks them.
///
/// `[n, h, w, in_channels]` to `[n, h', w', out_channels]`, where
/// `h' = (h − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1` and `w'` likewise.
///
/// Parameters as in PyTorch's `nn.ConvTranspose2d`: `weight` `[in_channels, out_channels / groups, kh, kw]`
/// and `bias` `[out_channels]`, both uniform in ±1/√fan_in by default, with fan_in as in PyTorch:
/// out_channels / groups · kh · kw.
///
/// ```
/// use nn::ConvTranspose2d;
/// let up = ConvTranspose2d::new(64, 32, 3).stride(2).padding(1).output_padding(1);
/// let text = "ConvTranspose2d(64, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))";
/// assert_eq!(format!("{up:?}"), text);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ConvTranspose2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: [usize; 2],
    options: ConvTranspose2dOptions,
    affine: Affine,
}

impl ConvTranspose2d {
    /// Creates a layer with stride 1, no padding, no dilation, one group and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            options: ConvTranspose2dOptions::default(),
            affine: Affine::new(),
        }
    }

    /// Sets the number of output steps from one input to the next; one number or `[vertical, horizontal]`.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Sets how many pixels are cut off on each side; one number or `[vertical, horizontal]`.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// Sets how many pixels are added below and on the right; must be less than the stride or the dilation;
    /// one number or `[vertical, horizontal]`.
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Self {
        self.options.output_padding = output_padding.into().0;
        self
    }

    /// Sets the distance between the kernel's taps; one number or `[vertical, horizontal]`.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.options.dilation = dilation.into().0;
        self
    }

    /// Splits the channels into independent groups; must divide both channel counts.
    pub fn groups(mut self, groups: usize) -> Self {
        self.options.groups = groups;
        self
    }

    affine_options!();
}

impl Layer for ConvTranspose2d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.check(self);
        let [kh, kw] = self.kernel_size;
        let weight = Shape::new(&[self.in_channels, self.out_channels / self.options.groups, kh, kw]);
        self.affine.register(scope, weight, self.out_channels);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.conv_transpose2d(x, weight, bias, self.options)
    }
}

impl Describe for ConvTranspose2d {
    const NAME: &str = "ConvTranspose2d";

    fn blank() -> Self {
        Self::new(0, 0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("in_channels", &mut self.in_channels);
        args.positional("out_channels", &mut self.out_channels);
        args.named("kernel_size", &mut self.kernel_size);
        args.shown("stride", &mut self.options.stride, [1, 1]);
        args.option("padding", &mut self.options.padding, [0, 0]);
        // PyTorch prints these in another order than it takes them.
        args.keyword("dilation", &mut self.options.dilation, [1, 1]);
        args.keyword("output_padding", &mut self.options.output_padding, [0, 0]);
        args.keyword("groups", &mut self.options.groups, 1);
        args.keyword("bias", &mut self.affine.has_bias, true);
        args.only("padding_mode", "zeros".to_owned());
        self.affine.describe(args);
    }

    fn check(&self) -> Result<(), String> {
        check_groups(self.options.groups, [self.in_channels, self.out_channels])
    }
}

described!(ConvTranspose2d);
