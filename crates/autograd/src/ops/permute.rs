//! The same elements with the axes in another order.

use tensor::layout::{inverse_permutation, permute, permuted_shape};
use tensor::{MAX_RANK, Shape};

use super::shared::count;
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Permute {
    axes: [usize; MAX_RANK],
    rank: usize,
}

impl Permute {
    fn axes(&self) -> &[usize] {
        &self.axes[..self.rank]
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, axes) = (inputs[0], self.axes());
        if axes.len() == x.rank() && (0..x.rank()).all(|axis| axes.contains(&axis)) {
            return Ok(permuted_shape(&x, axes));
        }
        Err(ShapeError::new(format!(
            "{axes:?} is not a permutation of the {} of {x}; name each axis once, counting from 0",
            count(x.rank(), "axis")
        )))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if self.axes().first() == Some(&0) { inputs.kept_of(0) } else { inputs.mixed_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        permute(f.output, f.inputs.value(0), &f.inputs.shape(0), self.axes(), tensor::Beta::Zero);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let inverse = inverse_permutation(self.axes());
        if let Some(dx) = b.grads.get(0) {
            permute(dx.data, b.dy, &b.shape, &inverse[..self.rank], dx.beta);
        }
    }
}

impl Graph<'_> {
    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of `x`; `torch.permute`.
    ///
    /// # Panics
    /// When `axes` does not name each axis of `x` exactly once.
    #[track_caller]
    pub fn permute(&self, x: Var, axes: &[usize]) -> Var {
        let rank = axes.len();
        assert!(
            rank <= MAX_RANK,
            "permute{}: {axes:?} names {rank} axes, a shape has at most {MAX_RANK}; name each axis once, \
             counting from 0",
            self.at()
        );
        let mut op = Permute { axes: [0; MAX_RANK], rank };
        op.axes[..rank].copy_from_slice(axes);
        self.apply(op, &[x])
    }

    /// Swaps two axes; `torch.transpose`.
    ///
    /// # Panics
    /// When `x` does not have the axes.
    #[track_caller]
    pub fn transpose(&self, x: Var, axis: usize, other_axis: usize) -> Var {
        let shape = self.shape(x);
        assert!(
            axis.max(other_axis) < shape.rank(),
            "transpose{}: {shape} has no axes {axis} and {other_axis}; axes count from 0",
            self.at()
        );
        let mut axes = std::array::from_fn::<_, MAX_RANK, _>(|axis| axis);
        axes.swap(axis, other_axis);
        self.permute(x, &axes[..shape.rank()])
    }
}
