//! An op of one's own, as the book shows it: softplus, y = ln(1 + eˣ).

use autograd::gradcheck::GradCheck;
use autograd::{Backward, Forward, Graph, Op, ShapeError, Var};
use tensor::Shape;

// ANCHOR: elementwise
/// y = ln(1 + eˣ): a ReLU with a round corner.
fn softplus(g: &Graph<'_>, x: Var) -> Var {
    // max(x, 0) + ln(1 + e^−|x|) does not overflow.
    let y = |x: f32| x.max(0.0) + (-x.abs()).exp().ln_1p();
    g.elementwise("softplus", x, y, |dy, x, _| dy / (1.0 + (-x).exp()))
}
// ANCHOR_END: elementwise

// ANCHOR: op
/// y = ln(1 + eˣ): a ReLU with a round corner.
struct Softplus;

impl Op for Softplus {
    fn name(&self) -> &'static str {
        "softplus"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    /// max(x, 0) + ln(1 + e^−|x|), which does not overflow.
    fn forward(&self, f: Forward<'_>) {
        for (y, &x) in f.output.iter_mut().zip(f.inputs.value(0)) {
            *y = x.max(0.0) + (-x.abs()).exp().ln_1p();
        }
    }

    /// dx = dy · σ(x).
    fn backward(&self, mut b: Backward<'_>) {
        let (x, dy) = (b.inputs.value(0), b.dy);
        if let Some(dx) = b.grads.get(0) {
            dx.write(|i| dy[i] / (1.0 + (-x[i]).exp()));
        }
    }
}

fn softplus_in_full(g: &Graph<'_>, x: Var) -> Var {
    g.apply(Softplus, &[x])
}
// ANCHOR_END: op

// ANCHOR: test
#[test]
fn the_gradient_is_that_of_the_formula() {
    let formula = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    for softplus in [softplus, softplus_in_full] {
        GradCheck::new(|g, v| softplus(g, v[0]))
            .input([7], &[-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0])
            .reference(|x| x[0].iter().copied().map(formula).collect())
            .run();
    }
}
// ANCHOR_END: test
