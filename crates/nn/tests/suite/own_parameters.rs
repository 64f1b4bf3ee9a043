//! Parameters that a model uses itself: a layer's weight in another place, and one that no layer has.

use autograd::{Graph, Indices, Mode, Params, Tape, Var};
use nn::{Embedding, Layer, Linear, Parameter};

use crate::common::uniform;

nn::layer! {
    struct Tied(n_tokens: usize, width: usize) {
        embedding: Embedding = Embedding::new(n_tokens, width),
    }

    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        let x = self.embedding.forward(g, tokens);
        g.linear(x, self.embedding.run(g, |embedding, g| embedding.weight(g)), None)
    }
}

nn::layer! {
    struct Untied(n_tokens: usize, width: usize) {
        embedding: Embedding = Embedding::new(n_tokens, width),
        head: Linear = Linear::new(width, n_tokens).bias(false),
    }

    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        self.head.forward(g, self.embedding.forward(g, tokens))
    }
}

fn value<'p>(params: &'p Params, name: &str) -> &'p [f32] {
    params.value(params.find(name).unwrap_or_else(|| panic!("no parameter {name}")))
}

fn step<L: Layer<Indices>>(net: &L, params: &mut Params) -> f32 {
    Tape::new().step(params, Mode::train(0, 0), |g| {
        let loss = g.cross_entropy(net.forward(g, g.tokens([3], &[4, 1, 4])), g.indices(&[0, 4, 2]));
        g.add(loss, g.sum(g.variable([1], &[0.0]))) // to be learned, if everything else is frozen
    })
}

#[test]
fn the_gradient_of_a_tied_weight_is_the_sum_over_its_uses() {
    let (tied, mut params) = nn::build(Tied::new(5, 3), 7);
    let (untied, mut both) = nn::build(Untied::new(5, 3), 7);
    assert_eq!(params.entries().len(), 1);
    let weights = value(&params, "embedding.weight").to_vec();
    both.values_mut().copy_from_slice(&[weights.clone(), weights].concat());
    assert_eq!(step(&tied, &mut params), step(&untied, &mut both));
    for ((sum, a), b) in params.grads().iter().zip(&both.grads()[..15]).zip(&both.grads()[15..]) {
        assert!((sum - (a + b)).abs() < 1e-6, "{sum} should be {a} + {b}");
    }
    params.freeze("embedding").unwrap();
    step(&tied, &mut params);
    assert_eq!(params.grads(), [0.0; 15]);

    // The other way round: the weight of the output layer as a table.
    let (head, mut params) = nn::build(Linear::new(3, 5).bias(false), 7);
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let rows = g.value(g.embedding(g.tokens([1], &[2]), head.weight(&g), None)).to_vec();
    drop(g);
    assert_eq!(rows, value(&params, "weight")[6..9]);
}

#[test]
#[should_panic(expected = "Embedding(2, 3) has no parameters yet")]
fn a_weight_that_was_never_registered_is_none() {
    let (mut tape, params) = (Tape::new(), Params::new());
    Embedding::new(2, 3).weight(&tape.evaluate(&params));
}

nn::layer! {
    /// Logits from a learnt token that is put before the others.
    struct WithToken(width: usize) {
        class_token: Parameter = Parameter::new([1, 1, width]).normal(0.5),
        head: Linear = Linear::new(width, 2),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let token = g.expand_as(self.class_token.forward(g, ()), g.slice(x, 1, 0..1));
        let x = g.cumsum(g.concat(&[token, x], 1), 1);
        self.head.forward(g, g.slice(x, 1, 0..1))
    }
}

#[test]
fn a_parameter_of_the_models_own_has_its_name_and_is_trained() {
    let (net, mut params) = nn::build(WithToken::new(4), 3);
    let names: Vec<&str> = params.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["class_token", "head.weight", "head.bias"]);
    let token = value(&params, "class_token").to_vec();
    assert!(token.iter().all(|&w| w != 0.0 && w.abs() < 3.0), "{token:?}");
    assert_eq!(nn::shapes(WithToken::new(4))[0].0, "class_token");

    let summary = net.summary(&params, [2, 3, 4]);
    let of: Vec<(&str, usize)> = summary.rows.iter().map(|row| (row.path.as_str(), row.n_params)).collect();
    assert_eq!((of, summary.n_params()), (vec![("class_token", 4), ("head", 10)], 14));

    let x = uniform(1, 24);
    let grad = |params: &mut Params| {
        Tape::new().step(params, Mode::train(0, 0), |g| g.sum(net.forward(g, g.input([2, 3, 4], &x))));
        params.grad(params.find("class_token").unwrap()).to_vec()
    };
    let weight = value(&params, "head.weight").to_vec();
    let expected: Vec<f32> = (0..4).map(|i| 2.0 * (weight[i] + weight[4 + i])).collect();
    assert!(grad(&mut params).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
    params.freeze("class_token").unwrap();
    assert_eq!(grad(&mut params), [0.0; 4]);
}
