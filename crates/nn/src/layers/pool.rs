//! Pooling layers.

use autograd::{Graph, Pool1dOptions, Pool2dOptions, PoolOptions, Var};

use super::pair::{Pair, pair, single};
use crate::config::{Args, Describe, Sizes, described};
use crate::layer::Layer;

/// The maximum of each window; padding never wins. `[n, h, w, c]` to `[n, h', w', c]`, where
/// `h' = ⌊(h + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1` and `w'` likewise; in ceil mode ⌈ ⌉.
#[derive(Clone)]
#[must_use]
pub struct MaxPool2d {
    options: Pool2dOptions,
}

/// The mean of each window; the padding's zeros are counted, as in PyTorch by default. Shapes as for
/// [`MaxPool2d`].
#[derive(Clone)]
#[must_use]
pub struct AvgPool2d {
    options: Pool2dOptions,
}

/// The maximum of each window of sequences, `[n, t, c]` to `[n, t', c]`; `t'` is computed like the height in
/// [`MaxPool2d`].
#[derive(Clone)]
#[must_use]
pub struct MaxPool1d {
    options: Pool1dOptions,
}

/// The mean of each window of sequences, `[n, t, c]` to `[n, t', c]`; the padding's zeros are counted, as in
/// PyTorch by default.
#[derive(Clone)]
#[must_use]
pub struct AvgPool1d {
    options: Pool1dOptions,
}

/// The mean of each channel over the whole image: `[n, h, w, c]` to `[n, c]`, like PyTorch's
/// `AdaptiveAvgPool2d(1)` followed by `Flatten`.
#[derive(Clone)]
pub struct GlobalAvgPool2d;

/// The means of a given number of windows, whatever the image's size: `[n, h, w, c]` to `[n, h', w', c]`.
/// Window `i` of `n` extends from ⌊i·h / n⌋ to ⌈(i + 1)·h / n⌉.
#[derive(Clone)]
#[must_use]
pub struct AdaptiveAvgPool2d {
    output_size: [usize; 2],
}

/// The maxima of a given number of windows; windows as for [`AdaptiveAvgPool2d`].
#[derive(Clone)]
#[must_use]
pub struct AdaptiveMaxPool2d {
    output_size: [usize; 2],
}

/// The means of a given number of windows, whatever the sequence's length: `[n, t, c]` to `[n, t', c]`; windows
/// as for [`AdaptiveAvgPool2d`].
#[derive(Clone)]
#[must_use]
pub struct AdaptiveAvgPool1d {
    output_size: [usize; 1],
}

/// The maxima of a given number of windows; windows as for [`AdaptiveAvgPool1d`].
#[derive(Clone)]
#[must_use]
pub struct AdaptiveMaxPool1d {
    output_size: [usize; 1],
}

/// The constructor and the builder methods of a layer with `options`; takes the type of a size and how it is
/// read.
macro_rules! window_options {
    ($size:ty, $read:path) => {
        /// Creates a layer with adjacent windows of this size.
        pub fn new(kernel_size: $size) -> Self {
            Self { options: PoolOptions::new($read(kernel_size)) }
        }

        /// Sets the step of the window along each axis; the default is its size.
        pub fn stride(mut self, stride: $size) -> Self {
            self.options.stride = $read(stride);
            self
        }

        /// Sets the border added on each side, at most half the window; the default is none.
        pub fn padding(mut self, padding: $size) -> Self {
            self.options.padding = $read(padding);
            self
        }

        /// Sets whether a last window may extend past the padded edge, though not start beyond the image; off
        /// by default.
        pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
            self.options.ceil_mode = ceil_mode;
            self
        }
    };
}

/// The builder method that only maxima have.
macro_rules! dilation {
    ($size:ty, $read:path) => {
        /// Sets the distance between the elements of a window; the default is 1.
        pub fn dilation(mut self, dilation: $size) -> Self {
            self.options.dilation = $read(dilation);
            self
        }
    };
}

/// The builder method that only means have.
macro_rules! count_include_pad {
    () => {
        /// Sets whether the padding's zeros are counted; on by default.
        pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
            self.options.count_include_pad = count_include_pad;
            self
        }
    };
}

impl MaxPool2d {
    window_options!(impl Into<Pair>, pair);
    dilation!(impl Into<Pair>, pair);

