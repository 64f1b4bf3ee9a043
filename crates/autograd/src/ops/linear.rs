//! y = x · Wᵀ + b; and the same followed by an activation.

use tensor::activation::Activation;
use tensor::linear::{
    LinearShape, linear_activation_forward, linear_backward_input, linear_backward_weight, linear_forward,
};
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Shape, scratch};

use super::shared::{count, rows_and_cols, rows_of_images, shards_of_rows};
use crate::{Backward, Forward, Grads, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

struct Linear {
    name: &'static str,
    activation: Option<Activation>,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        linear_output_shape(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        rows_of_images(inputs, output)
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        (output.numel() * inputs[1][1]) as u64
    }

    fn forward(&self, f: Forward<'_>) {
        let ((x, w, bias), sizes, shards) =
            (linear_operands(f.inputs), linear_sizes(f.inputs), shards_of_rows(f.inputs));
        let Some(activation) = self.activation else {
            return linear_forward(f.output, x, w, bias, &sizes, &shards);
        };
        let saves_z = f.needs_grad && !activation.is_known_by_output();
        let saved = &mut f.saved.floats;
        saved.resize(if saves_z { f.output.len() } else { 0 }, 0.0);
        let z = saves_z.then_some(&mut saved[..]);
        linear_activation_forward(f.output, z, x, w, bias, activation, &sizes, &shards);
    }

    /// That of the product, at dz = dy · f′(z) with an activation f of z = x · Wᵀ + b.
    fn backward(&self, mut b: Backward<'_>) {
        let Some(activation) = self.activation else {
            return linear_backward(&mut b.grads, b.inputs, b.dy);
        };
        let z = if activation.is_known_by_output() { b.output } else { &b.saved.floats };
        scratch::with(b.dy.len(), |dz| {
            activation.backward(dz, b.dy, z, Beta::Zero);
            linear_backward(&mut b.grads, b.inputs, dz);
        });
    }
}

// ANCHOR: backward
/// dx = dy · W, dW = dyᵀ · x, db = Σ dy.
fn linear_backward(grads: &mut Grads<'_>, inputs: Inputs<'_>, dy: &[f32]) {
    let ((x, w, bias), sizes, shards) =
        (linear_operands(inputs), linear_sizes(inputs), shards_of_rows(inputs));
    if let Some(db) = bias.and_then(|_| grads.get(2)) {
        reduce_rows(db.data, dy, sizes.batch, sizes.out_features, Reduction::Sum, &shards, db.beta);
    }
    grads.write_sum(1, &shards, |dw, shards, beta| linear_backward_weight(dw, dy, x, &sizes, shards, beta));
    if let Some(dx) = grads.get(0) {
        linear_backward_input(dx.data, dy, w, &sizes, &shards, dx.beta);
    }
}
// ANCHOR_END: backward

fn linear_operands(inputs: Inputs<'_>) -> (&[f32], &[f32], Option<&[f32]>) {
    (inputs.value(0), inputs.value(1), (inputs.len() == 3).then(|| inputs.value(2)))
}

fn linear_sizes(inputs: Inputs<'_>) -> LinearShape {
    let (batch, in_features) = rows_and_cols(inputs.shape(0));
    LinearShape { batch, in_features, out_features: inputs.shape(1)[0] }
}

fn linear_output_shape(inputs: &[Shape]) -> Result<Shape, ShapeError> {
    let (x, w) = (inputs[0], inputs[1]);
    let &[out_features, in_features] = w.dims() else {
        return Err(ShapeError::new(format!(
            "the weight is {w}, expected [out_features, in_features]; reshape it"
        )));
    };
    match x.last() {
        Some(&features) if features == in_features => {}
        Some(&features) => {
            return Err(ShapeError::new(format!(
                "the input {x} has {}, the weight {w} expects {in_features}; set in_features to {features}, or \
                 change the preceding layer",
                count(features, "feature")
            )));
        }
        None => {
            return Err(ShapeError::new(format!(
                "the input is a scalar, the weight {w} expects [n, {in_features}]; reshape the input"
            )));
        }
    }
    match inputs.get(2) {
        Some(bias) if bias.dims() != [out_features] => Err(ShapeError::new(format!(
            "the bias is {bias}, but the weight {w} produces {}; make the bias [{out_features}]",
            count(out_features, "feature")
        ))),
        _ => Ok(x.with_axis(x.rank() - 1, out_features)),
    }
}

impl Graph<'_> {
    /// x · Wᵀ + bias, `[…, in_features]` to `[…, out_features]`, with weight `[out_features, in_features]`
    /// and bias `[out_features]`; `torch.nn.functional.linear`.
    ///
    /// # Panics
    /// When the shapes do not fit each other.
    #[track_caller]
    pub fn linear(&self, x: Var, weight: Var, bias: Option<Var>) -> Var {
        self.linear_activated("linear", x, weight, bias, None)
    }

    /// `activation(linear(x, weight, bias))`, with the same result in one pass over the output. Where a gradient
    /// follows, the value between the two is kept, as by the two ops, except for ReLU, whose derivative follows
    /// from the output.
    ///
    /// # Panics
    /// As [`linear`](Self::linear).
    #[track_caller]
    pub fn linear_activation(&self, x: Var, weight: Var, bias: Option<Var>, activation: Activation) -> Var {
        self.linear_activated("linear_activation", x, weight, bias, Some(activation))
    }

    #[track_caller]
    fn linear_activated(
        &self,
        name: &'static str,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        activation: Option<Activation>,
    ) -> Var {
        self.apply_present(Linear { name, activation }, x, [Some(weight), bias])
    }
}
