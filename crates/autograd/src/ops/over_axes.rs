//! Extremes, norms and sums of exponentials over some axes.

use tensor::broadcast::{broadcast_zip, broadcast_zip3, reduce_to_shape};
use tensor::elementwise::{add_assign, exp};
use tensor::reduce::{Reduction, fold_to_shape, max_nan, min_nan};
use tensor::{Axes, Beta, Shape, scratch};

use super::reduce::reduced_shape;
use crate::{Backward, Forward, Graph, Images, Op, Operands, ShapeError, Var};

/// y = f(x) over some axes: `forward(y, x, shapes)` and `backward(share, dy, x, y, shapes)`, which writes the
/// gradient of every element of x.
struct OverAxes<F, B> {
    name: &'static str,
    axes: Axes,
    keepdim: bool,
    forward: F,
    backward: B,
}

/// The shape of x, and the same with the axes set to 1.
#[derive(Clone, Copy)]
struct Shapes {
    x: Shape,
    kept: Shape,
}

impl<F, B> Op for OverAxes<F, B>
where
    F: Fn(&mut [f32], &[f32], Shapes) + Send + Sync + 'static,
    B: Fn(&mut [f32], &[f32], &[f32], &[f32], Shapes) + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        reduced_shape(inputs[0], self.axes, self.keepdim)
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        if self.axes.contains(0) { inputs.mixed_of(0) } else { inputs.kept_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        let x = f.inputs.shape(0);
        (self.forward)(f.output, f.inputs.value(0), Shapes { x, kept: self.axes.kept(&x) });
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x, shape) = (b.inputs.value(0), b.inputs.shape(0));
        let shapes = Shapes { x: shape, kept: self.axes.kept(&shape) };
        let Some(dx) = b.grads.get(0) else { return };
        match dx.beta {
            Beta::Zero => (self.backward)(dx.data, b.dy, x, b.output, shapes),
            Beta::One => scratch::with(x.len(), |share| {
                (self.backward)(share, b.dy, x, b.output, shapes);
                add_assign(dx.data, share);
            }),
        }
    }
}

