//! The two-dimensional convolution.

use autograd::{Conv2dOptions, Graph, PadMode, Var};
use tensor::Shape;
use tensor::conv::Algorithm;

use super::affine::{Affine, affine_options, check_groups};
use super::pad::Border;
use super::pair::Pair;
use crate::config::{Args, Describe, Value, described, names};
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// A convolution (cross-correlation, as is usual in the field) of images N × H × W × C.
///
/// `[n, h, w, in_channels]` to `[n, h', w', out_channels]`, where
/// `h' = ⌊(h + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1` and `w'` likewise.
///
/// Parameters as in PyTorch's `nn.Conv2d`: `weight` `[out_channels, in_channels / groups, kh, kw]` and `bias`
/// `[out_channels]`, both uniform in ±1/√fan_in by default.
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
    options: Conv2dOptions,
    /// Whether the padding preserves the size instead of coming from the options.
    same: bool,
    padding_mode: PaddingMode,
    affine: Affine,
}

/// The values that a [`Conv2d`] uses for the pixels around an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The image mirrored at its edges, without repeating the edge itself.
    Reflect,
    /// The edge repeated.
    Replicate,
    /// The opposite side of the image.
    Circular,
}

impl Conv2d {
    /// Creates a layer with stride 1, no padding, no dilation, one group and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            options: Conv2dOptions::default(),
            same: false,
            padding_mode: PaddingMode::Zeros,
            affine: Affine::new(),
        }
    }

    /// Sets the step of the kernel; one number or `[vertical, horizontal]`.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Sets the number of pixels added on each side; one number or `[vertical, horizontal]`.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.options.padding = padding.into().0;
        self.same = false;
        self
    }

    /// Pads so that the image keeps its size, PyTorch's `padding="same"`: dilation · (kernel_size − 1) pixels
    /// on each axis, half of them on each side; an odd one goes below or on the right. The stride must be 1.
    pub fn padding_same(mut self) -> Self {
        self.options.padding = [0, 0];
        self.same = true;
        self
    }

    /// Sets the values of the added pixels; the default is [`PaddingMode::Zeros`].
    pub fn padding_mode(mut self, padding_mode: PaddingMode) -> Self {
        self.padding_mode = padding_mode;
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
        let Padding::Zeros(padding) = self.padding_of_image() else { return None };
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
        match self.padding_of_image() {
            Padding::Zeros(padding) => g.conv2d(x, weight, bias, Conv2dOptions { padding, ..self.options }),
            Padding::Border(border, mode) => {
                let options = Conv2dOptions { padding: [0, 0], ..self.options };
                g.conv2d(border.around(g, x, mode), weight, bias, options)
            }
        }
    }

    /// How an image is padded: by the convolution itself, or with a border added before it.
    fn padding_of_image(&self) -> Padding {
        let sides: [[usize; 2]; 2] = [0, 1].map(|axis| {
            let added = self.options.dilation[axis] * (self.kernel_size[axis].max(1) - 1);
            if self.same { [added / 2, added.div_ceil(2)] } else { [self.options.padding[axis]; 2] }
        });
        let mode = match self.padding_mode {
            PaddingMode::Zeros if sides.iter().all(|[before, after]| before == after) => {
                return Padding::Zeros(sides.map(|[before, _]| before));
            }
            PaddingMode::Zeros => PadMode::Constant(0.0),
            PaddingMode::Reflect => PadMode::Reflect,
            PaddingMode::Replicate => PadMode::Replicate,
            PaddingMode::Circular => PadMode::Circular,
        };
        let [[top, bottom], [left, right]] = sides;
        Padding::Border(Border([left, right, top, bottom]), mode)
    }

    fn weight_shape(&self) -> Shape {
        let [kh, kw] = self.kernel_size;
        Shape::new(&[self.out_channels, self.in_channels / self.options.groups, kh, kw])
    }
}

/// Pixels added to an image.
enum Padding {
    /// Zeros, equally many on both sides.
    Zeros([usize; 2]),
    /// A border that the convolution does not add itself.
    Border(Border, PadMode),
}

impl Layer for Conv2d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.check().unwrap_or_else(|error| panic!("{self:?}: {error}"));
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
        let mut padding =
            if self.same { PaddingText::Same } else { PaddingText::Sizes(self.options.padding) };
        args.option("padding", &mut padding, PaddingText::Sizes([0, 0]));
        (self.same, self.options.padding) = match padding {
            PaddingText::Same => (true, [0, 0]),
            PaddingText::Sizes(sizes) => (false, sizes),
        };
        args.option("dilation", &mut self.options.dilation, [1, 1]);
        args.option("groups", &mut self.options.groups, 1);
        args.option("bias", &mut self.affine.has_bias, true);
        args.option("padding_mode", &mut self.padding_mode, PaddingMode::Zeros);
        self.affine.describe(args);
        args.hidden("algorithm", &mut self.options.algorithm, Algorithm::Auto);
    }

    fn check(&self) -> Result<(), String> {
        check_groups(self.options.groups, [self.in_channels, self.out_channels])?;
        match self.same && self.options.stride != [1, 1] {
            true => Err("padding=same needs a stride of 1; give the padding as a number".to_owned()),
            false => Ok(()),
        }
    }
}

described!(Conv2d);

names!(PaddingMode, "zeros, reflect, replicate or circular", {
    "zeros" => Self::Zeros,
    "reflect" => Self::Reflect,
    "replicate" => Self::Replicate,
    "circular" => Self::Circular,
});

/// The padding as it is written: sizes, or `same`.
#[derive(Clone, PartialEq)]
enum PaddingText {
    Same,
    Sizes([usize; 2]),
}

impl Value for PaddingText {
    const EXPECTED: &str = "a number, one for each axis, or same";

    fn write(&self) -> String {
        match self {
            Self::Same => "same".to_owned(),
            Self::Sizes(sizes) => sizes.write(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "same" { Some(Self::Same) } else { Value::read(text).map(Self::Sizes) }
    }
}
