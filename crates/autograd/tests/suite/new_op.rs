//! An op of one's own, as the book shows it: softplus, y = ln(1 + eˣ).

use autograd::gradcheck::GradCheck;
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
    let formula = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    for softplus in [softplus, softplus_in_full] {
        GradCheck::new(|g, v| softplus(g, v[0]))
            .input([7], &[-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0])
            .reference(|x| x[0].iter().copied().map(formula).collect())
            .run();
    }
}
// ANCHOR_END: test

/// An op that leaves to the default where its images are, with the weight first: it writes how many there are.
struct NumberOfImages {
    rows_of_image: usize,
}

impl Op for NumberOfImages {
    fn name(&self) -> &'static str {
        "number_of_images"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok([self.rows_of_image * inputs[1][0], inputs[0][0]].into())
    }

    fn forward(&self, f: Forward<'_>) {
        f.output.fill(f.shards.n_images() as f32);
    }

    fn backward(&self, _: Backward<'_>) {}
}

#[test]
fn a_weight_that_is_a_variable_is_not_taken_for_images() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    for rows_of_image in [1, 2] {
        let g = tape.begin(&mut params, Mode::train(0, 0));
        let (weight, x) = (g.variable([3, 2], &[1.0; 6]), g.input([8, 2], &[1.0; 16]));
        let y = g.apply(NumberOfImages { rows_of_image }, &[weight, x]);
        assert_eq!(g.value(y), vec![8.0; 24 * rows_of_image]);
    }
}
