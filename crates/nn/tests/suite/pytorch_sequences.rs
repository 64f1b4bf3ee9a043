//! Layers over tokens compute what `pytorch/record_sequences.py` recorded, under PyTorch's names.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::uniform;
use crate::fill::fill;
use crate::pytorch::{assert_close, numbers, path, recorded};
use autograd::{AttentionOptions, Graph, Mode, Pairing, Params, RotaryOptions, Tape, Var};
use nn::weights::{self, Archive};
use nn::{
    Child, Embedding, Layer, LayerNorm, Linear, Masks, MultiheadAttention, RotaryPositions, Scope,
    SinusoidalPositions, TransformerActivation, TransformerDecoder, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer,
};

const FILE: &str = "recorded_sequences.json";

/// Numbers as the script makes them, as an input that gets a gradient.
fn tensor(g: &Graph<'_>, stream: u32, dims: &[usize], factor: f32) -> Var {
    let values: Vec<f32> =
        uniform(stream, dims.iter().product()).iter().map(|value| factor * value).collect();
    g.variable(dims, &values)
}

/// From Σ y · c, the c a hash of their place.
fn backward(g: &mut Graph<'_>, y: Var) {
    let c = uniform(9, g.value(y).len());
    let loss = g.sum(g.mul(y, g.input(g.shape(y), &c)));
    g.backward(loss);
}

#[test]
fn attention() {
    let recorded = &recorded(FILE)["attention"];
    let table = recorded.as_object().expect("a table");
    assert_eq!(table.len(), 6);
    for (name, expected) in table {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let shapes = [[2, 3, 5, 4], [2, 3, 6, 4], [2, 3, 6, 3]];
        let mut inputs = [0, 1, 2].map(|i| tensor(&g, i as u32, &shapes[i], 2.0)).to_vec();
        let options = match name.as_str() {
            "plain" => AttentionOptions::default(),
            "scaled" => AttentionOptions { scale: Some(0.3), ..Default::default() },
            "causal" => AttentionOptions { is_causal: true, ..Default::default() },
            "additive" => {
                let mask = g.input([5, 6], &uniform(4, 30));
                AttentionOptions { attn_mask: Some(mask), ..Default::default() }
            }
            "hidden" => {
                let hidden = |(i, v): (usize, &f32)| *v <= -0.3 || i / 6 == 2;
                let hidden: Vec<bool> = uniform(5, 30).iter().enumerate().map(hidden).collect();
                AttentionOptions { attn_mask: Some(g.attention_mask([5, 6], &hidden)), ..Default::default() }
            }
            "learned" => {
                let mask = tensor(&g, 6, &[1, 3, 5, 6], 1.0);
                inputs.push(mask);
                AttentionOptions { attn_mask: Some(mask), ..Default::default() }
            }
            _ => panic!("the script records {name:?}, which this test does not know"),
        };
        let y = g.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], options);
        backward(&mut g, y);
        assert_close(name, g.value(y), &numbers(&expected["y"]), 1e-5, 2e-6);
        for (i, input) in inputs.into_iter().enumerate() {
            assert_close(
                &format!("{name}, gradient {i}"),
                g.grad(input).expect("a gradient"),
                &numbers(&expected["grads"][i]),
                1e-5,
                2e-6,
            );
        }
    }
}

#[test]
fn embedding() {
    let expected = &recorded(FILE)["embedding"];
    let (layer, mut params) = nn::build(Embedding::new(7, 4).padding_idx(2), 0);
    assert_eq!(params.values()[8..12], [0.0; 4]);
    load("embedding", &mut params);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let y = layer.forward(&g, g.tokens([2, 3], &[1, 2, 6, 1, 1, 0]));
    backward(&mut g, y);
    assert_close("y", g.value(y), &numbers(&expected["y"]), 1e-6, 1e-6);
    drop(g);
    assert_close("dweight", params.grads(), &numbers(&expected["dweight"]), 1e-6, 1e-6);
}

/// A layer, how it is run on inputs that are made of streams and shapes, and what it is called by the script.
struct Case<L, const N: usize> {
    name: &'static str,
    layer: L,
    inputs: [(u32, [usize; 3]); N],
}

/// The cases whose weights are in the script's file, each under its name.
const STORED: &[&str] =
    &["attention", "cross_attention", "sizes", "encoder_layer", "decoder_layer", "encoder", "decoder"];

