//! The fast algorithms, for convolutions with stride 1, no dilation and one group: the kernels of
//! this module over images in parallel. Their error bounds stand with the kernels.

use std::ops::Range;

use super::{Algorithm, Conv2dShape};
use crate::conv::geometry::Geometry;
use crate::conv::pack::{self, Rotation};
use crate::conv::sink::{OutputSize, Plain, Pooled};
use crate::conv::winograd::{self, Tiling};
use crate::conv::{direct, direct_weight};
use crate::parallel::{Shards, SplitRows, for_each_chunk, rows_mut, sum_over_shards};
use crate::{Beta, scratch};
use simd::{LANES, Level};

/// Which kernels compute a dense convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kernel {
    Direct,
    Winograd,
}

/// A convolution by fast kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dense {
    pub(crate) kernel: Kernel,
    pub(crate) level: Level,
    pub(crate) geometry: Geometry,
}

impl Dense {
    /// The convolution by an algorithm, if that is one of the fast ones and takes the shape.
    pub(crate) fn new(algorithm: Algorithm, shape: &Conv2dShape) -> Option<Self> {
        let geometry = Geometry::of(shape)?;
        let kernel = match algorithm {
            Algorithm::Direct => Kernel::Direct,
            Algorithm::Winograd if geometry.kernel_size == winograd::KERNEL_SIZE => Kernel::Winograd,
            _ => return None,
        };
        Some(Self { kernel, level: Level::current(), geometry })
    }

    /// y = x ∗ w + bias.
    pub(crate) fn forward(&self, y: &mut [f32], x: &[f32], w: &[f32], bias: Option<&[f32]>) {
        let size = OutputSize::of(&self.geometry);
        let rows = rows_mut(y, self.geometry.output_len());
        self.convolve(x, w, Rotation::None, rows, |y| Plain {
            y: y.into_slice(),
            bias,
            beta: Beta::Zero,
            size,
        });
    }

    /// dx = β·dx + dy ∗ (w rotated by 180°, in and out exchanged).
    pub(crate) fn backward_input(&self, dx: &mut [f32], dy: &[f32], w: &[f32], beta: Beta) {
        let geometry = self.geometry.backward_input();
        let size = OutputSize::of(&geometry);
        let rows = rows_mut(dx, geometry.output_len());
        let rotated = Self { geometry, ..*self };
        rotated.convolve(dy, w, Rotation::Half, rows, |dx| Plain {
            y: dx.into_slice(),
            bias: None,
            beta,
            size,
        });
    }

    /// dw = β·dw + the sum over the shards of the batch, joined in the tree.
    pub(crate) fn backward_weight(&self, dw: &mut [f32], dy: &[f32], x: &[f32], beta: Beta) {
        let geometry = &self.geometry;
        let n_images = x.len() / geometry.input_len();
        scratch::with(pack::packed_len(geometry), |sum| {
            sum_over_shards(
                sum,
                &Shards::whole(n_images),
                geometry.work(n_images),
                (),
                |images, partial, ()| {
                    let (dy, x) =
                        (slice(dy, &images, geometry.output_len()), slice(x, &images, geometry.input_len()));
                    self.shard_weight_gradient(partial, dy, x, images.len());
                },
            );
            pack::unpack(self.level, dw, sum, geometry, beta);
        });
    }

    fn shard_weight_gradient(&self, packed: &mut [f32], dy: &[f32], x: &[f32], n_images: usize) {
        let Self { kernel, level, geometry } = self;
        match kernel {
            Kernel::Direct => scratch::with(direct_weight::scratch_len(geometry, n_images), |scratch| {
                direct_weight::backward_weight(*level, geometry, packed, dy, x, scratch);
            }),
            Kernel::Winograd => {
                let tiling = winograd::weight::tiling(geometry, n_images);
                scratch::with(winograd::weight::scratch_len(&tiling), |scratch| {
                    winograd::weight::backward_weight(*level, &tiling, packed, dy, x, scratch);
                });
            }
        }
    }

