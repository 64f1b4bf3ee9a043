//! `y[i] = x[indices[i]]`: selects whole rows by index.

use tensor::embedding::{embedding_backward, embedding_forward};
use tensor::{MAX_RANK, Shape};

use super::shared::row_len;
use crate::{Backward, Forward, Graph, Images, Indices, Op, Operands, ShapeError, Var};

struct IndexSelect {
    /// The shape of the indices, which forms the first axes of the output.
    indices: Shape,
    /// The row that gets no gradient.
    padding_idx: Option<u32>,
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let [_, row @ ..] = inputs[0].dims() else {
            return Err(ShapeError::new("the input is a scalar, expected rows [n, …]; reshape it"));
        };
        let (n_leading, rank) = (self.indices.rank(), self.indices.rank() + row.len());
        if rank > MAX_RANK {
            return Err(ShapeError::new(format!(
                "rows of {} for indices {} give {rank} axes, but a shape has at most {MAX_RANK}; reshape one \
                 of them",
                inputs[0], self.indices
            )));
        }
        let mut dims = [0; MAX_RANK];
        dims[..n_leading].copy_from_slice(&self.indices);
        dims[n_leading..rank].copy_from_slice(row);
        Ok(Shape::new(&dims[..rank]))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if inputs.has_images(0) { Images::Mixed } else { Images::Begun }
    }

    fn forward(&self, f: Forward<'_>) {
        embedding_forward(f.output, f.inputs.value(0), f.indices, row_len(f.inputs.shape(0)));
    }

    /// `dx[indices[i]] += dy[i]`, in the order of the indices.
    fn backward(&self, mut b: Backward<'_>) {
        let (dy, indices, len, padding) = (b.dy, b.indices, row_len(b.inputs.shape(0)), self.padding_idx);
        let (order, shards) = (&mut b.saved.indices, b.shards);
        // The rows of other processes are not known here.
        let grad = if shards.is_exchanging() { b.grads.get(0) } else { b.grads.get_rows(0, indices, len) };
        if let Some(dx) = grad {
            embedding_backward(dx.data, dy, indices, len, padding, order, &shards, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// Selects rows by index, `[n, …]` to `[number of indices, …]`; `torch.index_select` with `dim=0`. A row
    /// selected twice gets both gradients.
    ///
    /// # Panics
    /// When `x` is a scalar, or an index is out of range.
    #[track_caller]
    pub fn index_select(&self, x: Var, indices: Indices) -> Var {
        let n_indices = self.n_indices("index_select", indices);
        if let Some(&n_rows) = self.shape(x).first() {
            self.expect_below("index_select", "row", indices, n_rows);
        }
        self.apply_indexed(IndexSelect { indices: [n_indices].into(), padding_idx: None }, &[x], indices)
    }

    /// The vectors of [`tokens`](Self::tokens) of any shape, for example `[n, t]`, which are rows of
    /// `weight`, `[num_embeddings, embedding_dim]`, to `[n, t, embedding_dim]`;
    /// `torch.nn.functional.embedding`.
    ///
    /// Row `padding_idx` gets no gradient. Forward and backward cost as much as the rows that occur, however
    /// many there are in the table, with four exceptions. If several processes share the batch, the gradient of
    /// the whole table is computed and summed over them in each step. It is zeroed as a whole in the step after one, or
    /// several that accumulate, with more tokens than half the rows; after one in which another op gave the table a
    /// gradient, as with tied weights; and after one whose gradient was changed outside backward, as by clipping if the
    /// norm is too large.
    ///
    /// # Panics
    /// When a token or `padding_idx` is out of range.
    #[track_caller]
    pub fn embedding(&self, tokens: Indices, weight: Var, padding_idx: Option<usize>) -> Var {
        if let Some(&n_rows) = self.shape(weight).first() {
            self.expect_below("embedding", "token", tokens, n_rows);
            assert!(
                padding_idx.is_none_or(|idx| idx < n_rows),
                "embedding{}: padding_idx is {padding_idx:?}, it must be below the number of rows, {n_rows}",
                self.at()
            );
        }
        let padding_idx = padding_idx.map(|idx| idx as u32);
        self.apply_indexed(IndexSelect { indices: tokens.shape(), padding_idx }, &[weight], tokens)
    }
}