impl Graph<'_> {
    #[track_caller]
    fn over_axes(
        &self,
        name: &'static str,
        x: Var,
        (axes, keepdim): (Axes, bool),
        forward: impl Fn(&mut [f32], &[f32], Shapes) + Send + Sync + 'static,
        backward: impl Fn(&mut [f32], &[f32], &[f32], &[f32], Shapes) + Send + Sync + 'static,
    ) -> Var {
        self.apply(OverAxes { name, axes, keepdim, forward, backward }, &[x])
    }

    /// The largest element over some axes; `torch.amax` with `dim` and `keepdim`, and over all of them (`..`)
    /// `torch.max` without `dim`. Propagates NaN. Tied elements share the gradient evenly; [`max`](Self::max)
    /// gives it to the first of them and also returns its index.
    ///
    /// # Panics
    /// When `x` does not have an axis, one is named twice, or there is no element to choose from.
    #[track_caller]
    pub fn amax(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.extreme_over("amax", x, (axes.into(), keepdim), f32::NEG_INFINITY, max_nan)
    }

    /// The smallest element over some axes; `torch.amin` with `dim` and `keepdim`, and over all of them
    /// (`..`) `torch.min` without `dim`. Propagates NaN. Tied elements share the gradient evenly;
    /// [`min`](Self::min) gives it to the first of them and also returns its index.
    ///
    /// # Panics
    /// As [`amax`](Self::amax).
    #[track_caller]
    pub fn amin(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        self.extreme_over("amin", x, (axes.into(), keepdim), f32::INFINITY, min_nan)
    }

    /// What `fold` makes of the elements, beginning with `start`: one of them.
    #[track_caller]
    fn extreme_over(
        &self,
        name: &'static str,
        x: Var,
        (axes, keepdim): (Axes, bool),
        start: f32,
        fold: impl Fn(f32, f32) -> f32 + Copy + Send + Sync + 'static,
    ) -> Var {
        let shape = self.shape(x);
        assert!(
            shape.numel() > 0 || !axes.fits(&shape) || axes.kept(&shape).numel() == 0,
            "{name}{}: {shape} has no elements to choose from; give at least one",
            self.at()
        );
        let forward =
            move |y: &mut [f32], x: &[f32], s: Shapes| fold_to_shape(y, x, &s.kept, &s.x, start, fold);
        self.apply(OverAxes { name, axes, keepdim, forward, backward: spread }, &[x])
    }

    /// (Σ |x|ᵖ)^(1/p) over some axes, the largest |x| for p = ∞; `torch.linalg.vector_norm` with `ord`, `dim`
    /// and `keepdim`. Does not overflow or underflow unless the norm itself does. The gradient at x = 0 is 0;
    /// for p = ∞ tied largest elements share the gradient.
    ///
    /// dx = dy · sign(x) · (|x| / y)^(p − 1).
    ///
    /// # Panics
    /// When p is not above 0, `x` does not have an axis, or one is named twice; for p = ∞ also as [`amax`](Self::amax).
    #[track_caller]
    pub fn norm(&self, x: Var, p: f32, axes: impl Into<Axes>, keepdim: bool) -> Var {
        let axes: Axes = axes.into();
        assert!(p > 0.0, "norm{}: p is {p}, it must be above 0; 2 gives the Euclidean norm", self.at());
        if p == 1.0 {
            return self.sum_axes(self.abs(x), axes, keepdim);
        }
        if p == f32::INFINITY {
            return self.amax(self.abs(x), axes, keepdim);
        }
        let forward = move |y: &mut [f32], x: &[f32], s: Shapes| norm_forward(y, x, p, s);
        self.over_axes("norm", x, (axes, keepdim), forward, move |share, dy, x, y, s| {
            let slope = move |x: f32, y: f32, dy: f32| match x / y {
                _ if x == 0.0 || y == 0.0 => 0.0,
                ratio if p == 2.0 => dy * ratio,
                ratio => dy * ratio.abs().powf(p - 1.0).copysign(x),
            };
            broadcast_zip3(share, [(x, &s.x), (y, &s.kept), (dy, &s.kept)], &s.x, slope);
        })
    }

    /// ln Σ eˣ over some axes; `torch.logsumexp` with `dim` and `keepdim`. Finite inputs do not overflow; −∞ for no elements.
    ///
    /// dx = dy · e^(x − y). Where y is infinite, that is NaN for every x equal to y, as in PyTorch.
    ///
    /// # Panics
    /// When `x` does not have an axis, or one is named twice.
    #[track_caller]
    pub fn logsumexp(&self, x: Var, axes: impl Into<Axes>, keepdim: bool) -> Var {
        let over = (axes.into(), keepdim);
        let forward = |y: &mut [f32], x: &[f32], s: Shapes| {
            fold_to_shape(y, x, &s.kept, &s.x, f32::NEG_INFINITY, max_nan);
            scratch::with(y.len(), |sums| {
                let finite = |largest: f32| if largest.is_infinite() { 0.0 } else { largest };
                scratch::with(x.len(), |shares| {
                    let share = |x: f32, largest: f32| exp(x - finite(largest));
                    broadcast_zip(shares, (x, &s.x), (y, &s.kept), &s.x, share);
                    reduce_to_shape(sums, shares, &s.kept, &s.x, Reduction::Sum, None, Beta::Zero);
                });
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y = finite(*y) + sum.ln());
            });
        };
        self.over_axes("logsumexp", x, over, forward, |share, dy, x, y, s| {
            let slope = |x: f32, y: f32, dy: f32| dy * exp(x - y);
            broadcast_zip3(share, [(x, &s.x), (y, &s.kept), (dy, &s.kept)], &s.x, slope);
        })
    }
}

/// Splits dy evenly among all x equal to y; NaN where y is NaN.
fn spread(share: &mut [f32], dy: &[f32], x: &[f32], y: &[f32], s: Shapes) {
    scratch::with(y.len(), |part| {
        let is_extreme = |x: f32, y: f32| if x == y { 1.0 } else { 0.0 };
        broadcast_zip(share, (x, &s.x), (y, &s.kept), &s.x, is_extreme);
        reduce_to_shape(part, share, &s.kept, &s.x, Reduction::Sum, None, Beta::Zero);
        part.iter_mut().zip(dy).for_each(|(part, dy)| *part = dy / *part);
        let share_of = |x: f32, y: f32, part: f32| {
            if x == y {
                part
            } else if y.is_nan() {
                f32::NAN
            } else {
                0.0
            }
        };
        broadcast_zip3(share, [(x, &s.x), (y, &s.kept), (part, &s.kept)], &s.x, share_of);
    });
}

/// The numbers are divided by the largest of each group, so that no power of them overflows.
fn norm_forward(y: &mut [f32], x: &[f32], p: f32, s: Shapes) {
    let scale = |largest: f32| if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
    fold_to_shape(y, x, &s.kept, &s.x, 0.0, |largest, x| max_nan(largest, x.abs()));
    scratch::with(y.len(), |sums| {
        scratch::with(x.len(), |powers| {
            let power = |x: f32, largest: f32| match x.abs() / scale(largest) {
                ratio if p == 2.0 => ratio * ratio,
                ratio => ratio.powf(p),
            };
            broadcast_zip(powers, (x, &s.x), (y, &s.kept), &s.x, power);
            reduce_to_shape(sums, powers, &s.kept, &s.x, Reduction::Sum, None, Beta::Zero);
        });
        let root = |sum: f32| if p == 2.0 { sum.sqrt() } else { sum.powf(p.recip()) };
        y.iter_mut().zip(sums).for_each(|(y, sum)| *y = scale(*y) * root(*sum));
    });
}
