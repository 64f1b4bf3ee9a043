//! Ops of two inputs, element by element, broadcast as in NumPy: each is its formula y = f(a, b), and what da and
//! db make of dy.

use tensor::broadcast::{broadcast_shapes, broadcast_zip, broadcast_zip3, reduce_to_shape};
use tensor::parallel::Shards;
use tensor::reduce::Reduction;
use tensor::{Beta, Shape, elementwise, scratch};

use crate::op::runs_along;
use crate::{Backward, Forward, Grad, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

struct Binary<F, Da, Db> {
    name: &'static str,
    f: F,
    da: Da,
    db: Db,
}

impl<F, Da, Db> Op for Binary<F, Da, Db>
where
    F: Fn(f32, f32) -> f32 + Send + Sync + 'static,
    Da: Fn(OperandGrad<'_>) + Send + Sync + 'static,
    Db: Fn(OperandGrad<'_>) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (a, b) = (inputs[0], inputs[1]);
        broadcast_shapes(&a, &b).ok_or_else(|| {
            ShapeError::new(format!(
                "{a} and {b} do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"
            ))
        })
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        let runs_along = |i: usize| runs_along(inputs.shape(i), output);
        let fits = |i: usize| match inputs.has_images(i) {
            true => runs_along(i),
            false => !runs_along(i) || output[0] == 1,
        };
        match inputs.first_with_images() {
            None => Images::Summed,
            Some(_) if !(0..2).all(fits) => Images::Mixed,
            Some(i) => Images::Kept(i),
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, &self.f);
    }

    fn backward(&self, mut bwd: Backward<'_>) {
        let (dy, y, y_shape, inputs) = (bwd.dy, bwd.output, bwd.shape, bwd.inputs);
        let shards = [0, 1].map(|i| bwd.summed_shards(i));
        if let Some(grad) = bwd.grads.get(0) {
            (self.da)(OperandGrad {
                grad,
                shape: inputs.shape(0),
                shards: shards[0],
                dy,
                y,
                y_shape,
                inputs,
            });
        }
        if let Some(grad) = bwd.grads.get(1) {
            (self.db)(OperandGrad {
                grad,
                shape: inputs.shape(1),
                shards: shards[1],
                dy,
                y,
                y_shape,
                inputs,
            });
        }
    }
}

/// The gradient of an operand, to be written from dy, and from whichever values it also depends on; it is summed
/// over the axes along which the operand was broadcast.
struct OperandGrad<'a> {
    grad: Grad<'a>,
    shape: Shape,
    /// Those of the batch, if the operand was broadcast along it.
    shards: Option<Shards<'a>>,
    dy: &'a [f32],
    y: &'a [f32],
    y_shape: Shape,
    inputs: Inputs<'a>,
}

/// A value that a gradient may depend on.
#[derive(Clone, Copy)]
enum Value {
    A,
    B,
    Y,
}
use Value::{A, B, Y};

impl<'a> OperandGrad<'a> {
    /// dy itself.
    fn copy(self) {
        let dy = self.dy;
        self.sum(dy);
    }

    fn sum(self, share: &[f32]) {
        let Self { grad, shape, shards, y_shape, .. } = self;
        reduce_to_shape(grad.data, share, &shape, &y_shape, Reduction::Sum, shards.as_ref(), grad.beta);
    }

    /// f(dy).
    fn map(self, f: impl Fn(f32) -> f32 + Sync) {
        let dy = self.dy;
        self.write(|share| elementwise::map(share, dy, Beta::Zero, f));
    }

    /// f(dy, value).
    fn zip(self, value: Value, f: impl Fn(f32, f32) -> f32 + Sync) {
        let (dy, y_shape, (v, v_shape)) = (self.dy, self.y_shape, self.value(value));
        self.write(|share| broadcast_zip(share, (dy, &y_shape), (v, &v_shape), &y_shape, f));
    }

    /// f(dy, value, other value).
    fn zip3(self, values: [Value; 2], f: impl Fn(f32, f32, f32) -> f32 + Sync) {
        let (dy, y_shape, [v, w]) = (self.dy, self.y_shape, values.map(|value| self.value(value)));
        self.write(|share| broadcast_zip3(share, dy, (v.0, &v.1), (w.0, &w.1), &y_shape, f));
    }

    fn value(&self, value: Value) -> (&'a [f32], Shape) {
        match value {
            A => (self.inputs.value(0), self.inputs.shape(0)),
            B => (self.inputs.value(1), self.inputs.shape(1)),
            Y => (self.y, self.y_shape),
        }
    }

    /// `write` fills a slice of the output's shape with the share of each element.
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

impl Graph<'_> {
    #[track_caller]
    fn binary(
        &self,
        name: &'static str,
        (a, b): (Var, Var),
        f: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
        da: impl Fn(OperandGrad<'_>) + Send + Sync + 'static,
        db: impl Fn(OperandGrad<'_>) + Send + Sync + 'static,
    ) -> Var {
        self.apply(Binary { name, f, da, db }, &[a, b])
    }

    /// a + b, element by element, broadcast as in NumPy; `torch.add`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn add(&self, a: Var, b: Var) -> Var {
        self.binary("add", (a, b), |a, b| a + b, |da| da.copy(), |db| db.copy())
    }

    /// a − b, element by element, broadcast as in NumPy; `torch.sub`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn sub(&self, a: Var, b: Var) -> Var {
        self.binary("sub", (a, b), |a, b| a - b, |da| da.copy(), |db| db.map(|dy| -dy))
    }

    /// a · b, element by element, broadcast as in NumPy; `torch.mul`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn mul(&self, a: Var, b: Var) -> Var {
        self.binary(
            "mul",
            (a, b),
            |a, b| a * b,
            |da| da.zip(B, |dy, b| dy * b),
            |db| db.zip(A, |dy, a| dy * a),
        )
    }

    /// a / b, element by element, broadcast as in NumPy; `torch.div`. x / 0 is ±∞ or NaN, as in IEEE 754.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn div(&self, a: Var, b: Var) -> Var {
        self.binary(
            "div",
            (a, b),
            |a, b| a / b,
            |da| da.zip(B, |dy, b| dy / b),
            |db| db.zip3([Y, B], |dy, y, b| -y / b * dy),
        )
    }
}
