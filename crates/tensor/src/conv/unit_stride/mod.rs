//! Convolutions with stride 1, no dilation and one group: the kernels of [`direct`], [`direct_weight`] and
//! [`winograd`] over images in parallel. Error bounds are documented with the kernels.

use simd::{LANES, Level, dispatch};

use super::geometry::Geometry;
use super::images::{Images, rows};
use super::pack::{self, Orientation};
use super::sink::{OutputSize, Plain, Sink};
use super::winograd::{self, Tiling};
use super::{direct, direct_weight};
use crate::parallel::{Shards, SplitRows, for_each_chunk, rows_mut, sum_over_shards};
use crate::{Beta, scratch};

/// The kernels that compute it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Direct,
    Winograd,
}

/// A convolution with stride 1, no dilation and one group, and how it is computed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct UnitStride {
    pub(crate) method: Method,
    pub(crate) level: Level,
    pub(crate) geometry: Geometry,
}

impl UnitStride {
    /// y = x ∗ w + bias.
    pub(crate) fn forward(&self, y: &mut [f32], x: Images<'_>, w: &[f32], bias: Option<&[f32]>) {
        let size = OutputSize::of(&self.geometry);
        let rows = rows_mut(y, self.geometry.output_len());
        self.convolve(x, w, Orientation::AsIs, rows, |y| Plain {
            y: y.into_slice(),
            bias,
            beta: Beta::Zero,
            size,
        });
    }

    /// dx = β·dx + dy ∗ (w flipped).
    pub(crate) fn backward_input(&self, dx: &mut [f32], dy: Images<'_>, w: &[f32], beta: Beta) {
        let geometry = self.geometry.backward_input();
        let size = OutputSize::of(&geometry);
        let rows = rows_mut(dx, geometry.output_len());
        let flipped = Self { geometry, ..*self };
        flipped.convolve(dy, w, Orientation::Flipped, rows, |dx| Plain {
            y: dx.into_slice(),
            bias: None,
            beta,
            size,
        });
    }

    /// dw = β·dw + the sum over the shards of the batch, combined in the tree.
    pub(crate) fn backward_weight(
        &self,
        dw: &mut [f32],
        dy: Images<'_>,
        x: Images<'_>,
        shards: &Shards<'_>,
        beta: Beta,
    ) {
        let geometry = &self.geometry;
        let work = geometry.work(shards.images().len());
        scratch::with(pack::packed_len(geometry), |sum| {
            sum_over_shards(sum, shards, work, (), |images, partial, ()| {
                let dy = dy.range(&images, geometry.output_len());
                let x = x.range(&images, geometry.input_len());
                self.weight_gradient(partial, dy, x, images.len());
            });
            pack::unpack(self.level, dw, sum, geometry, beta);
        });
    }

    /// Writes the weight gradient of some images, as [packed](pack) weights.
    fn weight_gradient(&self, packed: &mut [f32], dy: Images<'_>, x: Images<'_>, n_images: usize) {
        let Self { method, level, geometry } = self;
        match method {
            Method::Direct => scratch::with(direct_weight::scratch_len(geometry, n_images, dy), |scratch| {
                dispatch(*level, direct_weight::BackwardWeight { geometry, packed, dy, x, scratch });
            }),
            Method::Winograd => {
                let tiling = &Tiling::for_weight_gradient(geometry, n_images);
                scratch::with(tiling.weight_scratch_len(), |scratch| {
                    dispatch(*level, winograd::BackwardWeight { tiling, packed, dy, x, scratch });
                });
            }
        }
    }

    /// Convolves the images `x`, some images at a time, into the sinks created from their rows of `outputs`.
    pub(crate) fn convolve<R: SplitRows, K: Sink>(
        &self,
        x: Images<'_>,
        w: &[f32],
        orientation: Orientation,
        outputs: R,
        sink: impl Fn(R) -> K + Sync,
    ) {
        let Self { method, level, geometry } = self;
        let n_images = x.count(geometry.input_len());
        self.with_weights(w, orientation, |weights| {
            // The result for an image is the same in any task.
            let n_shards = Shards::whole(n_images).n_shards();
            let n_tasks = match method {
                Method::Direct => n_shards,
                Method::Winograd => winograd::n_tasks(geometry, n_images, n_shards),
            };
            let images_per_task = n_images.div_ceil(n_tasks.max(1)).max(1);
            for_each_chunk(n_images, images_per_task, geometry.work(n_images), outputs, |images, rows| {
                let x = x.range(&images, geometry.input_len());
                match method {
                    Method::Direct => scratch::with(direct::bordered(geometry).len(), |scratch| {
                        let sink = sink(rows);
                        dispatch(*level, direct::Convolve { geometry, x, packed: weights, scratch, sink });
                    }),
                    Method::Winograd => {
                        let tiling = &Tiling::new(geometry, images.len());
                        scratch::with(tiling.scratch_len(), |scratch| {
                            let sink = sink(rows);
                            dispatch(*level, winograd::Convolve { tiling, x, weights, scratch, sink });
                        });
                    }
                }
            });
        });
    }

    /// Calls `f` with the weights in the kernel's layout.
    fn with_weights(&self, w: &[f32], orientation: Orientation, f: impl FnOnce(&[f32])) {
        let Self { method, level, geometry } = self;
        scratch::with(pack::packed_len(geometry), |packed| {
            pack::pack(*level, packed, w, geometry, orientation);
            match method {
                Method::Direct => f(packed),
                Method::Winograd => scratch::with(winograd::weights_len(geometry), |weights| {
                    let blocks = rows_mut(weights, winograd::weights_block_len(geometry));
                    let n_blocks = geometry.out_channels.div_ceil(LANES);
                    for_each_chunk(n_blocks, 1, packed.len(), blocks, |block, weights| {
                        let packed = rows(packed, &block, pack::block_len(geometry));
                        let transformed = weights.into_slice();
                        dispatch(*level, winograd::TransformWeights { geometry, transformed, packed });
                    });
                    f(weights);
                }),
            }
        });
    }
}

#[cfg(test)]
mod tests;