/// Loads a case's weights from the script's file. A file of ours has the same tensors.
fn load(name: &str, params: &mut Params) {
    let (file, prefix) = (Archive::open(path("sequences.safetensors")).unwrap(), format!("{name}."));
    let of_case = |tensor: &str| tensor.strip_prefix(&prefix).map(str::to_owned);
    let mut theirs: Vec<String> = file.tensors().filter_map(|tensor| of_case(&tensor.to_string())).collect();
    let own = file.renamed(|name| of_case(name).unwrap_or_else(|| name.to_owned())).unwrap();
    let matched = own.load_matching(params).unwrap();
    assert_eq!(matched.loaded.len(), params.entries().len(), "{name}: {matched}");

    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours.safetensors");
    weights::save(&ours, params, &[]).unwrap();
    let mut ours: Vec<String> =
        Archive::open(ours).unwrap().tensors().map(|tensor| tensor.to_string()).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs, "{name}");
}

const X: (u32, [usize; 3]) = (20, [2, 5, 8]);
const MEMORY: (u32, [usize; 3]) = (21, [2, 6, 8]);

impl<L, const N: usize> Case<L, N> {
    fn check<I>(self, run: impl FnOnce(&L, &Graph<'_>, [Var; N]) -> Var)
    where
        L: Layer<I>,
    {
        let expected = &recorded(FILE)["layers"][self.name];
        let (layer, mut params) = nn::build(self.layer, 0);
        let names = params.entries().iter().map(|entry| format!("{} {}", entry.name, entry.shape));
        assert_eq!(serde_json::json!(names.collect::<Vec<_>>()), expected["names"], "{}", self.name);
        if STORED.contains(&self.name) {
            load(self.name, &mut params);
        } else {
            fill(&mut params);
        }
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let inputs = self.inputs.map(|(stream, dims)| tensor(&g, stream, &dims, 1.0));
        let y = run(&layer, &g, inputs);
        backward(&mut g, y);
        assert_close(self.name, g.value(y), &numbers(&expected["y"]), 1e-5, 1e-5);
        for (i, input) in inputs.into_iter().enumerate() {
            let what = format!("{}, input {i}", self.name);
            assert_close(
                &what,
                g.grad(input).expect("a gradient"),
                &numbers(&expected["inputs"][i]),
                2e-5,
                2e-5,
            );
        }
        drop(g);
        // Every seventh or so of each parameter.
        let picked = params.entries().iter().flat_map(|entry| {
            let grad = &params.grads()[entry.range.clone()];
            grad.iter().step_by((grad.len() / 7).max(1))
        });
        let picked: Vec<f32> = picked.copied().collect();
        assert_close(
            &format!("{}, parameters", self.name),
            &picked,
            &numbers(&expected["grads"]),
            2e-5,
            2e-5,
        );
    }
}

/// Hides the tokens of the second image that are named.
fn padding(g: &Graph<'_>, n_tokens: usize, hidden: &[usize]) -> Option<Var> {
    let is_hidden = (0..2 * n_tokens).map(|i| i >= n_tokens && hidden.contains(&(i - n_tokens)));
    Some(g.attention_mask([2, n_tokens], &is_hidden.collect::<Vec<_>>()))
}

const CAUSAL: Masks = Masks { is_causal: true, attn_mask: None, key_padding_mask: None };

#[test]
fn multi_head_attention() {
    Case { name: "attention", layer: MultiheadAttention::new(8, 2), inputs: [X] }.check(|layer, g, [x]| {
        layer.attend(g, [x; 3], Masks { key_padding_mask: padding(g, 5, &[3, 4]), ..CAUSAL })
    });
    // Nothing but the output bias for an image whose keys are all hidden.
    Case { name: "all_hidden", layer: MultiheadAttention::new(8, 2), inputs: [X] }.check(|layer, g, [x]| {
        layer.attend(
            g,
            [x; 3],
            Masks { key_padding_mask: padding(g, 5, &[0, 1, 2, 3, 4]), ..Masks::default() },
        )
    });
    let layer = MultiheadAttention::new(8, 2).bias(false);
    Case { name: "cross_attention", layer, inputs: [X, MEMORY, (22, [2, 6, 8])] }
        .check(|layer, g, inputs| layer.attend(g, inputs, Masks::default()));
    let layer = MultiheadAttention::new(8, 2).kdim(6).vdim(3);
    Case { name: "sizes", layer, inputs: [X, (23, [2, 6, 6]), (24, [2, 6, 3])] }.check(|layer, g, inputs| {
        layer.attend(g, inputs, Masks { key_padding_mask: padding(g, 6, &[2, 4, 5]), ..Masks::default() })
    });
}

#[test]
fn attention_with_rotary_positions() {
    let layer = MultiheadAttention::new(8, 2).rotary(RotaryPositions::new(4)).causal(true);
    Case { name: "rotary_attention", layer, inputs: [X] }.check(|layer, g, [x]| layer.forward(g, x));
    let rotary = RotaryPositions::new(4).pairing(Pairing::Halves).base(100.0);
    let layer = MultiheadAttention::new(8, 2).rotary(rotary);
    Case { name: "rotary_cross_attention", layer, inputs: [X, MEMORY, (22, [2, 6, 8])] }
        .check(|layer, g, inputs| layer.attend(g, inputs, Masks::default()));
}

fn encoder_layer() -> TransformerEncoderLayer {
    TransformerEncoderLayer::new(8, 2).dim_feedforward(12).dropout(0.0)
}

fn encoder_layer_norm_first() -> TransformerEncoderLayer {
    encoder_layer().activation(TransformerActivation::Gelu).norm_first(true)
}

fn decoder_layer() -> TransformerDecoderLayer {
    TransformerDecoderLayer::new(8, 2).dim_feedforward(12).dropout(0.0)
}

#[test]
fn encoder() {
    Case { name: "encoder_layer", layer: encoder_layer(), inputs: [X] }
        .check(|layer, g, [x]| layer.run(g, x, Masks { key_padding_mask: padding(g, 5, &[3, 4]), ..CAUSAL }));
    Case { name: "encoder_layer_norm_first", layer: encoder_layer_norm_first(), inputs: [X] }
        .check(|layer, g, [x]| layer.forward(g, x));
    let encoder = TransformerEncoder::new(encoder_layer_norm_first(), 2).norm(LayerNorm::new([8]));
    Case { name: "encoder", layer: encoder, inputs: [X] }.check(|layer, g, [x]| layer.run(g, x, CAUSAL));
}

#[test]
fn decoder() {
    Case { name: "decoder_layer", layer: decoder_layer(), inputs: [X, MEMORY] }.check(
        |layer, g, [x, memory]| {
            let memory_masks = Masks { key_padding_mask: padding(g, 6, &[2, 4, 5]), ..Masks::default() };
            layer.run(g, x, memory, CAUSAL, memory_masks)
        },
    );
    let layer = decoder_layer().activation(TransformerActivation::Gelu).norm_first(true).bias(false);
    Case { name: "decoder_layer_norm_first", layer, inputs: [X, MEMORY] }
        .check(|layer, g, [x, memory]| layer.forward(g, (x, memory)));
    let decoder = TransformerDecoder::new(decoder_layer().causal(true), 2);
    Case { name: "decoder", layer: decoder, inputs: [X, MEMORY] }
        .check(|layer, g, [x, memory]| layer.forward(g, (x, memory)));
}

#[test]
fn rotary_positions() {
    let recorded = &recorded(FILE)["rotary"];
    let table = recorded.as_object().expect("a table");
    assert_eq!(table.len(), 6);
    let halves = RotaryOptions { pairing: Pairing::Halves, ..Default::default() };
    // The first of three heads.
    let heads =
        |n_rotated| RotaryOptions { head_dim: Some(4), n_rotated: Some(n_rotated), ..Default::default() };
    for (name, expected) in table {
        let (dims, options): (&[usize], _) = match name.as_str() {
            "interleaved" => (&[2, 2, 5, 6], RotaryOptions::default()),
            "halves" => (&[2, 2, 5, 6], halves),
            "base" => (&[1, 2, 7, 6], RotaryOptions { base: 100.0, ..Default::default() }),
            "base_halves" => (&[1, 2, 7, 6], RotaryOptions { base: 500_000.0, ..halves }),
            "first_heads" => (&[2, 5, 12], heads(2)),
            "first_head_base_halves" => {
                (&[2, 5, 12], RotaryOptions { base: 100.0, pairing: Pairing::Halves, ..heads(1) })
            }
            _ => panic!("the script records {name:?}, which this test does not know"),
        };
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let x = tensor(&g, 30, dims, 1.0);
        let y = g.rotary_positions(x, options);
        backward(&mut g, y);
        assert_close(name, g.value(y), &numbers(&expected["y"]), 1e-6, 1e-6);
        assert_close(name, g.grad(x).expect("a gradient"), &numbers(&expected["dx"]), 1e-6, 1e-6);
    }
}

#[test]
fn sinusoidal_positions() {
    let recorded = &recorded(FILE)["sinusoidal"];
    for n_features in [6, 7] {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::eval());
        let y = SinusoidalPositions.forward(&g, tensor(&g, 31, &[2, 9, n_features], 1.0));
        let expected = numbers(&recorded[n_features.to_string()]);
        assert_close(&format!("{n_features} features"), g.value(y), &expected, 1e-6, 1e-6);
    }
}

/// The next token, from those before it.
#[derive(Clone, Debug)]
struct Model {
    tokens: Child<Embedding>,
    encoder: Child<TransformerEncoder>,
    head: Child<Linear>,
}

impl Layer<autograd::Indices> for Model {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.tokens);
        scope.layer(&mut self.encoder);
        scope.layer(&mut self.head);
    }

    fn forward(&self, g: &Graph<'_>, tokens: autograd::Indices) -> Var {
        let x = SinusoidalPositions.forward(g, self.tokens.forward(g, tokens));
        self.head.forward(g, self.encoder.forward(g, x))
    }
}

