//! A layer of one's own, as the book shows it: a gate, y = s · σ(gate(x)) ⊙ value(x).

use autograd::gradcheck::GradCheck;
use autograd::{Graph, Role, Var};
use nn::{Child, Handle, Layer, Linear, Scope, Sequential};

// ANCHOR: layer
/// y = s · σ(gate(x)) ⊙ value(x), `[n, in_features]` to `[n, out_features]`, with a learned factor s for each
/// feature, 1 at first. Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017.
#[derive(Clone, Debug)]
struct Gate {
    out_features: usize,
    gate: Child<Linear>,
    value: Child<Linear>,
    scale: Handle,
}

impl Gate {
    fn new(in_features: usize, out_features: usize) -> Self {
        let child = |name| Child::new(name, Linear::new(in_features, out_features));
        Self { out_features, gate: child("gate"), value: child("value"), scale: Handle::default() }
    }
}

impl Layer for Gate {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.gate);
        scope.layer(&mut self.value);
        let ones = |values: &mut [f32], _: &mut _| values.fill(1.0);
        self.scale = scope.param("scale", [self.out_features], Role::Trainable, ones);
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let gate = self.gate.forward(g, x);
        let value = self.value.forward(g, x);
        let open = g.sigmoid(gate);
        let y = g.mul(open, value);
        let scale = g.param(self.scale.id(self));
        g.mul(y, scale)
    }
}
// ANCHOR_END: layer

// ANCHOR: test
#[test]
fn every_gradient_of_the_gate_is_that_of_finite_differences() {
    let (gate, params) = nn::build(Gate::new(3, 2), 7);
    let names: Vec<_> = params.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["gate.weight", "gate.bias", "value.weight", "value.bias", "scale"]);
    GradCheck::new(|g, v| gate.forward(g, v[0])).params(&params).random([2, 3]).run();
}
// ANCHOR_END: test

/// y = gate(a) + b, of two inputs.
#[derive(Clone, Debug)]
struct Join {
    gate: Child<Gate>,
}

impl Layer<(Var, Var)> for Join {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.gate);
    }

    fn forward(&self, g: &Graph<'_>, (a, b): (Var, Var)) -> Var {
        g.add(self.gate.forward(g, a), b)
    }
}

#[test]
fn a_boxed_layer_is_a_layer_whatever_its_inputs_and_can_be_cloned() {
    let join: Box<dyn Layer<(Var, Var)>> = Box::new(Join { gate: Child::new("gate", Gate::new(3, 2)) });
    let (join, params) = nn::build(join, 7);
    assert_eq!(params.entries()[0].name, "gate.gate.weight");
    let rows = join.summary(&params, ([5, 3], [5, 2])).rows;
    assert_eq!(rows.iter().map(|row| &*row.path).collect::<Vec<_>>(), ["gate.gate", "gate.value", "gate"]);
    let join = Child::new("join", join.clone());
    GradCheck::new(|g, v| join.forward(g, (v[0], v[1]))).params(&params).random([5, 3]).random([5, 2]).run();

    let boxed: Box<dyn Layer> = Box::new(Gate::new(3, 3));
    let (net, params) = nn::build(Sequential::new().add(boxed.clone()).add(boxed), 7);
    assert_eq!(net.clone().summary(&params, [5, 3]).n_params(), 2 * (2 * 12 + 3));
}

#[test]
fn its_summary_has_a_row_for_each_child_and_one_for_its_own_parameters() {
    let (gate, params) = nn::build(Gate::new(3, 2), 7);
    let rows = gate.summary(&params, [5, 3]).rows;
    let rows: Vec<_> = rows.iter().map(|row| (&*row.path, row.output.dims(), row.n_params)).collect();
    assert_eq!(rows, [("gate", &[5, 2][..], 8), ("value", &[5, 2], 8), ("", &[5, 2], 2)]);
}
