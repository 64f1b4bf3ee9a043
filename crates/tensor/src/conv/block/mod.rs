//! Convolution, bias, ReLU and 2×2 max-pool as one operation; also without the ReLU.
//!
//! y = max-pool(relu(x ∗ w + bias)) is the building block of convolutional networks for small images. As a
//! single operation, it needs no pass over memory for the activation and the pool, stores a byte of argmax
//! instead of the activations before the pool, and its backward pass touches only the values that the pool
//! and ReLU pass on: see `conv/sparse`.
//!
//! Without the ReLU a quarter of the gradient is non-zero, and the backward pass is that of the convolution.
//!
//! ReLU and pool propagate NaN. The backward pass is exact for finite values: factors of a zero gradient are
//! not read.

mod backward;

use super::choose::Plan;
use super::pack::Orientation;
use super::sink::{OutputSize, Pooled};
use super::sparse::{self, Planes};
use super::unit_stride::UnitStride;
use super::{Algorithm, Conv2dShape};
use crate::Beta;
use crate::norm::Pointwise;
use crate::parallel::{Shards, rows_mut};

pub use super::sparse::events::PooledGradient;

/// A convolution that can be fused with the 2×2 max-pool after it, with or without a ReLU between them.
///
/// Only [`Block::plan`] creates one, so having a block means that the operations can be fused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Block {
    shape: Conv2dShape,
    convolution: UnitStride,
    planes: Planes,
    relu: bool,
}

impl Block {
    /// Returns the block of a valid 3×3 convolution with stride 1, no dilation, one group, padding of at most
    /// 2, and an output of at least 2×2; `None` for any other.
    pub fn plan(shape: &Conv2dShape) -> Option<Self> {
        shape.validate().ok()?;
        let Some(Plan::UnitStride(convolution)) = Plan::new(shape, Algorithm::Auto) else { return None };
        let geometry = &convolution.geometry;
        let takes = geometry.kernel_size == [sparse::KERNEL, sparse::KERNEL]
            && geometry.out_height() >= 2
            && geometry.out_width() >= 2;
        takes.then(|| Self { shape: *shape, convolution, planes: Planes::new(geometry), relu: true })
    }

    /// The same block without the ReLU.
    pub fn without_relu(self) -> Self {
        Self { relu: false, ..self }
    }

    /// Whether there is a ReLU. Then the gradients of weight and bias are both sums of f32 over the images, as
    /// that of the weight always is.
    pub fn has_relu(&self) -> bool {
        self.relu
    }

    /// The convolution's sizes.
    pub fn shape(&self) -> &Conv2dShape {
        &self.shape
    }

    /// Elements of the output, batch × out_height / 2 × out_width / 2 × out_channels.
    pub fn output_len(&self) -> usize {
        self.shape.batch * self.planes.pooled_len()
    }

    #[track_caller]
    fn check(&self, name: &str, [y_len, argmax_len, x_len, w_len]: [usize; 4]) {
        let shape = &self.shape;
        assert_eq!(y_len, self.output_len(), "{name}: output length for {shape:?}");
        assert_eq!(argmax_len, self.output_len(), "{name}: argmax length for {shape:?}");
        assert_eq!(x_len, shape.input_len(), "{name}: input length for {shape:?}");
        assert_eq!(w_len, shape.weight_len(), "{name}: weight length for {shape:?}");
    }
}

/// y = max-pool(relu(x ∗ w + bias)), without the ReLU if the block has none.
///
/// `y` and `argmax` are [batch, out_height / 2, out_width / 2, out_channels] of the convolution; an odd last
/// row or column is left out, as in PyTorch. `argmax` receives the position of each maximum in its window,
/// 2 · row + column.
///
/// # Panics
/// When a length does not fit the block.
#[track_caller]
pub fn conv_pool_forward<'a>(
    y: &mut [f32],
    argmax: &mut [u8],
    x: impl Into<Pointwise<'a>>,
    w: &[f32],
    bias: Option<&[f32]>,
    block: &Block,
) {
    const NAME: &str = "conv_pool_forward";
    let x = Pointwise::of_channels(x.into(), NAME, block.shape.in_channels);
    block.check(NAME, [y.len(), argmax.len(), x.len(), w.len()]);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), block.shape.out_channels, "{NAME}: the bias has out_channels elements");
    }
    let size = OutputSize::of(&block.convolution.geometry);
    let pooled_len = block.planes.pooled_len();
    let outputs = (rows_mut(y, pooled_len), rows_mut(argmax, pooled_len));
    block.convolution.convolve(x.into(), w, Orientation::AsIs, outputs, |(y, argmax)| Pooled {
        y: y.into_slice(),
        argmax: argmax.into_slice(),
        bias,
        relu: block.relu,
        size,
    });
}

/// Computes the gradients of [`conv_pool_forward`]: each is `β ·` its previous contents `+` the gradient.
///
/// `dx` and `db` may be omitted if not needed; `dw` and `db` are sums over the batch, combined in the tree of
/// [`crate::parallel`].
///
/// # Panics
/// When a length does not fit the block.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn conv_pool_backward<'a>(
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    pooled: PooledGradient<'_>,
    x: impl Into<Pointwise<'a>>,
    w: &[f32],
    block: &Block,
    shards: &Shards<'_>,
) {
    const NAME: &str = "conv_pool_backward";
    let x = Pointwise::of_channels(x.into(), NAME, block.shape.in_channels);
    let PooledGradient { dy, y, argmax } = pooled;
    block.check(NAME, [y.len(), argmax.len(), x.len(), w.len()]);
    assert_eq!(dy.len(), y.len(), "{NAME}: dy has y's elements");
    assert_eq!(dw.0.len(), w.len(), "{NAME}: dw has w's elements");
    if let Some((dx, _)) = &dx {
        assert_eq!(dx.len(), x.len(), "{NAME}: dx has x's elements");
    }
    if let Some((db, _)) = &db {
        assert_eq!(db.len(), block.shape.out_channels, "{NAME}: db has out_channels elements");
    }
    backward::gradients(block, dx, dw, db, pooled, x, w, shards);
}

#[cfg(test)]
mod tests;