    /// Whether this is the 2 × 2 window with stride 2 and no padding.
    pub(crate) fn is_2x2(&self) -> bool {
        self.options == Pool2dOptions::new([2, 2])
    }
}

impl AvgPool2d {
    window_options!(impl Into<Pair>, pair);
    count_include_pad!();
}

impl MaxPool1d {
    window_options!(usize, single);
    dilation!(usize, single);
}

impl AvgPool1d {
    window_options!(usize, single);
    count_include_pad!();
}

impl Layer for MaxPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.max_pool2d(x, self.options)
    }
}

impl Layer for AvgPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.avg_pool2d(x, self.options)
    }
}

impl Layer for MaxPool1d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.max_pool1d(x, self.options)
    }
}

impl Layer for AvgPool1d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.avg_pool1d(x, self.options)
    }
}

impl Layer for GlobalAvgPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.global_avg_pool2d(x)
    }
}

/// How a maximum is printed and parsed; an option is one number if it is the same for all axes.
fn describe_max<const N: usize>(options: &mut PoolOptions<N>, args: &mut Args<'_>) {
    describe_window(options, args);
    args.option_as::<Sizes<N>, _>("dilation", &mut options.dilation, [1; N]);
    args.only("return_indices", false);
    args.option("ceil_mode", &mut options.ceil_mode, false);
}

/// The same for a mean.
fn describe_avg<const N: usize>(options: &mut PoolOptions<N>, args: &mut Args<'_>) {
    describe_window(options, args);
    args.option("ceil_mode", &mut options.ceil_mode, false);
    args.option("count_include_pad", &mut options.count_include_pad, true);
}

fn describe_window<const N: usize>(options: &mut PoolOptions<N>, args: &mut Args<'_>) {
    args.named_as::<Sizes<N>, _>("kernel_size", &mut options.kernel_size);
    args.shown_as::<Sizes<N>, _>("stride", &mut options.stride, options.kernel_size);
    args.option_as::<Sizes<N>, _>("padding", &mut options.padding, [0; N]);
}

macro_rules! describe_by {
    ($($layer:ident: $describe:ident,)*) => {$(
        impl Describe for $layer {
            const NAME: &str = stringify!($layer);

            fn blank() -> Self {
                Self::new(1)
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                $describe(&mut self.options, args);
            }
        }
    )*};
}
describe_by! {
    MaxPool1d: describe_max,
    MaxPool2d: describe_max,
    AvgPool1d: describe_avg,
    AvgPool2d: describe_avg,
}

impl Describe for GlobalAvgPool2d {
    const NAME: &str = "GlobalAvgPool2d";

    fn blank() -> Self {
        Self
    }

    fn describe(&mut self, _: &mut Args<'_>) {}
}

/// A layer with an `output_size`; takes the type of a size, how it is read, and how the layer is run.
macro_rules! adaptive {
    ($layer:ident, $size:ty, $read:path, $doc:literal, $run:expr) => {
        impl $layer {
            #[doc = concat!("Creates a layer with this number of windows", $doc, ".")]
            pub fn new(output_size: $size) -> Self {
                Self { output_size: $read(output_size) }
            }
        }

        impl Layer for $layer {
            fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
                $run(g, x, self.output_size)
            }
        }

        impl Describe for $layer {
            const NAME: &str = stringify!($layer);

            fn blank() -> Self {
                Self::new(1)
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                args.named_as::<Sizes<_>, _>("output_size", &mut self.output_size);
            }
        }
    };
}

adaptive!(
    AdaptiveAvgPool2d,
    impl Into<Pair>,
    pair,
    "; one number or `[vertical, horizontal]`",
    Graph::adaptive_avg_pool2d
);
adaptive!(
    AdaptiveMaxPool2d,
    impl Into<Pair>,
    pair,
    "; one number or `[vertical, horizontal]`",
    Graph::adaptive_max_pool2d
);
adaptive!(AdaptiveAvgPool1d, usize, single, "", |g: &Graph<'_>, x, [size]: [usize; 1]| {
    g.adaptive_avg_pool1d(x, size)
});
adaptive!(AdaptiveMaxPool1d, usize, single, "", |g: &Graph<'_>, x, [size]: [usize; 1]| {
    g.adaptive_max_pool1d(x, size)
});

described!(MaxPool2d, AvgPool2d, MaxPool1d, AvgPool1d, GlobalAvgPool2d);
described!(AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d);
