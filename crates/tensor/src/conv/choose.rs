//! Which algorithm a convolution takes: the one place that decides.

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
    /// Patches copied into a matrix, multiplied by `matrixmultiply`: takes every shape.
    Im2col,
    /// Multiply-adds straight from the image: takes stride 1, no dilation, one group.
    Direct,
    /// Winograd's F(4×4, 3×3), a quarter of the multiplications, a larger rounding error: of those, takes 3×3.
    Winograd,
    /// Multiply-adds of sixteen channels at once: takes as many groups as channels, on both sides, and up to 64 taps.
    Depthwise,
}

/// The fewest channels, on either side, for which Winograd's transforms pay: a vector's.
const MIN_WINOGRAD_CHANNELS: usize = 16;

/// A decision, with what is needed to carry it out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Plan {
    Im2col,
    UnitStride(UnitStride),
    Depthwise(Depthwise),
}

impl Plan {
    /// How a convolution is computed; `None` when a forced algorithm cannot take its shape.
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
