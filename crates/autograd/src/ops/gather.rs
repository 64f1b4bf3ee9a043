//! y[.., i, ..] = x[.., indices[.., i, ..], ..] along an axis.

use tensor::layout::{gather_backward, gather_forward};
use tensor::{Beta, Shape};

use super::shared::{are_in_order, count, row_len, sum_over_rows};
use crate::{Backward, Forward, Graph, Images, Indices, Op, Operands, ShapeError, Var};

struct Gather {
    axis: usize,
    /// The shape of the indices.
    indices: Shape,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, &Self { axis, indices }) = (inputs[0], self);
        if axis >= x.rank() {
            return Err(ShapeError::new(format!("{x} has no axis {axis}; axes count from 0")));
        }
        let (n_indices, n_columns) = (indices.numel(), x.with_axis(axis, 1).numel());
        if !n_indices.is_multiple_of(n_columns) {
            return Err(ShapeError::new(format!(
                "{} cannot form a shape that differs from {x} only on axis {axis}; \
                 their number must be a multiple of {n_columns}",
                count(n_indices, "index")
            )));
        }
        let y = x.with_axis(axis, n_indices.checked_div(n_columns).unwrap_or(0));
        match are_in_order(indices, &y) {
            true => Ok(y),
            false => Err(ShapeError::new(format!(
                "the indices are {indices}, but those for axis {axis} of {x} are read as {y}; give them in that \
                 shape, or in its order as a list"
            ))),
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match (self.axis, inputs.has_images(0)) {
            (0, true) => Images::Mixed,
            (0, false) => Images::Begun,
            _ => inputs.kept_of(0),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        gather_forward(f.output, f.inputs.value(0), f.indices, &f.inputs.shape(0), self.axis);
    }

    /// dx[.., indices[.., i, ..], ..] = Σ dy[.., i, ..], in the order of the indices.
    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        let (dy, indices) = (b.dy, b.indices);
        let Some(dx) = b.grads.get(0) else { return };
        if self.axis > 0 {
            return gather_backward(dx.data, dy, indices, &shape, self.axis, dx.beta);
        }
        let len = row_len(shape);
        sum_over_rows(dx, &b.shards, b.shape[0], |rows, partial| {
            let picks = rows.start * len..rows.end * len;
            gather_backward(partial, &dy[picks.clone()], &indices[picks], &shape, self.axis, Beta::Zero);
        });
    }
}

impl Graph<'_> {
    /// Picks elements along `axis`, with separate indices for each line: `y[r, i] = x[r, indices[r, i]]` for
    /// axis 1 of a matrix; `torch.gather`. The indices have the shape of the result, which is that of `x`
    /// except for the size of the axis, or are a list in its order. An element picked twice gets both gradients.
    ///
    /// # Panics
    /// When `x` does not have the axis, the indices do not fit, or one is out of range.
    #[track_caller]
    pub fn gather(&self, x: Var, axis: usize, indices: Indices) -> Var {
        if let Some(&size) = self.shape(x).get(axis) {
            self.expect_below("gather", "index", indices, size);
        }
        self.apply_indexed(Gather { axis, indices: indices.shape() }, &[x], indices)
    }
}
