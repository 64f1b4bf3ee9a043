//! Activations and losses, with their options, against what `pytorch/losses.py` recorded of PyTorch.

use std::path::Path;

use crate::common::uniform;
use autograd::{
    BceOptions, BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, GaussianNllOptions, Graph,
    HingeEmbeddingOptions, Indices, KlDivOptions, MarginRankingOptions, Mode, MultiMarginOptions, NllOptions,
    Params, PoissonNllOptions, Reduction, SmoothL1Options, Tape, TripletMarginOptions, Var,
};
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
        Box::new(GELU::default()),
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

/// The inputs of the losses, as the script makes them; 5 × 4 but for the last four.
struct In {
    x: Var,
    t: Var,
    z: Var,
    p: Var,
    q: Var,
    edges: Var,
    positive: Var,
    signs: Var,
    weight: Var,
    row_signs: Var,
    labels: Indices,
    class_weight: Var,
    labels_of_sequences: Indices,
}

impl In {
    fn new(g: &Graph<'_>) -> Self {
        let numbers =
            |stream, f: fn(f32) -> f32| uniform(stream, 20).into_iter().map(f).collect::<Vec<f32>>();
        let variable = |stream, f| g.variable([5, 4], &numbers(stream, f));
        Self {
            x: variable(1, |u| u * 3.0),
            t: variable(2, |u| u * 2.0),
            z: variable(6, |u| u * 2.0),
            p: variable(3, |u| (u + 1.0) / 2.0),
            q: variable(4, |u| (u + 1.0) / 2.0),
            edges: variable(4, |u| ((u + 1.0) / 2.0).round()),
            positive: variable(8, |u| u + 2.0),
            signs: g.input([5, 4], &numbers(5, f32::signum)),
            weight: g.input([5, 4], &numbers(7, |u| u + 1.5)),
            row_signs: g.input([5], &[1.0, -1.0, 1.0, -1.0, -1.0]),
            labels: g.indices(&[2, 0, 3, 3, 1]),
            class_weight: g.input([4], &[0.5, 2.0, 1.0, 0.25]),
            labels_of_sequences: g.tokens([2, 5], &[1, 0, 0, 1, 1, 0, 1, 1, 0, 1]),
        }
    }

    /// The weights of two classes.
    fn two_weights(&self, g: &Graph<'_>) -> Option<Var> {
        Some(g.slice(self.class_weight, 0, 0..2))
    }

