//! Chooses the algorithm of a convolution; the only place that does.

use simd::Level;

use super::depthwise::Depthwise;
use super::geometry::Geometry;
use super::unit_stride::{Method, UnitStride};
use super::{Conv2dShape, winograd};

/// A way to compute a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// The fastest one for the shape.
    Auto,
    /// Patches copied into a matrix, multiplied by `matrixmultiply`: supports every shape.
    Im2col,
    /// Multiply-adds straight from the image: supports stride 1, no dilation, one group, and padding smaller
    /// than the kernel.
    Direct,
    /// Winograd's F(4×4, 3×3), with a quarter of the multiplications and a larger rounding error: of the
    /// shapes of `Direct`, supports 3×3.
    Winograd,
    /// Multiply-adds of sixteen channels at once: supports equal numbers of groups, input channels and
    /// output channels, at least two, and up to 64 taps.
    Depthwise,
}

impl Algorithm {
    /// Whether a convolution of this shape copies its input image by image, and so takes one that is
    /// [computed](crate::norm::Pointwise) instead of stored.
    pub fn takes_computed_input(self, shape: &Conv2dShape) -> bool {
        matches!(Plan::new(shape, self), Some(Plan::UnitStride(_)))
    }
}

/// The minimum number of input and of output channels for which Winograd's transforms pay off: a vector's.
const MIN_WINOGRAD_CHANNELS: usize = 16;

/// The chosen algorithm, with the data needed to run it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Plan {
    Im2col,
    UnitStride(UnitStride),
    Depthwise(Depthwise),
}

impl Plan {
    /// Chooses how a convolution is computed; `None` when a forced algorithm does not support its shape.
    pub(super) fn new(shape: &Conv2dShape, algorithm: Algorithm) -> Option<Self> {
        let unit_stride = |method| {
            let geometry = Geometry::of(shape)?;
            let takes = method == Method::Direct || geometry.kernel_size == winograd::KERNEL_SIZE;
            takes.then_some(Self::UnitStride(UnitStride { method, level: Level::current(), geometry }))
        };
        let depthwise = || Depthwise::of(shape).map(Self::Depthwise);
        let wide = shape.in_channels.min(shape.out_channels) >= MIN_WINOGRAD_CHANNELS;
        match algorithm {
            Algorithm::Auto => {
                let winograd = if wide { unit_stride(Method::Winograd) } else { None };
                winograd.or_else(|| unit_stride(Method::Direct)).or_else(depthwise).or(Some(Self::Im2col))
            }
            Algorithm::Im2col => Some(Self::Im2col),
            Algorithm::Direct => unit_stride(Method::Direct),
            Algorithm::Winograd => unit_stride(Method::Winograd),
            Algorithm::Depthwise => depthwise(),
        }
    }
}
