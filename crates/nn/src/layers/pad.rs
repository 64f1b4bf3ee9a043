//! Borders around images and sequences.

use autograd::{Graph, PadMode, Var};
use tensor::MAX_RANK;

use crate::config::{Args, Describe, described};
use crate::layer::Layer;

/// The border of an image, in PyTorch's order: left, right, top, bottom; of a sequence, `Border<2>`, before and
/// after. `3` stands for `[3, 3, 3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border<const N: usize = 4>(pub [usize; N]);

impl<const N: usize> From<usize> for Border<N> {
    fn from(size: usize) -> Self {
        Self([size; N])
    }
}

impl<const N: usize> From<[usize; N]> for Border<N> {
    fn from(sizes: [usize; N]) -> Self {
        Self(sizes)
    }
}

impl Border<2> {
    fn around(self, g: &Graph<'_>, x: Var, mode: PadMode) -> Var {
        around(g, x, [self.0], mode)
    }
}

impl Border<4> {
    fn around(self, g: &Graph<'_>, x: Var, mode: PadMode) -> Var {
        let [left, right, top, bottom] = self.0;
        around(g, x, [[top, bottom], [left, right]], mode)
    }
}

/// Adds elements before and after each of the axes between the batch and the channels.
pub(super) fn around<const N: usize>(g: &Graph<'_>, x: Var, sides: [[usize; 2]; N], mode: PadMode) -> Var {
    expect_axes(g, "pad", x, N);
    let mut padding = [[0, 0]; MAX_RANK];
    padding[1..=N].copy_from_slice(&sides);
    g.pad(x, &padding[..N + 2], mode)
}

/// Checks that `x` is sequences, with one axis between the batch and the channels, or images, with two.
pub(super) fn expect_axes(g: &Graph<'_>, op: &str, x: Var, n_axes: usize) {
    let shape = g.shape(x);
    let expected = ["sequences [n, t, c]", "images [n, h, w, c]"][n_axes - 1];
    assert!(
        shape.rank() == n_axes + 2,
        "{op}{}: the input is {shape}, expected {expected}; reshape it, or add the missing axes",
        g.at()
    );
}

/// A layer that adds a border to images or sequences; the documentation says what it adds, the values are
/// those of `mode`.
macro_rules! pad {
    ($name:ident, $n:tt, $mode:expr, $doc:literal) => {
        #[doc = $doc]
        #[doc = ""]
        #[doc = shapes!($n)]
        #[derive(Clone, Copy)]
        #[must_use]
        pub struct $name {
            border: Border<$n>,
        }

        impl $name {
            #[doc = concat!("Creates a layer with a border of this size; one size, or ", sizes!($n), ".")]
            pub fn new(border: impl Into<Border<$n>>) -> Self {
                Self { border: border.into() }
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
                self.border.around(g, x, $mode)
            }
        }

        impl Describe for $name {
            const NAME: &str = stringify!($name);

            fn blank() -> Self {
                Self::new(0)
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                args.positional("padding", &mut self.border.0);
            }
        }

        described!($name);
    };
}

/// The same with one number, given beside the border.
macro_rules! constant_pad {
    ($name:ident, $n:tt, $doc:literal) => {
        #[doc = $doc]
        #[doc = ""]
        #[doc = shapes!($n)]
        #[derive(Clone, Copy)]
        #[must_use]
        pub struct $name {
            border: Border<$n>,
            value: f32,
        }

        impl $name {
            /// Creates a layer with a border of this size, filled with `value`; one size, or
            #[doc = concat!(sizes!($n), ".")]
            pub fn new(border: impl Into<Border<$n>>, value: f32) -> Self {
                Self { border: border.into(), value }
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
                self.border.around(g, x, PadMode::Constant(self.value))
            }
        }

        impl Describe for $name {
            const NAME: &str = stringify!($name);

            fn blank() -> Self {
                Self::new(0, 0.0)
            }

            fn describe(&mut self, args: &mut Args<'_>) {
                args.named("padding", &mut self.border.0);
                args.named("value", &mut self.value);
            }
        }

        described!($name);
    };
}

/// For the documentation: the shapes of input and output.
macro_rules! shapes {
    (2) => {
        "`[n, t, c]` to `[n, before + t + after, c]`."
    };
    (4) => {
        "`[n, h, w, c]` to `[n, h + top + bottom, w + left + right, c]`."
    };
}

/// For the documentation: the sizes of a border.
macro_rules! sizes {
    (2) => {
        "`[before, after]`"
    };
    (4) => {
        "`[left, right, top, bottom]`"
    };
}

pad!(ZeroPad1d, 2, PadMode::Constant(0.0), "Pads sequences with zeros.");
pad!(ZeroPad2d, 4, PadMode::Constant(0.0), "Pads images with zeros.");
pad!(
    ReflectionPad1d,
    2,
    PadMode::Reflect,
    "Pads sequences by mirroring them at each end, without repeating it."
);
pad!(
    ReflectionPad2d,
    4,
    PadMode::Reflect,
    "Pads images by mirroring them at the edge, without repeating it."
);
pad!(ReplicationPad1d, 2, PadMode::Replicate, "Pads sequences by repeating their first and last steps.");
pad!(ReplicationPad2d, 4, PadMode::Replicate, "Pads images by repeating their edge pixels.");
pad!(CircularPad1d, 2, PadMode::Circular, "Pads sequences with the steps of the other end.");
pad!(CircularPad2d, 4, PadMode::Circular, "Pads images with the pixels of the opposite side.");
constant_pad!(ConstantPad1d, 2, "Pads sequences with one number.");
constant_pad!(ConstantPad2d, 4, "Pads images with one number.");
