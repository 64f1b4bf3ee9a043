//! Convolutions of sequences, computed as images one row high.

use tensor::Shape;

use super::conv_transpose2d::ConvTranspose2dOptions;
use super::conv2d::{Conv2dOptions, check_bias};
use super::shared::{channels_last_hint, count};
use crate::{Graph, Var};

/// The options of [`Graph::conv1d`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dOptions {
    /// The stride of the kernel (default 1).
    pub stride: usize,
    /// Zeros added on each side (default 0).
    pub padding: usize,
    /// The distance between the kernel's taps (default 1).
    pub dilation: usize,
    /// The number of channel groups, which are convolved separately (default 1).
    pub groups: usize,
}

impl Default for Conv1dOptions {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1 }
    }
}

/// The options of [`Graph::conv_transpose1d`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose1dOptions {
    /// The distance in the output from one input to the next (default 1).
    pub stride: usize,
    /// How much is cut off on each side (default 0).
    pub padding: usize,
    /// How much is added at the end, less than the stride or the dilation (default 0).
    pub output_padding: usize,
    /// The distance between the kernel's taps (default 1).
    pub dilation: usize,
    /// The number of channel groups, which are convolved separately (default 1).
    pub groups: usize,
}

impl Default for ConvTranspose1dOptions {
    fn default() -> Self {
        Self { stride: 1, padding: 0, output_padding: 0, dilation: 1, groups: 1 }
    }
}

/// The sizes of a convolution of sequences of `t` steps.
struct Sizes {
    t: usize,
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    kernel_size: usize,
    stride: usize,
    dilation: usize,
}

impl Sizes {
    /// Checks that nothing is 0, and that the groups divide the channels.
    fn check(&self) -> Result<(), String> {
        let &Self { t, in_channels, out_channels, groups, kernel_size, stride, dilation } = self;
        let channels = [("in_channels", in_channels), ("out_channels", out_channels)];
        let others = [("the kernel size", kernel_size), ("the stride", stride), ("the dilation", dilation)];
        let all = [("the length", t), ("groups", groups)].into_iter().chain(channels).chain(others);
        if let Some((name, _)) = all.into_iter().find(|&(_, size)| size == 0) {
            return Err(format!("{name} is 0; it must be at least 1"));
        }
        match channels.into_iter().find(|(_, channels)| !channels.is_multiple_of(groups)) {
            Some((name, n)) => {
                Err(format!("{name} = {n} is not divisible by groups = {groups}; change one of them"))
            }
            None => Ok(()),
        }
    }

    /// Checks that the kernel fits.
    fn check_span(&self, padding: usize) -> Result<(), String> {
        self.check()?;
        let padded = padding.checked_mul(2).and_then(|padding| padding.checked_add(self.t));
        let span = (self.kernel_size - 1).checked_mul(self.dilation);
        match (padded, span) {
            (Some(padded), Some(span)) if span < padded => Ok(()),
            _ => Err(format!(
                "the kernel of size {} with dilation {} does not fit the length {} with padding {padding}; make the \
                 kernel smaller, or the padding or the sequences larger",
                self.kernel_size, self.dilation, self.t
            )),
        }
    }

    /// Checks that a transposed convolution leaves something.
    fn check_transposed(&self, padding: usize, output_padding: usize) -> Result<(), String> {
        self.check()?;
        let &Self { t, kernel_size, stride, dilation, .. } = self;
        if output_padding >= stride.max(dilation) {
            return Err(format!(
                "the output padding {output_padding} is less than neither the stride {stride} nor the dilation \
                 {dilation}; reduce it"
            ));
        }
        let steps = (t - 1).saturating_mul(stride);
        let span = (kernel_size - 1).saturating_mul(dilation);
        let whole = steps.saturating_add(span).saturating_add(output_padding + 1);
        match padding.saturating_mul(2) >= whole {
            true => Err(format!("the padding {padding} leaves nothing of the length {whole}; reduce it")),
            false => Ok(()),
        }
    }
}