    /// Convolves the images `x`, some images at a time, into the sinks made from their rows of `outputs`.
    pub(crate) fn convolve<R: SplitRows, K: ImagesSink>(
        &self,
        x: &[f32],
        w: &[f32],
        rotation: Rotation,
        outputs: R,
        sink: impl Fn(R) -> K + Sync,
    ) {
        let Self { kernel, level, geometry } = self;
        let n_images = x.len() / geometry.input_len();
        self.with_weights(w, rotation, |weights| {
            // An image comes out the same in any task.
            let n_shards = Shards::whole(n_images).n_shards();
            let n_tasks = match kernel {
                Kernel::Direct => n_shards,
                Kernel::Winograd => winograd::n_tasks(geometry, n_images, n_shards),
            };
            let images_per_task = n_images.div_ceil(n_tasks.max(1)).max(1);
            for_each_chunk(n_images, images_per_task, geometry.work(n_images), outputs, |images, rows| {
                let x = slice(x, &images, geometry.input_len());
                match kernel {
                    Kernel::Direct => scratch::with(direct::bordered(geometry).len(), |scratch| {
                        sink(rows).direct(*level, geometry, x, weights, scratch);
                    }),
                    Kernel::Winograd => {
                        let tiling = Tiling::new(geometry, images.len());
                        scratch::with(tiling.scratch_len(), |scratch| {
                            sink(rows).winograd(*level, &tiling, x, weights, scratch);
                        });
                    }
                }
            });
        });
    }

    /// Calls `f` with the weights as the kernel wants them.
    fn with_weights(&self, w: &[f32], rotation: Rotation, f: impl FnOnce(&[f32])) {
        let Self { kernel, level, geometry } = self;
        scratch::with(pack::packed_len(geometry), |packed| {
            pack::pack(*level, packed, w, geometry, rotation);
            match kernel {
                Kernel::Direct => f(packed),
                Kernel::Winograd => scratch::with(winograd::weights_len(geometry), |weights| {
                    let rows = rows_mut(weights, winograd::weights_block_len(geometry));
                    let n_blocks = geometry.out_channels.div_ceil(LANES);
                    for_each_chunk(n_blocks, 1, packed.len(), rows, |block, weights| {
                        let packed = slice(packed, &block, pack::block_len(geometry));
                        winograd::transform_weights(*level, geometry, weights.into_slice(), packed);
                    });
                    f(weights);
                }),
            }
        });
    }
}

/// A sink for some images, with the kernels that fill it.
pub(crate) trait ImagesSink {
    fn direct(self, level: Level, geometry: &Geometry, x: &[f32], weights: &[f32], scratch: &mut [f32]);
    fn winograd(self, level: Level, tiling: &Tiling, x: &[f32], weights: &[f32], scratch: &mut [f32]);
}

impl ImagesSink for Plain<'_> {
    fn direct(self, level: Level, geometry: &Geometry, x: &[f32], weights: &[f32], scratch: &mut [f32]) {
        direct::forward(level, geometry, x, weights, scratch, self);
    }
    fn winograd(self, level: Level, tiling: &Tiling, x: &[f32], weights: &[f32], scratch: &mut [f32]) {
        winograd::forward(level, tiling, x, weights, scratch, self);
    }
}

impl ImagesSink for Pooled<'_> {
    fn direct(self, level: Level, geometry: &Geometry, x: &[f32], weights: &[f32], scratch: &mut [f32]) {
        direct::forward_pooled(level, geometry, x, weights, scratch, self);
    }
    fn winograd(self, level: Level, tiling: &Tiling, x: &[f32], weights: &[f32], scratch: &mut [f32]) {
        winograd::forward_pooled(level, tiling, x, weights, scratch, self);
    }
}

/// The rows `range` of rows of `len` values.
fn slice<'a>(values: &'a [f32], range: &Range<usize>, len: usize) -> &'a [f32] {
    &values[range.start * len..range.end * len]
}

#[cfg(test)]
mod tests;
