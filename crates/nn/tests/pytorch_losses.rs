//! Activations and losses, with their options, against what `pytorch/losses.py` recorded of PyTorch.

mod common;

use std::path::Path;

use autograd::{Mode, Tape};
use common::uniform;
use nn::{
    Approximate, CELU, ELU, GELU, GLU, Hardsigmoid, Hardswish, Hardtanh, Identity, Layer, LeakyReLU,
    LogSigmoid, LogSoftmax, Mish, PReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Tanh,
};
use serde_json::Value;

fn recorded(table: &str) -> serde_json::Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch/losses.json");
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    recorded[table].as_object().unwrap().clone()
}

/// NaN and infinity are recorded as text.
fn numbers(value: &Value) -> Vec<f32> {
    let number =
        |value: &Value| value.as_f64().map_or_else(|| value.as_str().unwrap().parse().unwrap(), |v| v as f32);
    value.as_array().unwrap().iter().map(number).collect()
}

/// The absolute part is for PyTorch, whose ½ · x · (1 + erf) and ½ · x · (1 + tanh) cancel left of 0.
#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&x, &y)) in found.iter().zip(&expected).enumerate() {
        let are_same = x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 2e-6 * y.abs() + 5e-7;
        assert!(are_same, "{what}, number {i}: {x}, PyTorch has {y}");
    }
}

#[test]
fn activations_print_and_compute_as_pytorch_s() {
    let layers: [Box<dyn Layer>; 28] = [
        Box::new(ReLU),
        Box::new(ReLU6),
        Box::new(LeakyReLU::default()),
        Box::new(LeakyReLU::new(0.25)),
        Box::new(ELU::default()),
        Box::new(ELU::new(1.5)),
        Box::new(SELU),
        Box::new(CELU::default()),
        Box::new(CELU::new(2.0)),
        Box::new(GELU),
        Box::new(GELU::new(Approximate::Tanh)),
        Box::new(SiLU),
        Box::new(Mish),
        Box::new(Softplus::default()),
        Box::new(Softplus::new(2.0, 3.0)),
        Box::new(Sigmoid),
        Box::new(LogSigmoid),
        Box::new(Tanh),
        Box::new(Hardtanh::default()),
        Box::new(Hardtanh::new(-0.5, 2.0)),
        Box::new(Hardsigmoid),
        Box::new(Hardswish),
        Box::new(GLU),
        Box::new(Softmax),
        Box::new(LogSoftmax),
        Box::new(Identity),
        Box::new(PReLU::default()),
        Box::new(PReLU::new(4).init(0.1)),
    ];
    let table = recorded("activations");
    assert_eq!(table.len(), layers.len());
    for layer in layers {
        let name = format!("{layer:?}");
        let expected = table.get(&name).unwrap_or_else(|| panic!("PyTorch prints no {name}"));
        let (layer, mut params) = nn::build(layer, 0);
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let x: Vec<f32> = uniform(11, 20).iter().map(|u| u * 8.0).collect();
        let x = g.variable([5, 4], &x);
        let y = layer.forward(&g, x);
        let dy = g.input(g.shape(y), &uniform(12, g.shape(y).numel()));
        let loss = g.sum(g.mul(y, dy));
        g.backward(loss);
        assert_close(&name, g.value(y), &expected["y"]);
        assert_close(&name, g.grad(x).unwrap(), &expected["dx"]);
        drop(g);
        assert_eq!(params.ids().next().is_some(), expected.get("weight").is_some(), "{name}");
        if let Some(weight) = params.find("weight") {
            assert_close(&name, params.value(weight), &expected["weight"]);
            assert_close(&name, params.grad(weight), &expected["dweight"]);
        }
    }
}
