//! Element-wise ops of two inputs, broadcast as in NumPy: each is its formula y = f(a, b) and its gradients
//! da and db from dy.

use tensor::Shape;
use tensor::broadcast::broadcast_zip;
use tensor::reduce::{max_nan, min_nan};

use super::broadcast::Value::{A, B, Y};
use super::broadcast::{OperandGrad, broadcast_all, broadcast_images};
use super::shared::{channels_last_hint, count};
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

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
        broadcast_all(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        broadcast_images(inputs, output)
    }

    fn forward(&self, f: Forward<'_>) {
        let [a, b] = [0, 1].map(|i| (f.inputs.value(i), f.inputs.shape(i)));
        broadcast_zip(f.output, (a.0, &a.1), (b.0, &b.1), &f.shape, &self.f);
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(grad) = OperandGrad::of(&mut b, 0) {
            (self.da)(grad);
        }
        if let Some(grad) = OperandGrad::of(&mut b, 1) {
            (self.db)(grad);
        }
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

    /// `relu(add(a, b))`, with the same result in one pass: the end of a residual block.
    ///
    /// da = db = dy where y > 0, else 0.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    #[track_caller]
    pub fn add_relu(&self, a: Var, b: Var) -> Var {
        // The gradient of the ReLU, from its output.
        let gradient = |dy: f32, y: f32| if y <= 0.0 { 0.0 } else { dy };
        let forward = |a: f32, b: f32| {
            let sum = a + b;
            if sum < 0.0 { 0.0 } else { sum }
        };
        self.binary("add_relu", (a, b), forward, move |da| da.zip(Y, gradient), move |db| db.zip(Y, gradient))
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

    /// x where positive, weight · x elsewhere, with one weight, or one for each channel (the last axis);
    /// `torch.nn.functional.prelu`. He et al. 2015.
    ///
    /// dx = dy where x > 0, weight · dy elsewhere; dweight = Σ dy · x over x ≤ 0.
    ///
    /// # Panics
    /// When the weight has neither one element nor as many as the last axis of x.
    #[track_caller]
    pub fn prelu(&self, x: Var, weight: Var) -> Var {
        let (x_shape, w_shape) = (self.shape(x), self.shape(weight));
        let channels = x_shape.last().copied().unwrap_or(1);
        assert!(
            matches!(w_shape.dims(), &[n] if n == 1 || n == channels),
            "prelu{}: the input {x_shape} has {}, the weight is {w_shape}; make it [1] or [{channels}]{}",
            self.at(),
            count(channels, "channel"),
            channels_last_hint(x_shape, |first| w_shape.dims() == [first])
        );
        self.binary(
            "prelu",
            (x, weight),
            |x, w| if x > 0.0 { x } else { w * x },
            |dx| dx.zip3([A, B], |dy, x, w| if x > 0.0 { dy } else { w * dy }),
            |dw| dw.zip(A, |dy, x| if x > 0.0 { 0.0 } else { dy * x }),
        )
    }

    /// The larger of a and b, element by element, broadcast as in NumPy; `torch.maximum`. NaN if either is
    /// NaN. Where they are equal, each gets half of the gradient.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn maximum(&self, a: Var, b: Var) -> Var {
        self.binary(
            "maximum",
            (a, b),
            max_nan,
            |da| da.zip3([A, B], |dy, a, b| share(dy, a < b, a == b)),
            |db| db.zip3([A, B], |dy, a, b| share(dy, a > b, a == b)),
        )
    }

    /// The smaller of a and b, element by element, broadcast as in NumPy; `torch.minimum`. NaN if either is
    /// NaN. Where they are equal, each gets half of the gradient.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(&self, a: Var, b: Var) -> Var {
        self.binary(
            "minimum",
            (a, b),
            min_nan,
            |da| da.zip3([A, B], |dy, a, b| share(dy, a > b, a == b)),
            |db| db.zip3([A, B], |dy, a, b| share(dy, a < b, a == b)),
        )
    }

    /// a · bᵀ of two vectors, `[m]` and `[n]` to `[m, n]`; `torch.outer`. For batches and other products of
    /// this kind, see [`einsum`](Self::einsum).
    ///
    /// # Panics
    /// When the operands are not vectors.
    #[track_caller]
    pub fn outer(&self, a: Var, b: Var) -> Var {
        let [a_shape, b_shape] = [a, b].map(|v| self.shape(v));
        let (&[m], &[_]) = (a_shape.dims(), b_shape.dims()) else {
            panic!(
                "outer{}: {a_shape} and {b_shape} are not both vectors; reshape them to one axis",
                self.at()
            );
        };
        self.mul(self.reshape(a, [m, 1]), b)
    }
}

/// The share of dy for an operand of a minimum or maximum. With a NaN, both operands get all of dy, as in
/// PyTorch.
fn share(dy: f32, is_other: bool, is_tie: bool) -> f32 {
    if is_tie {
        dy / 2.0
    } else if is_other {
        0.0
    } else {
        dy
    }
}
