//! Which algorithm a convolution takes: the one place that decides.

use super::Conv2dShape;
use super::unit_stride::Dense;

/// A way to compute a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// Whatever [`Algorithm::choose`] says.
    Auto,
    /// Patches copied into a matrix, multiplied by `matrixmultiply`: takes every shape.
    Im2col,
    /// Multiply-adds straight from the image.
    Direct,
    /// Winograd's F(4×4, 3×3): a quarter of the multiplications, a larger rounding error.
    Winograd,
}

/// The fewest channels, on either side, for which Winograd's transforms pay: a vector's.
const MIN_WINOGRAD_CHANNELS: usize = 16;

/// One of the three computations of a convolution layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pass {
    /// The output.
    Forward,
    /// The gradient by the input.
    BackwardInput,
    /// The gradient by the weight.
    BackwardWeight,
}

impl Algorithm {
    /// The fastest algorithm for a shape and a pass; never [`Algorithm::Auto`].
    pub fn choose(shape: &Conv2dShape, _pass: Pass) -> Self {
        let channels = shape.in_channels.min(shape.out_channels);
        if channels >= MIN_WINOGRAD_CHANNELS && Algorithm::Winograd.takes(shape) {
            Algorithm::Winograd
        } else if Algorithm::Direct.takes(shape) {
            Algorithm::Direct
        } else {
            Algorithm::Im2col
        }
    }

    /// Whether the algorithm can be forced for a shape.
    pub fn takes(self, shape: &Conv2dShape) -> bool {
        match self {
            Algorithm::Auto | Algorithm::Im2col => true,
            Algorithm::Direct | Algorithm::Winograd => Dense::new(self, shape).is_some(),
        }
    }

    /// The algorithm itself, or the chosen one for [`Algorithm::Auto`].
    ///
    /// # Panics
    /// When a forced algorithm cannot take the shape.
    #[track_caller]
    pub(super) fn resolve(self, shape: &Conv2dShape, pass: Pass) -> Self {
        match self {
            Algorithm::Auto => Self::choose(shape, pass),
            forced if forced.takes(shape) => forced,
            forced => panic!("conv2d {pass:?}: {forced:?} cannot take {shape:?}"),
        }
    }
}
