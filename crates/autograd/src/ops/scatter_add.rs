//! y = x, then y[.., indices[.., i, ..], ..] += src[.., i, ..] along an axis.

use tensor::layout::{gather_backward, gather_forward};
use tensor::{Beta, Shape, elementwise, scratch};

use super::shared::{are_in_order, row_len, sum_over_rows, there_are};
use crate::{Backward, Forward, Grad, Graph, Images, Indices, Op, Operands, ShapeError, Var};

/// The inputs are x and src.
struct ScatterAdd {
    axis: usize,
    /// The shape of the indices.
    indices: Shape,
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, src, &Self { axis, indices }) = (inputs[0], inputs[1], self);
        if axis >= x.rank() {
            return Err(ShapeError::new(format!("{x} has no axis {axis}; axes count from 0")));
        }
        let fits = src.rank() == x.rank() && src.with_axis(axis, 1) == x.with_axis(axis, 1);
        if !fits || src.numel() != indices.numel() {
            return Err(ShapeError::new(format!(
                "the source is {src} and {} for axis {axis} of {x}; the source \
                 must have the shape of the input except on that axis, with one index per element",
                there_are(indices.numel(), "index")
            )));
        }
        match are_in_order(indices, &src) {
            true => Ok(x),
            false => Err(ShapeError::new(format!(
                "the indices are {indices} and the source is {src}; give the indices in the shape of the source, or \
                 in its order as a list"
            ))),
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match (self.axis, inputs.has_images(0), inputs.has_images(1)) {
            // If the images of the batch are added to a table shared by all processes, the result is a sum
            // over them.
            (_, false, false) | (0, false, true) => Images::Summed,
            (1.., true, true) => Images::Kept(0),
            _ => Images::Mixed,
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let ([x, src], indices, shape) = ([0, 1].map(|i| f.inputs.value(i)), f.indices, f.shape);
        elementwise::copy_or_add(f.output, x, Beta::Zero);
        if self.axis > 0 {
            return gather_backward(f.output, src, indices, &shape, self.axis, Beta::One);
        }
        let (len, n_rows) = (row_len(shape), f.inputs.shape(1)[0]);
        let y = Grad { data: f.output, beta: Beta::One };
        sum_over_rows(y, &f.inputs.shards(1), n_rows, |rows, partial| {
            let picks = rows.start * len..rows.end * len;
            gather_backward(partial, &src[picks.clone()], &indices[picks], &shape, 0, Beta::Zero);
        });
    }

    /// dx = dy, dsrc[.., i, ..] = dy[.., indices[.., i, ..], ..].
    fn backward(&self, mut b: Backward<'_>) {
        let (dy, indices, shape) = (b.dy, b.indices, b.shape);
        if let Some(dx) = b.grads.get(0) {
            elementwise::copy_or_add(dx.data, dy, dx.beta);
        }
        match b.grads.get(1) {
            None => {}
            Some(Grad { data, beta: Beta::Zero }) => gather_forward(data, dy, indices, &shape, self.axis),
            Some(Grad { data, beta: Beta::One }) => scratch::with(data.len(), |picked| {
                gather_forward(picked, dy, indices, &shape, self.axis);
                elementwise::add_assign(data, picked);
            }),
        }
    }
}

impl Graph<'_> {
    /// Adds the elements of `src` to `x` along `axis`, with separate indices for each line:
    /// `y[r, indices[r, i]] += src[r, i]` for axis 1 of a matrix; `torch.scatter_add`. The indices have
    /// the shape of `src`, which is that of `x` except for the size of the axis, or are a list in its order. If
    /// an index occurs twice, both elements are added.
    ///
    /// # Panics
    /// When `x` does not have the axis, the indices or the shape of `src` do not fit, or an index is out of
    /// range.
    #[track_caller]
    pub fn scatter_add(&self, x: Var, axis: usize, indices: Indices, src: Var) -> Var {
        if let Some(&size) = self.shape(x).get(axis) {
            self.expect_below("scatter_add", "index", indices, size);
        }
        self.apply_indexed(ScatterAdd { axis, indices: indices.shape() }, &[x, src], indices)
    }
}