    /// Those that may get a gradient, by name.
    fn variables(&self) -> [(&'static str, Var); 7] {
        let Self { x, t, z, p, q, edges, positive, .. } = *self;
        [("x", x), ("t", t), ("z", z), ("p", p), ("q", q), ("edges", edges), ("positive", positive)]
    }
}

/// The same numbers as scores [2, 5 tokens, 2 classes].
fn sequences(g: &Graph<'_>, x: Var) -> Var {
    g.reshape(x, [2, 5, 2])
}

type Loss = fn(&Graph<'_>, &In, Reduction) -> Var;

/// The losses by the names that the script gives them.
#[rustfmt::skip]
const LOSSES: &[(&str, Loss)] = &[
    ("mse", |g, i, r| g.mse_loss(i.x, i.t, r)),
    ("l1", |g, i, r| g.l1_loss(i.x, i.t, r)),
    ("huber", |g, i, r| g.huber_loss(i.x, i.t, 0.7, r)),
    ("smooth_l1", |g, i, r| g.smooth_l1_loss(i.x, i.t, r)),
    ("smooth_l1, beta", |g, i, reduction| g.smooth_l1_loss(i.x, i.t, SmoothL1Options { beta: 0.3, reduction })),
    ("smooth_l1, no beta", |g, i, reduction| g.smooth_l1_loss(i.x, i.t, SmoothL1Options { beta: 0.0, reduction })),
    ("kl_div", |g, i, r| g.kl_div(i.x, i.p, r)),
    ("kl_div, log_target", |g, i, reduction| g.kl_div(i.x, i.t, KlDivOptions { log_target: true, reduction })),
    ("poisson_nll", |g, i, r| g.poisson_nll_loss(i.x, i.positive, r)),
    ("poisson_nll, full", |g, i, reduction| {
        g.poisson_nll_loss(i.x, i.positive, PoissonNllOptions { full: true, reduction, ..Default::default() })
    }),
    ("poisson_nll, rate", |g, i, reduction| {
        let options = PoissonNllOptions { log_input: false, eps: 1e-3, reduction, ..Default::default() };
        g.poisson_nll_loss(i.q, i.positive, options)
    }),
    ("gaussian_nll", |g, i, r| g.gaussian_nll_loss(i.x, i.t, i.positive, r)),
    ("gaussian_nll, full", |g, i, reduction| {
        g.gaussian_nll_loss(i.x, i.t, i.q, GaussianNllOptions { full: true, eps: 0.25, reduction })
    }),
    ("bce", |g, i, r| g.bce_loss(i.q, i.p, r)),
    ("bce, edges", |g, i, r| g.bce_loss(i.edges, i.p, r)),
    ("bce, weight", |g, i, reduction| g.bce_loss(i.q, i.p, BceOptions { weight: Some(i.weight), reduction })),
    ("bce_with_logits", |g, i, r| g.bce_with_logits(i.x, i.p, r)),
    ("bce_with_logits, weight", |g, i, reduction| {
        g.bce_with_logits(i.x, i.p, BceWithLogitsOptions { weight: Some(i.weight), pos_weight: None, reduction })
    }),
    ("bce_with_logits, pos_weight", |g, i, reduction| {
        g.bce_with_logits(i.x, i.p, BceWithLogitsOptions { weight: None, pos_weight: Some(i.class_weight), reduction })
    }),
    ("bce_with_logits, both", |g, i, reduction| {
        let (weight, pos_weight) = (Some(i.weight), Some(i.class_weight));
        g.bce_with_logits(i.x, i.p, BceWithLogitsOptions { weight, pos_weight, reduction })
    }),
    ("hinge_embedding", |g, i, r| g.hinge_embedding_loss(i.x, i.signs, r)),
    ("hinge_embedding, margin", |g, i, reduction| {
        g.hinge_embedding_loss(i.x, i.signs, HingeEmbeddingOptions { margin: 0.3, reduction })
    }),
    ("margin_ranking", |g, i, r| g.margin_ranking_loss(i.x, i.t, i.signs, r)),
    ("margin_ranking, margin", |g, i, reduction| {
        g.margin_ranking_loss(i.x, i.t, i.signs, MarginRankingOptions { margin: 0.5, reduction })
    }),
    ("cosine_embedding", |g, i, r| g.cosine_embedding_loss(i.x, i.t, i.row_signs, r)),
    ("cosine_embedding, margin", |g, i, reduction| {
        g.cosine_embedding_loss(i.x, i.t, i.row_signs, CosineEmbeddingOptions { margin: 0.2, reduction })
    }),
    ("triplet_margin", |g, i, r| g.triplet_margin_loss([i.x, i.t, i.z], r)),
    ("triplet_margin, p = 1", |g, i, reduction| {
        let options = TripletMarginOptions { margin: 2.0, p: 1.0, reduction, ..Default::default() };
        g.triplet_margin_loss([i.x, i.t, i.z], options)
    }),
    ("triplet_margin, p = 3, swap", |g, i, reduction| {
        let options = TripletMarginOptions { p: 3.0, swap: true, reduction, ..Default::default() };
        g.triplet_margin_loss([i.x, i.t, i.z], options)
    }),
    ("multi_margin", |g, i, r| g.multi_margin_loss(i.x, i.labels, r)),
    ("multi_margin, p = 2", |g, i, reduction| {
        g.multi_margin_loss(i.x, i.labels, MultiMarginOptions { p: 2, margin: 0.5, weight: None, reduction })
    }),
    ("multi_margin, weight", |g, i, reduction| {
        let options = MultiMarginOptions { weight: Some(i.class_weight), reduction, ..Default::default() };
        g.multi_margin_loss(i.x, i.labels, options)
    }),
    ("nll", |g, i, r| g.nll_loss(i.x, i.labels, r)),
    ("nll, weight", |g, i, reduction| {
        g.nll_loss(i.x, i.labels, NllOptions { weight: Some(i.class_weight), ignore_index: None, reduction })
    }),
    ("nll, weight, ignore_index", |g, i, reduction| {
        g.nll_loss(i.x, i.labels, NllOptions { weight: Some(i.class_weight), ignore_index: Some(3), reduction })
    }),
    ("nll, sequences", |g, i, reduction| {
        let options = NllOptions { weight: i.two_weights(g), ignore_index: Some(0), reduction };
        g.nll_loss(sequences(g, i.x), i.labels_of_sequences, options)
    }),
    ("cross_entropy", |g, i, r| g.cross_entropy_with(i.x, i.labels, r)),
    ("cross_entropy, smoothing", |g, i, reduction| {
        let options = CrossEntropyOptions { label_smoothing: 0.1, reduction, ..Default::default() };
        g.cross_entropy_with(i.x, i.labels, options)
    }),
    ("cross_entropy, weight", |g, i, reduction| {
        let options = CrossEntropyOptions { weight: Some(i.class_weight), reduction, ..Default::default() };
        g.cross_entropy_with(i.x, i.labels, options)
    }),
    ("cross_entropy, ignore_index", |g, i, reduction| {
        let options = CrossEntropyOptions { ignore_index: Some(3), reduction, ..Default::default() };
        g.cross_entropy_with(i.x, i.labels, options)
    }),
    ("cross_entropy, ignore_index, smoothing", |g, i, reduction| {
        let options =
            CrossEntropyOptions { ignore_index: Some(3), label_smoothing: 0.3, reduction, weight: None };
        g.cross_entropy_with(i.x, i.labels, options)
    }),
    ("cross_entropy, all", |g, i, reduction| {
        let (weight, ignore_index) = (Some(i.class_weight), Some(3));
        let options = CrossEntropyOptions { weight, ignore_index, label_smoothing: 0.3, reduction };
        g.cross_entropy_with(i.x, i.labels, options)
    }),
    ("cross_entropy, all ignored", |g, i, reduction| {
        let options = CrossEntropyOptions { ignore_index: Some(0), reduction, ..Default::default() };
        g.cross_entropy_with(i.x, g.indices(&[0; 5]), options)
    }),
    ("cross_entropy, sequences", |g, i, reduction| {
        let (weight, ignore_index) = (i.two_weights(g), Some(0));
        let options = CrossEntropyOptions { weight, ignore_index, label_smoothing: 0.3, reduction };
        g.cross_entropy_with(sequences(g, i.x), i.labels_of_sequences, options)
    }),
    ("cross_entropy, sequences of probabilities", |g, i, reduction| {
        let options = CrossEntropyOptions { weight: i.two_weights(g), reduction, ..Default::default() };
        g.cross_entropy_with(sequences(g, i.x), sequences(g, i.p), options)
    }),
    ("cross_entropy, probabilities", |g, i, r| g.cross_entropy_with(i.x, i.p, r)),
    ("cross_entropy, probabilities, smoothing", |g, i, reduction| {
        let options = CrossEntropyOptions { label_smoothing: 0.3, reduction, ..Default::default() };
        g.cross_entropy_with(i.x, i.p, options)
    }),
    ("cross_entropy, probabilities, weight", |g, i, reduction| {
        let (weight, ignore_index) = (Some(i.class_weight), None);
        let options = CrossEntropyOptions { weight, ignore_index, label_smoothing: 0.3, reduction };
        g.cross_entropy_with(i.x, i.p, options)
    }),
];

#[test]
fn losses_and_their_gradients_are_those_of_pytorch() {
    let table = recorded("losses");
    assert_eq!(table.len(), LOSSES.len());
    for (name, loss) in LOSSES {
        for (reduction, expected) in table[*name].as_object().unwrap() {
            let what = format!("{name}, {reduction}");
            let reduction = match &reduction[..] {
                "none" => Reduction::None,
                "mean" => Reduction::Mean,
                "sum" => Reduction::Sum,
                "batchmean" => Reduction::BatchMean,
                _ => panic!("{what}: which reduction is that?"),
            };
            let (mut tape, mut params) = (Tape::new(), Params::new());
            let mut g = tape.begin(&mut params, Mode::train(0, 0));
            let inputs = In::new(&g);
            let loss = loss(&g, &inputs, reduction);
            assert_close(&what, g.value(loss), &expected["loss"]);
            let scalar = match reduction {
                Reduction::None => {
                    let dloss = g.input(g.shape(loss), &uniform(9, g.shape(loss).numel()));
                    g.sum(g.mul(loss, dloss))
                }
                _ => loss,
            };
            g.backward(scalar);
            for (input, var) in inputs.variables() {
                let expected = expected["grads"].get(input);
                assert_eq!(g.grad(var).is_some(), expected.is_some(), "{what}: a gradient of {input}");
                if let (Some(found), Some(expected)) = (g.grad(var), expected) {
                    assert_close(&format!("{what}, gradient of {input}"), found, expected);
                }
            }
        }
    }
}