impl Graph<'_> {
    /// Convolution of sequences `[n, t, in_channels]` by a weight `[out_channels, in_channels / groups, k]`,
    /// plus a bias `[out_channels]`, to `[n, t', out_channels]`; `torch.nn.functional.conv1d` except for the
    /// layout of the sequences.
    ///
    /// t' = ⌊(t + 2·padding − dilation·(k − 1) − 1) / stride⌋ + 1. It is recorded as the [`conv2d`](Self::conv2d) of
    /// images one row high.
    ///
    /// # Panics
    /// When the shapes and options do not fit each other.
    #[track_caller]
    pub fn conv1d(&self, x: Var, weight: Var, bias: Option<Var>, options: Conv1dOptions) -> Var {
        let Conv1dOptions { stride, padding, dilation, groups } = options;
        let group_channels = self.expect_weight_of_sequences("conv1d", weight, 1);
        self.expect_sequences("conv1d", x, group_channels.saturating_mul(groups));
        self.expect_fit("conv1d", (x, weight, bias), |x, weight| {
            let [t, in_channels, out_channels] = [x[1], x[2], weight[0]];
            let sizes =
                Sizes { t, in_channels, out_channels, groups, kernel_size: weight[2], stride, dilation };
            sizes.check_span(padding).map(|()| out_channels)
        });
        let options = Conv2dOptions {
            stride: [1, stride],
            padding: [0, padding],
            dilation: [1, dilation],
            groups,
            ..Conv2dOptions::default()
        };
        self.one_row_high(x, |g, x| g.conv2d(x, g.weight_one_row_high(weight), bias, options))
    }

    /// Transposed convolution of sequences `[n, t, in_channels]` by a weight
    /// `[in_channels, out_channels / groups, k]`, plus a bias `[out_channels]`, to `[n, t', out_channels]`;
    /// `torch.nn.functional.conv_transpose1d` except for the layout of the sequences.
    ///
    /// t' = (t − 1)·stride − 2·padding + dilation·(k − 1) + output_padding + 1. It is recorded as the
    /// [`conv_transpose2d`](Self::conv_transpose2d) of images one row high.
    ///
    /// # Panics
    /// When the shapes and options do not fit each other.
    #[track_caller]
    pub fn conv_transpose1d(
        &self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: ConvTranspose1dOptions,
    ) -> Var {
        let ConvTranspose1dOptions { stride, padding, output_padding, dilation, groups } = options;
        let in_channels = self.expect_weight_of_sequences("conv_transpose1d", weight, 0);
        self.expect_sequences("conv_transpose1d", x, in_channels);
        self.expect_fit("conv_transpose1d", (x, weight, bias), |x, weight| {
            // Too large a product is refused, if not here then by the op of images.
            let (t, out_channels) = (x[1], weight[1].saturating_mul(groups));
            let sizes =
                Sizes { t, in_channels, out_channels, groups, kernel_size: weight[2], stride, dilation };
            sizes.check_transposed(padding, output_padding).map(|()| out_channels)
        });
        let options = ConvTranspose2dOptions {
            stride: [1, stride],
            padding: [0, padding],
            output_padding: [0, output_padding],
            dilation: [1, dilation],
            groups,
            ..ConvTranspose2dOptions::default()
        };
        self.one_row_high(x, |g, x| g.conv_transpose2d(x, g.weight_one_row_high(weight), bias, options))
    }

    /// Calls `f` with sequences `[n, t, c]` as images `[n, 1, t, c]`, and returns its result as sequences
    /// again.
    #[track_caller]
    pub(super) fn one_row_high(&self, x: Var, f: impl FnOnce(&Self, Var) -> Var) -> Var {
        let [n, t, c] = self.shape(x).dims().try_into().expect("checked to be sequences");
        let y = f(self, self.reshape(x, [n, 1, t, c]));
        let [n, _, t, c] = self.shape(y).dims().try_into().expect("images");
        self.reshape(y, [n, t, c])
    }

    /// Checks that `x` is sequences `[n, t, c]`.
    #[track_caller]
    pub(super) fn expect_rank_3(&self, op: &str, x: Var) -> Shape {
        let shape = self.shape(x);
        assert!(
            shape.rank() == 3,
            "{op}{}: the input is {shape}, expected sequences [n, t, c]; reshape it, or add the missing axes",
            self.at()
        );
        shape
    }

    #[track_caller]
    fn expect_sequences(&self, op: &str, x: Var, takes: usize) {
        let shape = self.expect_rank_3(op, x);
        let channels = shape[2];
        assert!(
            channels == takes,
            "{op}{}: the input {shape} has {}, the weight expects {takes}; set in_channels to {channels}, or \
             change the preceding layer{}",
            self.at(),
            count(channels, "channel"),
            channels_last_hint(shape, |first| first == takes)
        );
    }

    /// The size of a weight's axis, after checking that the weight has three.
    #[track_caller]
    fn expect_weight_of_sequences(&self, op: &str, weight: Var, axis: usize) -> usize {
        let shape = self.shape(weight);
        let layout = ["in_channels, out_channels / groups", "out_channels, in_channels / groups"][axis];
        assert!(
            shape.rank() == 3,
            "{op}{}: the weight is {shape}, expected [{layout}, kernel size]; reshape it",
            self.at()
        );
        shape[axis]
    }

    /// Checks what the op of images would say of images, so that an error speaks of sequences: sizes that `check`
    /// refuses, and a bias unlike the output channels, which `check` returns.
    #[track_caller]
    fn expect_fit(
        &self,
        op: &str,
        (x, weight, bias): (Var, Var, Option<Var>),
        check: impl FnOnce(Shape, Shape) -> Result<usize, String>,
    ) {
        let (x, weight) = (self.shape(x), self.shape(weight));
        let fits = check(x, weight)
            .map_err(|reason| format!("the input {x} and the weight {weight} do not fit: {reason}"))
            .and_then(|out_channels| match bias {
                Some(bias) => check_bias(&[x, weight, self.shape(bias)], out_channels)
                    .map_err(|error| error.to_string()),
                None => Ok(()),
            });
        if let Err(error) = fits {
            panic!("{op}{}: {error}", self.at());
        }
    }

    fn weight_one_row_high(&self, weight: Var) -> Var {
        let [a, b, k] = self.shape(weight).dims().try_into().expect("checked to have three axes");
        self.reshape(weight, [a, b, 1, k])
    }
}
