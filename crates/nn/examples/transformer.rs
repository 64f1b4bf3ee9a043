//! A transformer that learns to predict the next character of a text, and then writes some text itself.
//!
//! ```sh
//! cargo run --release -p nn --example transformer -- --quick
//! ```
//!
//! `twins/transformer.py` is the same program in PyTorch.

use std::error::Error;

use autograd::{Graph, Indices, Mode, Params, Tape, Var};
use keyed_random::splitmix64;
use nn::{
    Embedding, Layer, LayerNorm, LearnedPositions, Linear, TransformerActivation, TransformerEncoder,
    TransformerEncoderLayer,
};
use optim::{AdamW, Norm, Optimizer, clip_norm};

/// How many characters the model looks back.
pub const CONTEXT: usize = 64;

fn encoder(d_model: usize, n_layers: usize) -> TransformerEncoder {
    let layer = TransformerEncoderLayer::new(d_model, 4)
        .dim_feedforward(4 * d_model)
        .dropout(0.0)
        .activation(TransformerActivation::Gelu)
        .norm_first(true)
        .causal(true);
    TransformerEncoder::new(layer, n_layers).norm(LayerNorm::new([d_model]))
}

nn::layer! {
    /// Maps tokens, `[n, t]`, to the logits of each one's successor, `[n, t, n_tokens]`.
    pub struct CharacterModel(n_tokens: usize, d_model: usize, n_layers: usize) {
        embedding: Embedding = Embedding::new(n_tokens, d_model),
        positions: LearnedPositions = LearnedPositions::new(CONTEXT, d_model),
        encoder: TransformerEncoder = encoder(d_model, n_layers),
        head: Linear = Linear::new(d_model, n_tokens),
    }

    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        let x = self.positions.forward(g, self.embedding.forward(g, tokens));
        self.head.forward(g, self.encoder.forward(g, x))
    }
}

/// Trains for one step on each batch of windows, CONTEXT + 1 tokens each.
pub fn train(
    model: &CharacterModel,
    params: &mut Params,
    batches: impl Iterator<Item = Vec<u32>>,
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(AdamW { lr: 2e-3, ..AdamW::default() }, params)?;
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for (step, windows) in batches.enumerate() {
        let windows = windows.chunks(CONTEXT + 1);
        let inputs: Vec<u32> = windows.clone().flat_map(|window| &window[..CONTEXT]).copied().collect();
        let targets: Vec<u32> = windows.flat_map(|window| &window[1..]).copied().collect();
        let n = inputs.len() / CONTEXT;
        losses.push(tape.step(params, Mode::train(0, step as u64).of_images(n), |g| {
            let logits = model.forward(g, g.tokens([n, CONTEXT], &inputs));
            let logits = g.reshape(logits, [n * CONTEXT, g.shape(logits)[2]]);
            g.cross_entropy(logits, g.indices(&targets))
        }));
        clip_norm(params, 1.0, Norm::L2);
        optimizer.step(params);
        if step % 50 == 0 {
            println!("step {step:4}: loss {:.3}", losses[step]);
        }
    }
    Ok(losses)
}

/// Continues a text of at least CONTEXT tokens, each drawn from the model's distribution.
fn write(model: &CharacterModel, params: &Params, mut text: Vec<u32>, n: usize) -> Vec<u32> {
    let mut tape = Tape::new();
    for step in 0..n as u64 {
        let g = tape.evaluate_at(params, 0, step);
        let logits = model.forward(&g, g.tokens([1, CONTEXT], &text[text.len() - CONTEXT..]));
        let last = g.slice(logits, 1, CONTEXT - 1..CONTEXT);
        text.extend(g.integers(g.multinomial(g.softmax(last))));
    }
    text
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    let text = include_str!("../README.md");
    let mut alphabet: Vec<char> = text.chars().collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    let tokens: Vec<u32> =
        text.chars().map(|c| alphabet.binary_search(&c).expect("it is of the text") as u32).collect();
    let (d_model, n_layers, n_steps) = if quick { (32, 2, 200) } else { (128, 4, 2000) };
    let (model, mut params) = nn::build(CharacterModel::new(alphabet.len(), d_model, n_layers), 0);
    let batches = (0..n_steps).map(|step| {
        let start = |i| splitmix64(step, i) as usize % (tokens.len() - CONTEXT);
        (0..16).flat_map(|i| tokens[start(i)..][..=CONTEXT].iter().copied()).collect()
    });
    let losses = train(&model, &mut params, batches)?;
    let written = write(&model, &params, tokens[..CONTEXT].to_vec(), 200);
    println!("{}", written.iter().map(|&token| alphabet[token as usize]).collect::<String>());
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
