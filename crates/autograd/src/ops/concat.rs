//! Concatenates values along an axis.

use tensor::Shape;
use tensor::layout::{concat_part, slice_forward};

use crate::{Backward, Forward, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

struct Concat {
    axis: usize,
}

impl Concat {
    /// The range of the output's axis that each input fills.
    fn ranges(&self, inputs: Inputs<'_>) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut end = 0;
        (0..inputs.len()).map(move |i| {
            let start = end;
            end += inputs.shape(i)[self.axis];
            start..end
        })
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let Some((first, rest)) = inputs.split_first() else {
            return Err(ShapeError::new("there is nothing to concatenate; give at least one value"));
        };
        if self.axis >= first.rank() {
            return Err(ShapeError::new(format!("{first} has no axis {}; axes count from 0", self.axis)));
        }
        let mut size = first[self.axis];
        for shape in rest {
            if shape.rank() != first.rank() || shape.with_axis(self.axis, 1) != first.with_axis(self.axis, 1)
            {
                return Err(ShapeError::new(format!(
                    "{first} and {shape} differ on axes other than {}; make those axes equal",
                    self.axis
                )));
            }
            size += shape[self.axis];
        }
        Ok(first.with_axis(self.axis, size))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        match inputs.first_with_images() {
            None => Images::Summed,
            Some(0) if self.axis > 0 && inputs.all_have_images() => Images::Kept(0),
            Some(_) => Images::Mixed,
        }
    }

    fn forward(&self, f: Forward<'_>) {
        for (i, range) in self.ranges(f.inputs).enumerate() {
            concat_part(f.output, f.inputs.value(i), &f.shape, self.axis, range);
        }
    }

    fn backward(&self, mut b: Backward<'_>) {
        for (i, range) in self.ranges(b.inputs).enumerate() {
            if let Some(dx) = b.grads.get(i) {
                slice_forward(dx.data, b.dy, &b.shape, self.axis, range, dx.beta);
            }
        }
    }
}

impl Graph<'_> {
    /// Concatenates the values along `axis`; all other axes must be equal. `torch.cat`.
    ///
    /// # Panics
    /// When there are no values, they do not have the axis, or their shapes differ on another one.
    #[track_caller]
    pub fn concat(&self, values: &[Var], axis: usize) -> Var {
        self.apply(Concat { axis }, values)
    }
}
