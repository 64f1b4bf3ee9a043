//! `y[i] = x[indices[i]]`: whole rows by their numbers.

use tensor::Shape;

use super::shared::{row_len, sum_over_rows};
use crate::{Backward, Forward, Graph, Images, Indices, Op, Operands, ShapeError, Var};

struct IndexSelect {
    n_indices: usize,
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match inputs[0].rank() {
            0 => Err(ShapeError::new("the input is a scalar, expected rows [n, …]; reshape it")),
            _ => Ok(inputs[0].with_axis(0, self.n_indices)),
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if inputs.has_images(0) { Images::Mixed } else { Images::Begun }
    }

    fn forward(&self, f: Forward<'_>) {
        let (x, len) = (f.inputs.value(0), row_len(f.shape));
        for (y, &idx) in f.output.chunks_exact_mut(len.max(1)).zip(f.indices) {
            y.copy_from_slice(&x[idx as usize * len..][..len]);
        }
    }

    /// `dx[indices[i]] += dy[i]`, in the order of the indices.
    fn backward(&self, mut b: Backward<'_>) {
        let (dy, indices, len) = (b.dy, b.indices, row_len(b.shape));
        let Some(dx) = b.grads.get(0) else { return };
        sum_over_rows(dx, &b.shards, indices.len(), |rows, dx| {
            for (dy, &idx) in dy[rows.start * len..].chunks_exact(len.max(1)).zip(&indices[rows]) {
                let row = &mut dx[idx as usize * len..][..len];
                row.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
            }
        });
    }
}

impl Graph<'_> {
    /// Rows by their numbers, `[n, …]` to `[number of indices, …]`; `torch.index_select` with `dim=0`, or
    /// an embedding's lookup. A row that occurs twice gets both gradients.
    ///
    /// # Panics
    /// When `x` is a scalar, or an index is out of range.
    #[track_caller]
    pub fn index_select(&self, x: Var, indices: Indices) -> Var {
        let n_indices = self.n_indices("index_select", indices);
        if let Some(&n_rows) = self.shape(x).first() {
            self.expect_below("index_select", "row", indices, n_rows);
        }
        self.apply_indexed(IndexSelect { n_indices }, &[x], indices)
    }
}
