//! Shared code of ops whose operands broadcast as in NumPy.

use tensor::broadcast::{broadcast_shapes, broadcast_zip, broadcast_zip3, reduce_to_shape};
use tensor::parallel::Shards;
use tensor::reduce::Reduction;
use tensor::{Beta, Shape, elementwise, scratch};

use crate::op::runs_along;
use crate::{Backward, Grad, Images, Inputs, Operands, ShapeError};

/// The shape that all operands broadcast to.
pub(super) fn broadcast_all(inputs: &[Shape]) -> Result<Shape, ShapeError> {
    let mut shape = Shape::scalar();
    for x in inputs {
        shape = broadcast_shapes(&shape, x).ok_or_else(|| {
            let all: Vec<String> = inputs.iter().map(Shape::to_string).collect();
            ShapeError::new(format!(
                "{} do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them",
                all.join(" and ")
            ))
        })?;
    }
    Ok(shape)
}

/// Where the images are in the output of an op whose operands broadcast to it.
pub(super) fn broadcast_images(inputs: Operands<'_>, output: Shape) -> Images {
    let runs_along = |i: usize| runs_along(inputs.shape(i), output);
    let fits = |i: usize| match inputs.has_images(i) {
        true => runs_along(i),
        false => !runs_along(i) || output[0] == 1,
    };
    match inputs.first_with_images() {
        None => Images::Summed,
        Some(_) if !(0..inputs.slots.len()).all(fits) => Images::Mixed,
        Some(i) => Images::Kept(i),
    }
}

/// The gradient of an operand, computed from dy and any values it also depends on, and summed over the axes
/// along which the operand was broadcast.
pub(super) struct OperandGrad<'a> {
    grad: Grad<'a>,
    shape: Shape,
    /// The batch's shards, if the operand was broadcast along it.
    shards: Option<Shards<'a>>,
    dy: &'a [f32],
    y: &'a [f32],
    y_shape: Shape,
    inputs: Inputs<'a>,
}

/// A value that a gradient may depend on: the first input, the second, the output.
#[derive(Clone, Copy)]
pub(super) enum Value {
    A,
    B,
    Y,
}

impl<'a> OperandGrad<'a> {
    /// The gradient of input `i`, if it is needed.
    pub(super) fn of(b: &'a mut Backward<'_>, i: usize) -> Option<Self> {
        let shards = b.summed_shards(i);
        let &mut Backward { dy, output: y, shape: y_shape, inputs, ref mut grads, .. } = b;
        let grad = grads.get(i)?;
        Some(Self { grad, shape: inputs.shape(i), shards, dy, y, y_shape, inputs })
    }

    /// dy itself.
    pub(super) fn copy(self) {
        let dy = self.dy;
        self.sum(dy);
    }

    fn sum(self, share: &[f32]) {
        let Self { grad, shape, shards, y_shape, .. } = self;
        reduce_to_shape(grad.data, share, &shape, &y_shape, Reduction::Sum, shards.as_ref(), grad.beta);
    }

    /// f(dy).
    pub(super) fn map(self, f: impl Fn(f32) -> f32 + Sync) {
        let dy = self.dy;
        self.write(|share| elementwise::map(share, dy, Beta::Zero, f));
    }

    /// f(dy, value).
    pub(super) fn zip(self, value: Value, f: impl Fn(f32, f32) -> f32 + Sync) {
        let (dy, y_shape, (v, v_shape)) = (self.dy, self.y_shape, self.value(value));
        self.write(|share| broadcast_zip(share, (dy, &y_shape), (v, &v_shape), &y_shape, f));
    }

    /// f(dy, value, other value).
    pub(super) fn zip3(self, values: [Value; 2], f: impl Fn(f32, f32, f32) -> f32 + Sync) {
        let (dy, y_shape, [v, w]) = (self.dy, self.y_shape, values.map(|value| self.value(value)));
        self.write(|share| {
            broadcast_zip3(share, [(dy, &y_shape), (v.0, &v.1), (w.0, &w.1)], &y_shape, f);
        });
    }

    fn value(&self, value: Value) -> (&'a [f32], Shape) {
        match value {
            Value::A => (self.inputs.value(0), self.inputs.shape(0)),
            Value::B => (self.inputs.value(1), self.inputs.shape(1)),
            Value::Y => (self.y, self.y_shape),
        }
    }

    /// Writes the gradient; `write` fills a slice of the output's shape with the share of each element.
    fn write(self, write: impl FnOnce(&mut [f32])) {
        if self.shape == self.y_shape && self.shards.is_none() && self.grad.beta == Beta::Zero {
            return write(self.grad.data);
        }
        scratch::with(self.y_shape.numel(), |share| {
            write(share);
            self.sum(share);
        });
    }
}
