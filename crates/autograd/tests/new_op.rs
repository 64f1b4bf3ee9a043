//! An op of one's own, as the book shows it: softplus, y = ln(1 + eˣ).

use autograd::{Backward, Forward, Graph, Mode, Op, Params, ShapeError, Tape, Var};
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
    let x = [-100.0f32, -3.0, -0.5, 0.0, 0.5, 3.0, 100.0];
    let formula = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let (mut params, mut tape) = (Params::new(), Tape::new());
    for softplus in [softplus, softplus_in_full] {
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let input = g.variable([7], &x);
        let y = softplus(&g, input);
        let loss = g.sum(y);
        g.backward(loss);
        for (i, &x) in x.iter().enumerate() {
            let (x, h) = (f64::from(x), 1e-5);
            let slope = (formula(x + h) - formula(x - h)) / (2.0 * h);
            assert!((f64::from(g.value(y)[i]) - formula(x)).abs() < 1e-5, "softplus({x})");
            assert!((f64::from(g.grad(input).unwrap()[i]) - slope).abs() < 1e-6, "softplus'({x})");
        }
    }
}
// ANCHOR_END: test
