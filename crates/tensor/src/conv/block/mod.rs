//! Convolution, bias, ReLU and 2×2 max-pool as one operation.
//!
//! y = max-pool(relu(x ∗ w + bias)), the block that convolutional networks for small images are made of. Seen
//! as one, it needs no pass over memory for the activation and the pool, keeps a byte of argmax instead of the
//! activations before the pool, and its backward pass only touches the values that the pool and ReLU let
//! through: see [`sparse`](super::sparse).
//!
//! NaN is handed on by ReLU and pool. The backward pass is exact for finite values: what a zero gradient would
//! be multiplied with is not looked at.

use std::ops::Range;

use crate::conv::geometry::Geometry;
use crate::conv::pack::Rotation;
use crate::conv::sink::{OutputSize, Pooled};
use crate::conv::sparse::events::{self, Events, PooledGradient};
use crate::conv::sparse::{self, Planes};
use crate::conv::unit_stride::Dense;
use crate::conv::{Algorithm, Conv2dShape, Pass};
use crate::parallel::{Shards, rows_mut, sum_over_shards};
use crate::{Beta, elementwise, scratch};
use simd::Level;

/// Whether the block can be computed as one for a convolution: 3×3, stride 1, no dilation, one group, padding at
/// most 2, and an output of at least 2×2.
pub fn conv_relu_pool_supported(shape: &Conv2dShape) -> bool {
    supported(shape).is_some()
}

fn supported(shape: &Conv2dShape) -> Option<Geometry> {
    let geometry = Geometry::of(shape)?;
    let square = geometry.kernel_size == [sparse::KERNEL, sparse::KERNEL];
    (square && geometry.out_height() >= 2 && geometry.out_width() >= 2).then_some(geometry)
}

/// y = max-pool(relu(x ∗ w + bias)).
///
/// `shape` is the convolution's; `y` and `argmax` are [batch, out_height / 2, out_width / 2, out_channels], an
/// odd last row or column of the convolution is left out, as PyTorch does. `argmax` receives where in its
/// window each maximum was, 2 · row + column.
///
/// # Panics
/// When the shape is not [supported](conv_relu_pool_supported) or a length does not fit it.
#[track_caller]
pub fn conv_relu_pool_forward(
    y: &mut [f32],
    argmax: &mut [u8],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    shape: &Conv2dShape,
) {
    check("conv_relu_pool_forward", y.len(), argmax.len(), x.len(), w.len(), shape);
    if let Some(bias) = bias {
        assert_eq!(
            bias.len(),
            shape.out_channels,
            "conv_relu_pool_forward: the bias has out_channels elements"
        );
    }
    let dense = Dense::new(Algorithm::choose(shape, Pass::Forward), shape);
    forward(&dense.expect("a supported block is dense"), y, argmax, x, w, bias);
}

/// The gradients of [`conv_relu_pool_forward`]: each is `β ·` what it held `+` the gradient.
///
/// `y` and `argmax` are what forward gave; `dx` may be left out where nobody needs it.
///
/// # Panics
/// When the shape is not [supported](conv_relu_pool_supported) or a length does not fit it.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn conv_relu_pool_backward(
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    dy: &[f32],
    y: &[f32],
    argmax: &[u8],
    x: &[f32],
    w: &[f32],
    shape: &Conv2dShape,
) {
    const NAME: &str = "conv_relu_pool_backward";
    let geometry = check(NAME, y.len(), argmax.len(), x.len(), w.len(), shape);
    assert_eq!(dy.len(), y.len(), "{NAME}: dy has y's elements");
    assert_eq!(dw.0.len(), w.len(), "{NAME}: dw has w's elements");
    if let Some((dx, _)) = &dx {
        assert_eq!(dx.len(), x.len(), "{NAME}: dx has x's elements");
    }
    if let Some((db, _)) = &db {
        assert_eq!(db.len(), shape.out_channels, "{NAME}: db has out_channels elements");
    }
    let pooled = PooledGradient { dy, y, argmax };
    backward(Level::current(), &Planes::new(&geometry), dx, dw, db, pooled, x, w);
}

