//! What several ops have in common.

use std::ops::Range;

use tensor::elementwise::copy_or_add;
use tensor::parallel::{Shards, sum_over_shards};
use tensor::{Shape, scratch};

use crate::tape::Indices;
use crate::{Grad, Graph, Images, Inputs, Operands, ShapeError};

/// The last axis as columns, all others as rows; a scalar is one row of one column.
pub(super) fn rows_and_cols(shape: Shape) -> (usize, usize) {
    match shape.dims().split_last() {
        Some((&cols, leading)) => (leading.iter().product(), cols),
        None => (1, 1),
    }
}

/// Where images are in the output of an op on the rows of its first input, which are all axes but the last.
pub(super) fn rows_of_images(inputs: Operands<'_>, output: Shape) -> Images {
    if output.rank() > 1 { inputs.kept_of(0) } else { inputs.mixed_of(0) }
}

/// The shards of these rows: a vector is a single row.
pub(super) fn shards_of_rows<'a>(inputs: Inputs<'a>) -> Shards<'a> {
    if inputs.shape(0).rank() > 1 { inputs.shards(0) } else { Shards::whole(1) }
}

/// Elements of one row, which is all but the first axis.
pub(super) fn row_len(shape: Shape) -> usize {
    shape[1..].iter().product()
}

/// Adds to a gradient what `n_rows` rows of a batch hand back, shard by shard, joined in the tree: `add(rows, partial)`.
pub(super) fn sum_over_rows(
    grad: Grad<'_>,
    shards: &Shards<'_>,
    n_rows: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let rows_per_image = n_rows.checked_div(shards.images().len()).unwrap_or(0);
    scratch::with(grad.data.len(), |sum| {
        sum_over_shards(sum, shards, sum.len() * shards.n_shards(), (), |images, partial, ()| {
            partial.fill(0.0);
            add(images.start * rows_per_image..images.end * rows_per_image, partial);
        });
        copy_or_add(grad.data, sum, grad.beta);
    });
}

/// The sizes `[n, h, w, c]` of images.
pub(super) fn image_sizes(shape: Shape) -> Result<[usize; 4], ShapeError> {
    shape.dims().try_into().map_err(|_| {
        ShapeError::new(format!(
            "the input is {shape}, expected images [n, h, w, c]; reshape it, or add the missing axes"
        ))
    })
}

impl Graph<'_> {
    /// Makes sure that all indices lie below `bound`.
    #[track_caller]
    pub(super) fn expect_below(&self, op: &str, what: &str, indices: Indices, bound: usize) {
        let recording = self.tape.recording.borrow();
        let indices = recording.indices(op, indices);
        if let Some(pos) = indices.iter().position(|&idx| idx as usize >= bound) {
            let (at, idx) = (recording.at(), indices[pos]);
            panic!("{op}{at}: {what} {idx} at position {pos} is out of range; it must be below {bound}");
        }
    }
}
