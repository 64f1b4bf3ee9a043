//! Stacks values of the same shape along a new axis.

use tensor::layout::{concat_part, slice_forward};
use tensor::{MAX_RANK, Shape};

use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

struct Stack {
    axis: usize,
}

impl Op for Stack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let Some((&first, rest)) = inputs.split_first() else {
            return Err(ShapeError::new("there is nothing to stack; give at least one value"));
        };
        if let Some(other) = rest.iter().find(|&&shape| shape != first) {
            return Err(ShapeError::new(format!("{first} and {other} differ; make all shapes equal")));
        }
        let (axis, rank) = (self.axis, first.rank());
        if axis > rank || rank == MAX_RANK {
            return Err(ShapeError::new(format!(
                "{first} cannot get a new axis {axis}; it can be at most {rank}, and a shape has at most \
                 {MAX_RANK} axes"
            )));
        }
        let mut dims = [inputs.len(); MAX_RANK];
        dims[..axis].copy_from_slice(&first[..axis]);
        dims[axis + 1..=rank].copy_from_slice(&first[axis..]);
        Ok(Shape::new(&dims[..=rank]))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match inputs.first_with_images() {
            None => Images::Summed,
            Some(0) if self.axis > 0 && inputs.all_have_images() => Images::Kept(0),
            Some(_) => Images::Mixed,
        }
    }

    fn forward(&self, f: Forward<'_>) {
        for i in 0..f.inputs.len() {
            concat_part(f.output, f.inputs.value(i), &f.shape, self.axis, i..i + 1);
        }
    }

    fn backward(&self, mut b: Backward<'_>) {
        for i in 0..b.inputs.len() {
            if let Some(dx) = b.grads.get(i) {
                slice_forward(dx.data, b.dy, &b.shape, self.axis, i..i + 1, dx.beta);
            }
        }
    }
}

impl Graph<'_> {
    /// Stacks the values along a new axis, which becomes axis `axis` of the result; `torch.stack`.
    ///
    /// # Panics
    /// When there are no values, their shapes differ or have the most axes, or `axis` is beyond their rank.
    #[track_caller]
    pub fn stack(&self, values: &[Var], axis: usize) -> Var {
        self.apply(Stack { axis }, values)
    }
}
