//! The two-dimensional convolution.

use std::fmt;

use autograd::{Conv2dOptions, Graph, Var};
use tensor::Shape;
use tensor::conv::Algorithm;

use super::affine::{Affine, affine_options};
use super::pair::Pair;
use crate::init::Init;
use crate::layer::{Layer, Scope};

/// A convolution (cross-correlation, as everywhere in the field) of images N × H × W × C.
///
/// `[n, h, w, in_channels]` to `[n, h', w', out_channels]`, where
/// `h' = ⌊(h + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1` and `w'` likewise.
///
/// Parameters as PyTorch's `nn.Conv2d`: `weight` `[out_channels, in_channels / groups, kh, kw]` and
/// `bias` `[out_channels]`, both uniform in ±1/√fan_in unless told otherwise.
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
    affine: Affine,
}

impl Conv2d {
    /// Stride 1, no padding, no dilation, one group, with a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            options: Conv2dOptions::default(),
            affine: Affine::new(),
        }
    }

    /// The step of the kernel; one number or `[vertical, horizontal]`.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Zeros added on each side; one number or `[vertical, horizontal]`.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// The distance between the kernel's taps; one number or `[vertical, horizontal]`.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.options.dilation = dilation.into().0;
        self
    }

    /// Splits the channels into groups that do not see each other; must divide both counts.
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

    /// The layer with a ReLU and a 2 × 2 max-pool behind it, as one op; `None` where there is no kernel
    /// for these sizes, or an algorithm was forced.
    pub(crate) fn forward_relu_pool(&self, g: &Graph<'_>, x: Var) -> Option<Var> {
        self.options.block(g.shape(x), self.weight_shape())?;
        let (weight, bias) = self.affine.vars(g, self);
        Some(g.conv_relu_pool(x, weight, bias, self.options))
    }

    fn weight_shape(&self) -> Shape {
        let [kh, kw] = self.kernel_size;
        Shape::new(&[self.out_channels, self.in_channels / self.options.groups, kh, kw])
    }
}

impl Layer for Conv2d {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let groups = self.options.groups;
        assert!(
            groups > 0 && self.in_channels.is_multiple_of(groups) && self.out_channels.is_multiple_of(groups),
            "{self:?}: groups must divide in_channels and out_channels"
        );
        self.affine.register(scope, self.weight_shape());
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let (weight, bias) = self.affine.vars(g, self);
        g.conv2d(x, weight, bias, self.options)
    }
}

impl fmt::Debug for Conv2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_channels, out_channels, kernel_size, options, affine } = self;
        let pair = |[a, b]: [usize; 2]| format!("({a}, {b})");
        let size = pair(*kernel_size);
        write!(
            f,
            "Conv2d({in_channels}, {out_channels}, kernel_size={size}, stride={}",
            pair(options.stride)
        )?;
        if options.padding != [0, 0] {
            write!(f, ", padding={}", pair(options.padding))?;
        }
        if options.dilation != [1, 1] {
            write!(f, ", dilation={}", pair(options.dilation))?;
        }
        if options.groups != 1 {
            write!(f, ", groups={}", options.groups)?;
        }
        f.write_str(if affine.has_bias { ")" } else { ", bias=False)" })
    }
}
