//! Element-wise ops of one input: each is its formula y = f(x) and its gradient dx from dy.

use tensor::elementwise::{exp, ln, map, zip3};
use tensor::{Beta, Shape};

use crate::{Backward, Forward, Grad, Graph, Images, Op, Operands, ShapeError, Var};

/// y = f(x), with the shape of x: `forward(y, x)` and `backward(dx, dy, x, y)`.
pub(super) struct Unary<F, B> {
    pub(super) name: &'static str,
    pub(super) forward: F,
    pub(super) backward: B,
    /// Whether the elements along the last axis depend on each other.
    pub(super) along_last_axis: bool,
}

impl<F, B> Op for Unary<F, B>
where
    F: Fn(&mut [f32], &[f32]) + Send + Sync + 'static,
    B: Fn(Grad<'_>, &[f32], &[f32], &[f32]) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        if self.along_last_axis && output.rank() == 1 { inputs.mixed_of(0) } else { inputs.kept_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        (self.forward)(f.output, f.inputs.value(0));
    }

    fn backward(&self, mut b: Backward<'_>) {
        if let Some(dx) = b.grads.get(0) {
            (self.backward)(dx, b.dy, b.inputs.value(0), b.output);
        }
    }
}

impl Graph<'_> {
    /// Any y = f(x), element by element, vectorised and on all threads.
    ///
    /// `dx(dy, x, y)` is the gradient with respect to x, from the input or the output, whichever is less
    /// work; what it does not use is not read. `name` is used in errors.
    ///
    /// ```
    /// use autograd::{Graph, Var};
    ///
    /// /// x·|x|
    /// fn signed_square(g: &Graph<'_>, x: Var) -> Var {
    ///     g.elementwise("signed_square", x, |x| x * x.abs(), |dy, x, _| dy * 2.0 * x.abs())
    /// }
    /// ```
    #[track_caller]
    pub fn elementwise(
        &self,
        name: &'static str,
        x: Var,
        f: impl Fn(f32) -> f32 + Send + Sync + 'static,
        dx: impl Fn(f32, f32, f32) -> f32 + Send + Sync + 'static,
    ) -> Var {
        let forward = move |y: &mut [f32], x: &[f32]| map(y, x, Beta::Zero, &f);
        let backward = move |grad: Grad<'_>, dy: &[f32], x: &[f32], y: &[f32]| {
            zip3(grad.data, dy, x, y, grad.beta, &dx);
        };
        self.apply(Unary { name, forward, backward, along_last_axis: false }, &[x])
    }

    /// factor · x; `torch.mul` with a number.
    #[track_caller]
    pub fn scale(&self, x: Var, factor: f32) -> Var {
        self.elementwise("scale", x, move |x| factor * x, move |dy, _, _| factor * dy)
    }

    /// −x; `torch.neg`.
    #[track_caller]
    pub fn neg(&self, x: Var) -> Var {
        self.scale(x, -1.0)
    }

    /// x + number; `torch.add` with a number.
    #[track_caller]
    pub fn add_scalar(&self, x: Var, number: f32) -> Var {
        self.elementwise("add_scalar", x, move |x| x + number, |dy, _, _| dy)
    }

    /// eˣ; `torch.exp`.
    #[track_caller]
    pub fn exp(&self, x: Var) -> Var {
        self.elementwise("exp", x, exp, |dy, _, y| dy * y)
    }

    /// ln x; `torch.log`. −∞ at 0, NaN for negative x.
    #[track_caller]
    pub fn log(&self, x: Var) -> Var {
        self.elementwise("log", x, ln, |dy, x, _| dy / x)
    }

    /// √x; `torch.sqrt`. NaN for negative x; the gradient at 0 is infinite.
    #[track_caller]
    pub fn sqrt(&self, x: Var) -> Var {
        self.elementwise("sqrt", x, f32::sqrt, |dy, _, y| dy / (2.0 * y))
    }

    /// xᵖ for a number p; `torch.pow`. NaN where x is negative and p is not an integer.
    #[track_caller]
    pub fn pow(&self, x: Var, p: f32) -> Var {
        // For p = 0, 0 · 0⁻¹ would be NaN.
        let slope = move |x: f32| if p == 0.0 { 0.0 } else { p * x.powf(p - 1.0) };
        self.elementwise("pow", x, move |x| x.powf(p), move |dy, x, _| dy * slope(x))
    }

    /// |x|; `torch.abs`. The gradient at 0 is 0.
    #[track_caller]
    pub fn abs(&self, x: Var) -> Var {
        self.elementwise("abs", x, f32::abs, |dy, x, _| dy * sign(x))
    }

    /// 1 where x > 0, −1 where x < 0, 0 where x = 0; `torch.sign`. NaN stays NaN, whereas PyTorch returns 0.
    /// The gradient is 0.
    #[track_caller]
    pub fn sign(&self, x: Var) -> Var {
        self.elementwise("sign", x, sign, |_, _, _| 0.0)
    }

    /// x limited to [min, max]; `torch.clamp`. An infinite bound has no effect; if min > max, the result is
    /// max everywhere. Propagates NaN.
    ///
    /// dx = dy where min < x < max, otherwise 0: also 0 at a bound, as in PyTorch 2.15.
    ///
    /// # Panics
    /// When a bound is NaN.
    #[track_caller]
    pub fn clamp(&self, x: Var, min: f32, max: f32) -> Var {
        assert!(
            !(min.is_nan() || max.is_nan()),
            "clamp{}: the bounds are {min} and {max}; a bound must not be NaN",
            self.at()
        );
        let forward = move |x| {
            let x = if x < min { min } else { x };
            if x > max { max } else { x }
        };
        self.elementwise("clamp", x, forward, move |dy, x, _| if min < x && x < max { dy } else { 0.0 })
    }
}

/// 1, −1 or 0; NaN stays NaN. (`signum` has no 0.)
#[inline]
pub(super) fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}
