//! The gradients of a block: with a ReLU, from the few values that it and the pool pass on; otherwise like
//! those of a convolution.

use std::ops::Range;

use simd::{Level, dispatch};

use super::super::images::{Images, Unpooled};
use super::super::sparse::events::{Events, List, PooledGradient};
use super::super::sparse::{self, Planes};
use super::Block;
use crate::norm::Pointwise;
use crate::parallel::{Shards, rows_mut, sum_over_shards};
use crate::reduce::{Reduction, reduce_rows};
use crate::{Beta, elementwise, scratch};

#[allow(clippy::too_many_arguments)]
pub(super) fn gradients(
    block: &Block,
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    pooled: PooledGradient<'_>,
    x: Pointwise<'_>,
    w: &[f32],
    shards: &Shards<'_>,
) {
    if !block.relu {
        return dense(block, dx, dw, db, pooled, x, w, shards);
    }
    let (level, planes) = (block.convolution.level, &block.planes);
    let geometry = &planes.geometry;
    let (weights_len, n_outs) = (planes.weights_len(), geometry.out_channels);
    let n_images = block.shape.batch;
    let (dx, dx_beta) = dx.unzip();
    // The packed weights, followed by the gradients of weights and bias.
    let packed_len = if dx.is_some() { weights_len } else { 0 };
    scratch::with(packed_len + weights_len + n_outs, |memory| {
        let (packed, sum) = memory.split_at_mut(packed_len);
        if dx.is_some() {
            sparse::input::pack(level, packed, w, planes);
        }
        let backward = Backward { level, planes, pooled, x, packed };
        let dx = dx.map(|dx| rows_mut(dx, geometry.input_len()));
        sum_over_shards(sum, shards, geometry.work(n_images), dx, |images, partial, dx| {
            let (dw, db) = partial.split_at_mut(weights_len);
            let dx = dx.map(|dx| dx.into_slice()).zip(dx_beta);
            backward.of_images(images, dx, dw, db);
        });
        let (dw_sum, db_sum) = sum.split_at(weights_len);
        sparse::weight::unpack(level, dw.0, dw_sum, planes, dw.1);
        if let Some((db, beta)) = db {
            elementwise::copy_or_add(db, db_sum, beta);
        }
    });
}

/// The backward pass without a ReLU.
#[allow(clippy::too_many_arguments)]
fn dense(
    block: &Block,
    dx: Option<(&mut [f32], Beta)>,
    dw: (&mut [f32], Beta),
    db: Option<(&mut [f32], Beta)>,
    PooledGradient { dy, argmax, .. }: PooledGradient<'_>,
    x: Pointwise<'_>,
    w: &[f32],
    shards: &Shards<'_>,
) {
    let Block { shape, convolution, .. } = block;
    let (height, width, channels) = (shape.out_height(), shape.out_width(), shape.out_channels);
    let dz = Images::Unpooled(Unpooled { dy, argmax, height, width, channels });
    if let Some((dx, beta)) = dx {
        convolution.backward_input(dx, dz, w, beta);
    }
    convolution.backward_weight(dw.0, dz, x.into(), shards, dw.1);
    if let Some((db, beta)) = db {
        reduce_rows(db, dy, dy.len() / channels, channels, Reduction::Sum, shards, beta);
    }
}

/// The data from which the gradients of any images are computed.
struct Backward<'a> {
    level: Level,
    planes: &'a Planes,
    pooled: PooledGradient<'a>,
    x: Pointwise<'a>,
    /// The weights packed for the input gradient, if that is needed.
    packed: &'a [f32],
}

impl Backward<'_> {
    /// Computes the gradients of some images, a few at a time: their `dx`, and the sums `dw` (in the planes'
    /// order) and `db`.
    fn of_images(
        &self,
        images: Range<usize>,
        mut dx: Option<(&mut [f32], Beta)>,
        dw: &mut [f32],
        db: &mut [f32],
    ) {
        let &Self { level, planes, packed, .. } = self;
        let input_len = planes.geometry.input_len();
        let chunk = planes.images_per_chunk(images.len());
        let plane_len = planes.scratch_len(chunk);
        let computed_len = if self.x.as_slice().is_some() { 0 } else { chunk * input_len };
        db.fill(0.0);
        scratch::with(plane_len + computed_len + Events::scratch_len(planes, chunk), |memory| {
            let (plane, memory) = memory.split_at_mut(plane_len);
            let (computed, memory) = memory.split_at_mut(computed_len);
            for first in images.clone().step_by(chunk) {
                let chunk = first..images.end.min(first + chunk);
                let scratch = &mut plane[..planes.scratch_len(chunk.len())];
                let mut events = Events::new(planes, memory, chunk.len());
                let pooled = self.pooled.of(planes, &chunk);
                dispatch(level, List { planes, events: &mut events, db, pooled });
                let x = self.x.range(chunk.start * input_len..chunk.end * input_len);
                let x = match x.as_slice() {
                    Some(x) => x,
                    None => {
                        x.fill(computed, [x.len(); 2]);
                        &computed[..x.len()]
                    }
                };
                let beta = if first == images.start { Beta::Zero } else { Beta::One };
                dispatch(
                    level,
                    sparse::weight::BackwardWeight { planes, dw, x, events: &events, scratch, beta },
                );
                if let Some((dx, beta)) = &mut dx {
                    let dx = &mut dx[(chunk.start - images.start) * input_len..][..chunk.len() * input_len];
                    let (events, beta) = (&events, *beta);
                    dispatch(
                        level,
                        sparse::input::BackwardInput { planes, dx, events, packed, scratch, beta },
                    );
                }
            }
        });
    }
}
