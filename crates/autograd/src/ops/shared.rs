//! What several ops have in common.

use tensor::Shape;

use crate::tape::Indices;
use crate::{Graph, ShapeError};

/// The last axis as columns, all others as rows; a scalar is one row of one column.
pub(super) fn rows_and_cols(shape: Shape) -> (usize, usize) {
    match shape.dims().split_last() {
        Some((&cols, leading)) => (leading.iter().product(), cols),
        None => (1, 1),
    }
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