fn language_model() -> Model {
    let block = TransformerEncoderLayer::new(8, 2)
        .dim_feedforward(16)
        .dropout(0.0)
        .activation(TransformerActivation::Gelu)
        .norm_first(true)
        .causal(true);
    Model {
        tokens: Child::new("tokens", Embedding::new(11, 8)),
        encoder: Child::new("encoder", TransformerEncoder::new(block, 2).norm(LayerNorm::new([8]))),
        head: Child::new("head", Linear::new(8, 11)),
    }
}

#[test]
fn a_language_model_trains_as_in_pytorch() {
    let expected = &recorded(FILE)["language_model"];
    let (model, mut params) = nn::build(language_model(), 0);
    let names = params.entries().iter().map(|entry| format!("{} {}", entry.name, entry.shape));
    assert_eq!(serde_json::json!(names.collect::<Vec<_>>()), expected["names"]);
    fill(&mut params);
    let mut tape = Tape::new();
    let step = |step: u32| {
        let text = |i: u32, j: u32| (i * 5 + j * j + step) % 11;
        let part = |skip: u32| (0..54).map(|at| text(at / 6, at % 6 + skip)).collect::<Vec<_>>();
        let loss = tape.step(&mut params, Mode::train(0, step.into()), |g| {
            let logits = model.forward(g, g.tokens([9, 6], &part(0)));
            g.cross_entropy(g.reshape(logits, [54, 11]), g.indices(&part(1)))
        });
        let (values, grads) = params.values_mut_and_grads();
        values.iter_mut().zip(grads).for_each(|(value, grad)| *value -= 0.1 * grad);
        loss
    };
    let losses: Vec<f32> = (0..10).map(step).collect();
    assert_close("losses", &losses, &numbers(&expected["losses"]), 2e-5, 0.0);
}

