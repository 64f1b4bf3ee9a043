//! One-dimensional convolutions.

use autograd::{Conv1dOptions, ConvTranspose1dOptions, Graph, Var};
use tensor::Shape;

use super::affine::{Affine, affine_options, check_groups};
use super::conv_padding::{ConvPadding, PaddingMode, PaddingSize, padding_options};
use super::pair::single;
use crate::config::{Args, Describe, One, described};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// A convolution (cross-correlation, as is usual in the field) of sequences N × T × C.
///
/// `[n, t, in_channels]` to `[n, t', out_channels]`, where
/// `t' = ⌊(t + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1`.
///
/// Parameters as in PyTorch's `nn.Conv1d`: `weight` `[out_channels, in_channels / groups, k]` and `bias`
/// `[out_channels]`, both uniform in ±1/√fan_in by default.
///
/// ```
/// use nn::Conv1d;
/// let conv = Conv1d::new(8, 16, 3).padding(1);
/// assert_eq!(format!("{conv:?}"), "Conv1d(8, 16, kernel_size=(3,), stride=(1,), padding=(1,))");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Conv1d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    /// All but the padding.
    options: Conv1dOptions,
    padding: ConvPadding<1>,
    affine: Affine,
}

/// A transposed convolution of sequences N × T × C: the operation by which a [`Conv1d`] computes its input
/// gradient from its output gradient.
///
/// `[n, t, in_channels]` to `[n, t', out_channels]`, where
/// `t' = (t − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1`.
///
/// Parameters as in PyTorch's `nn.ConvTranspose1d`: `weight` `[in_channels, out_channels / groups, k]` and
/// `bias` `[out_channels]`, both uniform in ±1/√fan_in by default, where fan_in is out_channels / groups · k.
#[derive(Clone)]
#[must_use]
pub struct ConvTranspose1d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    options: ConvTranspose1dOptions,
    affine: Affine,
}

/// The constructor and the builder methods of both layers.
macro_rules! sequence_options {
    ($options:ty $(, padding: $padding:expr)?) => {
        /// Creates a layer with stride 1, no padding, no dilation, one group and a bias.
        pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Self {
            let (options, affine) = (<$options>::default(), Affine::new());
            Self { in_channels, out_channels, kernel_size, options, $(padding: $padding,)? affine }
        }

        /// Sets the distance between the kernel's taps.
        pub fn dilation(mut self, dilation: usize) -> Self {
            self.options.dilation = dilation;
            self
        }

        /// Splits the channels into independent groups; must divide both channel counts.
        pub fn groups(mut self, groups: usize) -> Self {
            self.options.groups = groups;
            self
        }

        affine_options!();
    };
}

impl Conv1d {
    sequence_options!(Conv1dOptions, padding: ConvPadding::none());
    padding_options!(usize, single);

    /// Sets the step of the kernel.
    pub fn stride(mut self, stride: usize) -> Self {
        self.options.stride = stride;
        self
    }
}

impl ConvTranspose1d {
    sequence_options!(ConvTranspose1dOptions);

    /// Sets the number of output steps from one input to the next.
    pub fn stride(mut self, stride: usize) -> Self {
        self.options.stride = stride;
        self
    }

    /// Sets how many steps are cut off at each end.
    pub fn padding(mut self, padding: usize) -> Self {
        self.options.padding = padding;
        self
    }

    /// Sets how many steps are added at the end; must be less than the stride or the dilation.
    pub fn output_padding(mut self, output_padding: usize) -> Self {
        self.options.output_padding = output_padding;
        self
    }
}

impl Layer for Conv1d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.check(self);
        let weight = [self.out_channels, self.in_channels / self.options.groups, self.kernel_size];
        self.affine.register(scope, Shape::new(&weight), self.out_channels);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        let (x, [padding]) = self.padding.add_to(g, x, [self.kernel_size], [self.options.dilation]);
        g.conv1d(x, weight, bias, Conv1dOptions { padding, ..self.options })
    }
}

impl Layer for ConvTranspose1d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.check(self);
        let weight = [self.in_channels, self.out_channels / self.options.groups, self.kernel_size];
        self.affine.register(scope, Shape::new(&weight), self.out_channels);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.conv_transpose1d(x, weight, bias, self.options)
    }
}

impl Describe for Conv1d {
    const NAME: &str = "Conv1d";

    fn blank() -> Self {
        Self::new(0, 0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("in_channels", &mut self.in_channels);
        args.positional("out_channels", &mut self.out_channels);
        args.named_as::<One, _>("kernel_size", &mut self.kernel_size);
        args.shown_as::<One, _>("stride", &mut self.options.stride, 1);
        self.padding.describe_size(args);
        args.option_as::<One, _>("dilation", &mut self.options.dilation, 1);
        args.option("groups", &mut self.options.groups, 1);
        args.option("bias", &mut self.affine.has_bias, true);
        self.padding.describe_mode(args);
        self.affine.describe(args);
    }

    fn check(&self) -> Result<(), String> {
        check_groups(self.options.groups, [self.in_channels, self.out_channels])?;
        self.padding.check([self.options.stride])
    }
}

impl Describe for ConvTranspose1d {
    const NAME: &str = "ConvTranspose1d";

    fn blank() -> Self {
        Self::new(0, 0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("in_channels", &mut self.in_channels);
        args.positional("out_channels", &mut self.out_channels);
        args.named_as::<One, _>("kernel_size", &mut self.kernel_size);
        args.shown_as::<One, _>("stride", &mut self.options.stride, 1);
        args.option_as::<One, _>("padding", &mut self.options.padding, 0);
        // PyTorch prints these in another order than it takes them.
        args.keyword_as::<One, _>("dilation", &mut self.options.dilation, 1);
        args.keyword_as::<One, _>("output_padding", &mut self.options.output_padding, 0);
        args.keyword("groups", &mut self.options.groups, 1);
        args.keyword("bias", &mut self.affine.has_bias, true);
        args.only("padding_mode", "zeros".to_owned());
        self.affine.describe(args);
    }

    fn check(&self) -> Result<(), String> {
        check_groups(self.options.groups, [self.in_channels, self.out_channels])
    }
}

described!(Conv1d, ConvTranspose1d);