#[track_caller]
fn check(
    name: &str,
    y_len: usize,
    argmax_len: usize,
    x_len: usize,
    w_len: usize,
    shape: &Conv2dShape,
) -> Geometry {
    if let Err(reason) = shape.validate() {
        panic!("{name}: {reason}");
    }
    let geometry = supported(shape).unwrap_or_else(|| panic!("{name}: cannot take {shape:?}"));
    let pooled_len = shape.batch * (shape.out_height() / 2) * (shape.out_width() / 2) * shape.out_channels;
    assert_eq!(y_len, pooled_len, "{name}: output length for {shape:?}");
    assert_eq!(argmax_len, pooled_len, "{name}: argmax length for {shape:?}");
    assert_eq!(x_len, shape.input_len(), "{name}: input length for {shape:?}");
    assert_eq!(w_len, shape.weight_len(), "{name}: weight length for {shape:?}");
    geometry
}

fn forward(dense: &Dense, y: &mut [f32], argmax: &mut [u8], x: &[f32], w: &[f32], bias: Option<&[f32]>) {
    let size = OutputSize::of(&dense.geometry);
    let pooled_len = Planes::new(&dense.geometry).pooled_len();
    let outputs = (rows_mut(y, pooled_len), rows_mut(argmax, pooled_len));
    dense.convolve(x, w, Rotation::None, outputs, |(y, argmax)| Pooled {
        y: y.into_slice(),
        argmax: argmax.into_slice(),
        bias,
        size,
    });
}

#[allow(clippy::too_many_arguments)]
fn backward(
    level: Level,
    planes: &Planes,
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    pooled: PooledGradient<'_>,
    x: &[f32],
    w: &[f32],
) {
    let geometry = &planes.geometry;
    let (weights_len, n_outs) = (planes.weights_len(), geometry.out_channels);
    let n_images = x.len() / geometry.input_len();
    let (dx, dx_beta) = dx.unzip();
    // The packed weights; then the gradients of weights and bias, behind each other.
    let packed_len = if dx.is_some() { weights_len } else { 0 };
    scratch::with(packed_len + weights_len + n_outs, |memory| {
        let (packed, sum) = memory.split_at_mut(packed_len);
        if dx.is_some() {
            sparse::input::pack(level, packed, w, planes);
        }
        let (shards, dx) = (Shards::whole(n_images), dx.map(|dx| rows_mut(dx, geometry.input_len())));
        sum_over_shards(sum, &shards, geometry.work(n_images), dx, |images, partial, dx| {
            let (dw, db) = partial.split_at_mut(weights_len);
            let dx = dx.zip(dx_beta).map(|(dx, beta)| InputGradient { dx: dx.into_slice(), beta, packed });
            backward_shard(level, planes, dx, dw, db, pooled, x, images);
        });
        let (dw_sum, db_sum) = sum.split_at(weights_len);
        sparse::weight::unpack(level, dw.0, dw_sum, planes, dw.1);
        if let Some((db, beta)) = db {
            elementwise::copy_or_add(db, db_sum, beta);
        }
    });
}

/// A shard's input gradient, and what it takes.
struct InputGradient<'a> {
    dx: &'a mut [f32],
    beta: Beta,
    packed: &'a [f32],
}

/// The gradients of one shard, some images at a time; `dw` in the planes' order.
#[allow(clippy::too_many_arguments)]
fn backward_shard(
    level: Level,
    planes: &Planes,
    mut dx: Option<InputGradient<'_>>,
    dw: &mut [f32],
    db: &mut [f32],
    pooled: PooledGradient<'_>,
    x: &[f32],
    images: Range<usize>,
) {
    let input_len = planes.geometry.input_len();
    let chunk = planes.images_per_chunk(images.len());
    let plane_len = planes.scratch_len(chunk);
    db.fill(0.0);
    scratch::with(plane_len + Events::scratch_len(planes, chunk), |memory| {
        let (plane, memory) = memory.split_at_mut(plane_len);
        for first in images.clone().step_by(chunk) {
            let chunk = first..images.end.min(first + chunk);
            let plane = &mut plane[..planes.scratch_len(chunk.len())];
            let mut events = Events::new(planes, memory, chunk.len());
            events::list(level, planes, &mut events, db, pooled.of(planes, &chunk));
            let x = &x[chunk.start * input_len..chunk.end * input_len];
            let beta = if first == images.start { Beta::Zero } else { Beta::One };
            sparse::weight::backward_weight(level, planes, dw, x, &events, plane, beta);
            if let Some(InputGradient { dx, beta, packed }) = &mut dx {
                let dx = &mut dx[(chunk.start - images.start) * input_len..][..chunk.len() * input_len];
                sparse::input::backward_input(level, planes, dx, &events, packed, plane, *beta);
            }
        }
    });
}

#[cfg(test)]
mod tests;