/// The message of the panic within.
fn message<R>(run: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { panic!("no panic") };
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a panic with a message")
}

#[test]
fn what_cannot_be_is_told() {
    assert_eq!(
        message(|| MultiheadAttention::new(10, 3)),
        "MultiheadAttention: embed_dim = 10 is not divisible by num_heads = 3; change one of them"
    );
    assert_eq!(
        message(|| Embedding::new(5, 2).padding_idx(5)),
        "Embedding: padding_idx is 5, it must be below num_embeddings = 5"
    );
    let (model, mut params) = nn::build(language_model(), 0);
    let mut says = |tokens: &[u32], dims: [usize; 2]| {
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode::eval());
        message(|| model.forward(&g, g.tokens(dims, tokens)))
    };
    assert_eq!(
        says(&[3, 11], [1, 2]),
        "embedding at layer \"tokens\": token 11 at position 1 is out of range; it must be below 11"
    );
    assert_eq!(
        says(&[], [2, 0]),
        "scaled_dot_product_attention at layer \"encoder.layers.0.self_attn\": the query [2, 0, 24] is a sequence without \
         tokens; leave out empty sequences"
    );
    let (decoder, mut params) = nn::build(decoder_layer(), 0);
    let (mut tape, masks) = (Tape::new(), Masks::default());
    let g = tape.begin(&mut params, Mode::eval());
    let (x, memory) = (tensor(&g, 1, &[2, 5, 8], 1.0), tensor(&g, 2, &[2, 6, 8], 1.0));
    let wrong = Masks { key_padding_mask: padding(&g, 5, &[3]), ..masks };
    assert_eq!(
        message(|| decoder.run(&g, x, memory, masks, wrong)),
        "scaled_dot_product_attention at layer \"multihead_attn\": the key_padding_mask is [2, 5], there are 6 keys in each \
         of 2 images; make it [2, 6]"
    );
}

/// In training something is dropped, in every one of its places; what is kept is a function of seed and step.
#[test]
fn dropout_is_a_function_of_the_step() {
    let (layer, mut params) = nn::build(encoder_layer().dropout(0.5), 0);
    let mut run = |mode| {
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, mode);
        let y = layer.forward(&g, tensor(&g, 1, &[2, 5, 8], 1.0));
        g.value(y).to_vec()
    };
    let trained = run(Mode::train(1, 1));
    assert_eq!(trained, run(Mode::train(1, 1)));
    assert_ne!(trained, run(Mode::train(1, 2)));
    assert_ne!(trained, run(Mode::eval()));
    assert_eq!(run(Mode::eval()), run(Mode::eval()));
}
