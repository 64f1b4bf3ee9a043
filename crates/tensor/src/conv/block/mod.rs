//! Convolution, bias, ReLU and 2×2 max-pool as one operation; and the same without the ReLU.
//!
//! y = max-pool(relu(x ∗ w + bias)), the block that convolutional networks for small images are made of. Seen
//! as one, it needs no pass over memory for the activation and the pool, keeps a byte of argmax instead of the
//! activations before the pool, and its backward pass only touches the values that the pool and ReLU let
//! through: see `conv/sparse`.
//!
//! Without the ReLU a quarter of the gradient is let through, and the backward pass is that of the convolution.
//!
//! ReLU and pool propagate NaN. The backward pass is exact for finite values: what a zero gradient would be
//! multiplied with is not looked at.

mod backward;

use super::choose::Plan;
use super::images::Images;
use super::pack::Orientation;
use super::sink::{OutputSize, Pooled};
use super::sparse::{self, Planes};
use super::unit_stride::UnitStride;
use super::{Algorithm, Conv2dShape};
use crate::Beta;
use crate::parallel::{Shards, rows_mut};

pub use super::sparse::events::PooledGradient;

/// A convolution that can be computed as one with the 2×2 max-pool behind it, and a ReLU between them or none.
///
/// Having one is the answer to "may these be fused?": only [`Block::plan`] makes it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Block {
    shape: Conv2dShape,
    convolution: UnitStride,
    planes: Planes,
    relu: bool,
}

impl Block {
    /// The block of a valid 3×3 convolution with stride 1, no dilation, one group, padding of at most 2, and an
    /// output of at least 2×2; `None` for any other.
    pub fn plan(shape: &Conv2dShape) -> Option<Self> {
        shape.validate().ok()?;
        let Some(Plan::UnitStride(convolution)) = Plan::new(shape, Algorithm::Auto) else { return None };
        let geometry = &convolution.geometry;
        let takes = geometry.kernel_size == [sparse::KERNEL, sparse::KERNEL]
            && geometry.out_height() >= 2
            && geometry.out_width() >= 2;
        takes.then(|| Self { shape: *shape, convolution, planes: Planes::new(geometry), relu: true })
    }

    /// The same without the ReLU.
    pub fn without_relu(self) -> Self {
        Self { relu: false, ..self }
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

/// y = max-pool(relu(x ∗ w + bias)), without the ReLU where the block has none.
///
/// `y` and `argmax` are [batch, out_height / 2, out_width / 2, out_channels] of the convolution; an odd last row
/// or column of it is left out, as PyTorch does. `argmax` receives where in its window each maximum was,
/// 2 · row + column.
///
/// # Panics
/// When a length does not fit the block.
#[track_caller]
pub fn conv_pool_forward(
    y: &mut [f32],
    argmax: &mut [u8],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    block: &Block,
) {
    const NAME: &str = "conv_pool_forward";
    block.check(NAME, [y.len(), argmax.len(), x.len(), w.len()]);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), block.shape.out_channels, "{NAME}: the bias has out_channels elements");
    }
    let size = OutputSize::of(&block.convolution.geometry);
    let pooled_len = block.planes.pooled_len();
    let outputs = (rows_mut(y, pooled_len), rows_mut(argmax, pooled_len));
    block.convolution.convolve(Images::Dense(x), w, Orientation::AsIs, outputs, |(y, argmax)| Pooled {
        y: y.into_slice(),
        argmax: argmax.into_slice(),
        bias,
        relu: block.relu,
        size,
    });
}

/// The gradients of [`conv_pool_forward`]: each is `β ·` what it held `+` the gradient.
///
/// `dx` and `db` may be left out where nobody needs them; `dw` and `db` are sums over the batch, joined in the tree of
/// [`crate::parallel`].
///
/// # Panics
/// When a length does not fit the block.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn conv_pool_backward(
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    pooled: PooledGradient<'_>,
    x: &[f32],
    w: &[f32],
    block: &Block,
    shards: &Shards<'_>,
) {
    const NAME: &str = "conv_pool_backward";
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
