//! A range of one axis.

use std::ops::Range;

use tensor::layout::{slice_backward, slice_forward};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Slice {
    axis: usize,
    range: Range<usize>,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, Range { start, end }) = (inputs[0], self.range.clone());
        match x.get(self.axis) {
            None => Err(ShapeError::new(format!("{x} has no axis {}; axes count from 0", self.axis))),
            Some(&size) if start > end || end > size => Err(ShapeError::new(format!(
                "{start}..{end} is out of range for axis {} of {x}; it must be within 0..{size}",
                self.axis
            ))),
            Some(_) => Ok(x.with_axis(self.axis, end - start)),
        }
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if self.axis == 0 { inputs.mixed_of(0) } else { inputs.kept_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        let shape = f.inputs.shape(0);
        slice_forward(f.output, f.inputs.value(0), &shape, self.axis, self.range.clone(), Beta::Zero);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let shape = b.inputs.shape(0);
        if let Some(dx) = b.grads.get(0) {
            slice_backward(dx.data, b.dy, &shape, self.axis, self.range.clone(), dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The elements whose index on `axis` is in `range`; `torch.narrow`, or `x[:, start:end]`.
    ///
    /// # Panics
    /// When `x` does not have the axis, or the range exceeds it.
    #[track_caller]
    pub fn slice(&self, x: Var, axis: usize, range: Range<usize>) -> Var {
        self.apply(Slice { axis, range }, &[x])
    }

    /// Splits `x` along an axis into parts of the given sizes; `torch.split`.
    ///
    /// ```
    /// use autograd::{Graph, Var};
    /// fn halves(g: &Graph<'_>, x: Var) -> Var {
    ///     let [head, tail] = g.split(x, [3, 5], 1);
    ///     g.concat(&[tail, head], 1)
    /// }
    /// ```
    ///
    /// # Panics
    /// When `x` does not have the axis, or the sizes do not add up to its size.
    #[track_caller]
    pub fn split<const N: usize>(&self, x: Var, sizes: [usize; N], axis: usize) -> [Var; N] {
        let size = self.size_of_axis("split", x, axis);
        assert!(
            sizes.iter().sum::<usize>() == size,
            "split{}: parts of {sizes:?} add up to {}, but axis {axis} of {} has {size}; make the two equal",
            self.at(),
            sizes.iter().sum::<usize>(),
            self.shape(x)
        );
        let mut end = 0;
        sizes.map(|size| {
            end += size;
            self.slice(x, axis, end - size..end)
        })
    }

    /// Splits `x` along an axis into N parts of equal size, the last one smaller if the axis does not divide
    /// evenly; `torch.chunk`.
    ///
    /// # Panics
    /// When `x` does not have the axis, or it does not yield N parts (`torch.chunk` would return fewer).
    #[track_caller]
    pub fn chunk<const N: usize>(&self, x: Var, axis: usize) -> [Var; N] {
        let size = self.size_of_axis("chunk", x, axis);
        let part = size.checked_div(N).map_or(0, |_| size.div_ceil(N));
        assert!(
            part * N.saturating_sub(1) < size || part * N == size,
            "chunk{}: axis {axis} of {} cannot be split into {N} parts of {part} (the last may be smaller); \
             choose another number of parts, or give sizes with Graph::split",
            self.at(),
            self.shape(x)
        );
        std::array::from_fn(|i| self.slice(x, axis, i * part..size.min((i + 1) * part)))
    }

    #[track_caller]
    pub(super) fn size_of_axis(&self, op: &str, x: Var, axis: usize) -> usize {
        let shape = self.shape(x);
        let size = shape.get(axis).copied();
        size.unwrap_or_else(|| panic!("{op}{}: {shape} has no axis {axis}; axes count from 0", self.at()))
    }
}
