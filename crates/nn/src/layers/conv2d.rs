//! The two-dimensional convolution.

use autograd::{Conv2dOptions, Graph, Var};
use tensor::Shape;
use tensor::conv::Algorithm;

use super::affine::{Affine, affine_options, check_groups};
use super::conv_padding::{ConvPadding, PaddingMode, PaddingSize, padding_options};
use super::pair::{Pair, pair};
use crate::config::{Args, Describe, described};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// A convolution (cross-correlation, as is usual in the field) of images N × H × W × C.
///
/// `[n, h, w, in_channels]` to `[n, h', w', out_channels]`, where
/// `h' = ⌊(h + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1` and `w'` likewise.
///
/// Parameters as in PyTorch's `nn.Conv2d`: `weight` `[out_channels, in_channels / groups, kh, kw]` and `bias`
/// `[out_channels]`, both uniform in ±1/√fan_in by default, with fan_in = in_channels / groups · kh · kw.
///
/// ```
/// use nn::Conv2d;
/// let conv = Conv2d::new(3, 32, 3).padding(1);
/// assert_eq!(format!("{conv:?}"), "Conv2d(3, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Conv2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: [usize; 2],
    /// All but the padding.
    options: Conv2dOptions,
    padding: ConvPadding<2>,
    affine: Affine,
}

impl Conv2d {
    /// Creates a layer with stride 1, no padding, no dilation, one group and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            options: Conv2dOptions::default(),
            padding: ConvPadding::none(),
            affine: Affine::new(),
        }
    }

    /// Sets the step of the kernel; one number or `[vertical, horizontal]`.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    padding_options!(impl Into<Pair>, pair);

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

    /// Forces an algorithm, for tests and benchmarks; by default the shape decides.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.options.algorithm = algorithm;
        self
    }

    affine_options!();

    /// Runs the layer and a 2 × 2 max-pool, optionally with a ReLU between them, as one op; `None` if there
    /// is no kernel for these sizes or an algorithm was forced.
    pub(crate) fn forward_pool(&self, g: &Graph<'_>, x: Var, relu: bool) -> Option<Var> {
        // A separate border is a separate op.
        let padding = self.padding.zeros(self.kernel_size, self.options.dilation)?;
        let options = Conv2dOptions { padding, ..self.options };
        options.block(g.shape(x), self.weight_shape())?;
        let (weight, bias) = self.affine.vars(g, self);
        Some(match relu {
            true => g.conv_relu_pool(x, weight, bias, options),
            false => g.conv_pool(x, weight, bias, options),
        })
    }

    /// Whether there are no more weights than an image of `x` has numbers: then scaling the weights is
    /// cheaper than scaling images, however few there are.
    pub(crate) fn is_small_beside(&self, x: Shape) -> bool {
        x.rank() == 4 && self.weight_shape().numel() <= x[1..].iter().product()
    }

    /// Runs the layer with its output channels multiplied by `scale` and shifted by `shift`, both folded into
    /// weight and bias.
    pub(crate) fn forward_scaled(&self, g: &Graph<'_>, x: Var, [scale, shift]: [Var; 2]) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        let weight = g.mul(weight, g.reshape(scale, [self.out_channels, 1, 1, 1]));
        let bias = bias.map_or(shift, |bias| g.add(g.mul(bias, scale), shift));
        self.convolve(g, x, weight, Some(bias))
    }

    fn convolve(&self, g: &Graph<'_>, x: Var, weight: Var, bias: Option<Var>) -> Var {
        let (x, padding) = self.padding.add_to(g, x, self.kernel_size, self.options.dilation);
        g.conv2d(x, weight, bias, Conv2dOptions { padding, ..self.options })
    }

    fn weight_shape(&self) -> Shape {
        let [kh, kw] = self.kernel_size;
        Shape::new(&[self.out_channels, self.in_channels / self.options.groups, kh, kw])
    }
}

impl Layer for Conv2d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.check(self);
        self.affine.register(scope, self.weight_shape(), self.out_channels);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        self.convolve(g, x, weight, bias)
    }
}

impl Describe for Conv2d {
    const NAME: &str = "Conv2d";

    fn blank() -> Self {
        Self::new(0, 0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("in_channels", &mut self.in_channels);
        args.positional("out_channels", &mut self.out_channels);
        args.named("kernel_size", &mut self.kernel_size);
        args.shown("stride", &mut self.options.stride, [1, 1]);
        self.padding.describe_size(args);
        args.option("dilation", &mut self.options.dilation, [1, 1]);
        args.option("groups", &mut self.options.groups, 1);
        args.option("bias", &mut self.affine.has_bias, true);
        self.padding.describe_mode(args);
        self.affine.describe(args);
        args.hidden("algorithm", &mut self.options.algorithm, Algorithm::Auto);
    }

    fn check(&self) -> Result<(), String> {
        check_groups(self.options.groups, [self.in_channels, self.out_channels])?;
        self.padding.check(self.options.stride)
    }
}

described!(Conv2d);
