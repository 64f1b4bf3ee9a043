//! The padding of a convolution.

use autograd::{Graph, PadMode, Var};

use super::pad::around;
use crate::config::{Args, Value, names};

/// The values that a convolution uses for the elements around an image or a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The input mirrored at its edges, without repeating the edge itself.
    Reflect,
    /// The edge repeated.
    Replicate,
    /// The opposite side of the input.
    Circular,
}

/// What a convolution over `N` axes adds around its input.
#[derive(Clone, Copy)]
pub(super) struct ConvPadding<const N: usize> {
    pub(super) size: PaddingSize<N>,
    pub(super) mode: PaddingMode,
}

/// How much is added on each side of each axis.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum PaddingSize<const N: usize> {
    /// What preserves the size of the input.
    Same,
    /// These numbers.
    Sizes([usize; N]),
}

impl<const N: usize> ConvPadding<N> {
    pub(super) fn none() -> Self {
        Self { size: PaddingSize::Sizes([0; N]), mode: PaddingMode::Zeros }
    }

    /// The zeros that the convolution itself adds; `None` if it cannot add this padding.
    pub(super) fn zeros(&self, kernel_size: [usize; N], dilation: [usize; N]) -> Option<[usize; N]> {
        let sides = self.sides(kernel_size, dilation);
        let is_even = sides.iter().all(|[before, after]| before == after);
        (is_even && self.mode == PaddingMode::Zeros).then(|| sides.map(|[before, _]| before))
    }

    /// Adds to `x` what the convolution cannot add itself; returns this and the zeros left to the convolution.
    pub(super) fn add_to(
        &self,
        g: &Graph<'_>,
        x: Var,
        kernel_size: [usize; N],
        dilation: [usize; N],
    ) -> (Var, [usize; N]) {
        if let Some(zeros) = self.zeros(kernel_size, dilation) {
            return (x, zeros);
        }
        let mode = match self.mode {
            PaddingMode::Zeros => PadMode::Constant(0.0),
            PaddingMode::Reflect => PadMode::Reflect,
            PaddingMode::Replicate => PadMode::Replicate,
            PaddingMode::Circular => PadMode::Circular,
        };
        (around(g, x, self.sides(kernel_size, dilation), mode), [0; N])
    }

    /// The elements before and after each axis.
    fn sides(&self, kernel_size: [usize; N], dilation: [usize; N]) -> [[usize; 2]; N] {
        std::array::from_fn(|axis| match self.size {
            PaddingSize::Sizes(sizes) => [sizes[axis]; 2],
            PaddingSize::Same => {
                let added = dilation[axis] * (kernel_size[axis].max(1) - 1);
                [added / 2, added.div_ceil(2)]
            }
        })
    }

    pub(super) fn describe_size(&mut self, args: &mut Args<'_>) {
        args.option("padding", &mut self.size, Self::none().size);
    }

    pub(super) fn describe_mode(&mut self, args: &mut Args<'_>) {
        args.option("padding_mode", &mut self.mode, PaddingMode::Zeros);
    }

    /// Checks that the padding is possible with this stride.
    pub(super) fn check(&self, stride: [usize; N]) -> Result<(), String> {
        match self.size == PaddingSize::Same && stride != [1; N] {
            true => Err(format!(
                "padding=same needs a stride of 1, the stride is {stride:?}; give the padding as a number"
            )),
            false => Ok(()),
        }
    }
}

/// The builder methods of a layer with a field `padding`; takes the type of a size and how it is read.
macro_rules! padding_options {
    ($size:ty, $read:path) => {
        /// Sets how much is added on each side; one number, or `[vertical, horizontal]` for images.
        pub fn padding(mut self, padding: $size) -> Self {
            self.padding.size = PaddingSize::Sizes($read(padding));
            self
        }

        /// Pads so that the input keeps its size, PyTorch's `padding="same"`: dilation · (kernel_size − 1)
        /// elements on each axis, half of them on each side; an odd one goes to the end. The stride must be 1.
        pub fn padding_same(mut self) -> Self {
            self.padding.size = PaddingSize::Same;
            self
        }

        /// Sets the values of what is added; the default is [`PaddingMode::Zeros`].
        pub fn padding_mode(mut self, padding_mode: PaddingMode) -> Self {
            self.padding.mode = padding_mode;
            self
        }
    };
}
pub(super) use padding_options;

names!(PaddingMode, "zeros, reflect, replicate or circular", {
    "zeros" => Self::Zeros,
    "reflect" => Self::Reflect,
    "replicate" => Self::Replicate,
    "circular" => Self::Circular,
});

/// Written as sizes, or `same`.
impl<const N: usize> Value for PaddingSize<N> {
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
