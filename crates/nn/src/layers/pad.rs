//! Borders around images and sequences.

use autograd::{Graph, PadMode, Var};

use crate::config::{Args, Describe, described};
use crate::layer::Layer;

/// The border of an image, in PyTorch's order: left, right, top, bottom. `3` stands for `[3, 3, 3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border(pub [usize; 4]);

impl From<usize> for Border {
    fn from(size: usize) -> Self {
        Self([size; 4])
    }
}

impl From<[usize; 4]> for Border {
    fn from(sizes: [usize; 4]) -> Self {
        Self(sizes)
    }
}

impl Border {
    /// Adds this border to the images.
    pub(crate) fn around(self, g: &Graph<'_>, x: Var, mode: PadMode) -> Var {
        let [left, right, top, bottom] = self.0;
        let shape = g.shape(x);
        assert!(
            shape.rank() == 4,
            "pad{}: the input is {shape}, expected images [n, h, w, c]; reshape it, or add the missing axes",
            g.at()
        );
        g.pad(x, &[[0, 0], [top, bottom], [left, right], [0, 0]], mode)
    }
}

/// A layer that adds a border to images `[n, h, w, c]`.
macro_rules! pad2d {
    ($name:ident, $mode:expr, $doc:literal) => {
        #[doc = $doc]
        #[doc = ""]
        #[doc = "`[n, h, w, c]` to `[n, h + top + bottom, w + left + right, c]`."]
        #[derive(Clone, Copy)]
        #[must_use]
        pub struct $name {
            border: Border,
        }

        impl $name {
            /// Creates a layer with a border of this size; one number, or `[left, right, top, bottom]`.
            pub fn new(border: impl Into<Border>) -> Self {
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

pad2d!(ZeroPad2d, PadMode::Constant(0.0), "Pads images with zeros.");
pad2d!(ReflectionPad2d, PadMode::Reflect, "Pads images by mirroring them at the edge, without repeating it.");
pad2d!(ReplicationPad2d, PadMode::Replicate, "Pads images by repeating their edge pixels.");
pad2d!(CircularPad2d, PadMode::Circular, "Pads images with the pixels of the opposite side.");

/// Pads images with one number: `[n, h, w, c]` to `[n, h + top + bottom, w + left + right, c]`.
#[derive(Clone, Copy)]
#[must_use]
pub struct ConstantPad2d {
    border: Border,
    value: f32,
}

impl ConstantPad2d {
    /// Creates a layer with a border of this size, filled with `value`; one size, or `[left, right, top,
    /// bottom]`.
    pub fn new(border: impl Into<Border>, value: f32) -> Self {
        Self { border: border.into(), value }
    }
}

/// Pads sequences with one number at both ends: `[n, t, c]` to `[n, before + t + after, c]`.
#[derive(Clone, Copy)]
#[must_use]
pub struct ConstantPad1d {
    border: [usize; 2],
    value: f32,
}

impl ConstantPad1d {
    /// Creates a layer that adds `value` this many times before and after.
    pub fn new(border: [usize; 2], value: f32) -> Self {
        Self { border, value }
    }
}

impl Layer for ConstantPad2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.border.around(g, x, PadMode::Constant(self.value))
    }
}

impl Layer for ConstantPad1d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let shape = g.shape(x);
        assert!(
            shape.rank() == 3,
            "pad{}: the input is {shape}, expected sequences [n, t, c]; reshape it, or add the missing axes",
            g.at()
        );
        g.pad(x, &[[0, 0], self.border, [0, 0]], PadMode::Constant(self.value))
    }
}

impl Describe for ConstantPad2d {
    const NAME: &str = "ConstantPad2d";

    fn blank() -> Self {
        Self::new(0, 0.0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("padding", &mut self.border.0);
        args.named("value", &mut self.value);
    }
}

impl Describe for ConstantPad1d {
    const NAME: &str = "ConstantPad1d";

    fn blank() -> Self {
        Self::new([0, 0], 0.0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("padding", &mut self.border);
        args.named("value", &mut self.value);
    }
}

described!(ConstantPad2d, ConstantPad1d);
