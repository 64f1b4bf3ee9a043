//! Which algorithm a convolution takes: the one place that decides.

use super::Conv2dShape;
use crate::fast::geometry::Geometry;

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
        if Algorithm::Direct.takes(shape) { Algorithm::Direct } else { Algorithm::Im2col }
    }

    /// Whether the algorithm can be forced for a shape.
    pub fn takes(self, shape: &Conv2dShape) -> bool {
        match self {
            Algorithm::Auto | Algorithm::Im2col => true,
            Algorithm::Direct => Geometry::of(shape).is_some(),
            Algorithm::Winograd => false,
        }
    }

    /// The algorithm itself, or the chosen one for [`Algorithm::Auto`].
    pub(super) fn resolve(self, shape: &Conv2dShape, pass: Pass) -> Self {
        match self {
            Algorithm::Auto => Self::choose(shape, pass),
            forced => forced,
        }
    }
}
