//! A small transformer that learns which character comes next: `character_model [STEPS] [TEXT_FILE]`.
//!
//! Four layers of 128 features and 4 heads over 128 characters, batches of 32, AdamW. It prints the loss, the time of a
//! step, and what the model writes at the end.

use std::time::Instant;

use autograd::{Graph, Indices, Mode, Params, Tape, Var};
use nn::{
    Child, Embedding, Layer, LayerNorm, Linear, Scope, SinusoidalPositions, TransformerActivation,
    TransformerEncoder, TransformerEncoderLayer,
};
use optim::{AdamW, Optimizer};

const CONTEXT: usize = 128;
const BATCH: usize = 32;

/// Tokens `[n, t]` to the logits of what follows each, `[n, t, n_tokens]`.
#[derive(Clone, Debug)]
struct CharacterModel {
    embedding: Child<Embedding>,
    encoder: Child<TransformerEncoder>,
    head: Child<Linear>,
}

impl CharacterModel {
    fn new(n_tokens: usize, d_model: usize) -> Self {
        let layer = TransformerEncoderLayer::new(d_model, 4)
            .dim_feedforward(4 * d_model)
            .dropout(0.0)
            .activation(TransformerActivation::Gelu)
            .norm_first(true)
            .causal(true);
        let encoder = TransformerEncoder::new(layer, 4).norm(LayerNorm::new([d_model]));
        Self {
            embedding: Child::new("embedding", Embedding::new(n_tokens, d_model)),
            encoder: Child::new("encoder", encoder),
            head: Child::new("head", Linear::new(d_model, n_tokens)),
        }
    }
}

impl Layer<Indices> for CharacterModel {
    fn register(&mut self, scope: &mut Scope<'_>) {
        scope.layer(&mut self.embedding);
        scope.layer(&mut self.encoder);
        scope.layer(&mut self.head);
    }

    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        let x = SinusoidalPositions.forward(g, self.embedding.forward(g, tokens));
        self.head.forward(g, self.encoder.forward(g, x))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let n_steps: u64 = args.next().map_or(Ok(100), |steps| steps.parse())?;
    let text = args.next().map_or(Ok(include_str!("../README.md").to_owned()), std::fs::read_to_string)?;
    let mut alphabet: Vec<char> = text.chars().collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    let token = |c: char| alphabet.binary_search(&c).expect("it is of the text") as u32;
    let text: Vec<u32> = text.chars().map(token).collect();
    if text.len() < CONTEXT + 2 {
        return Err(format!("the text has {} characters, {} are needed", text.len(), CONTEXT + 2).into());
    }

    let (model, mut params) = nn::build(CharacterModel::new(alphabet.len(), 128), 0);
    let mut optimizer = Optimizer::new(AdamW { lr: 1e-3, ..AdamW::default() }, &params)?;
    let (mut tape, mut times) = (Tape::new(), Vec::new());
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for step in 0..n_steps {
        inputs.clear();
        targets.clear();
        for i in 0..BATCH as u64 {
            let start = keyed_random::splitmix64(step, i) as usize % (text.len() - CONTEXT);
            inputs.extend_from_slice(&text[start..start + CONTEXT]);
            targets.extend_from_slice(&text[start + 1..=start + CONTEXT]);
        }
        let begin = Instant::now();
        let loss = tape.step(&mut params, Mode::train(0, step).of_images(BATCH), |g| {
            let logits = model.forward(g, g.tokens([BATCH, CONTEXT], &inputs));
            let logits = g.reshape(logits, [BATCH * CONTEXT, alphabet.len()]);
            g.cross_entropy(logits, g.indices(&targets))
        });
        optimizer.step(&mut params);
        times.push(begin.elapsed());
        if step % 10 == 0 {
            println!("step {step:4}: loss {loss:.3}");
        }
    }
    times.sort();
    if let Some(median) = times.get(times.len() / 2) {
        println!("{:.1} ms a step (the median)", median.as_secs_f64() * 1e3);
    }
    let written = write(&model, &mut params, &text[..CONTEXT], 200);
    println!("{}", written.iter().map(|&token| alphabet[token as usize]).collect::<String>());
    Ok(())
}

/// Continues a text, each time by the likeliest character.
fn write(model: &CharacterModel, params: &mut Params, start: &[u32], n: usize) -> Vec<u32> {
    let (mut tape, mut text) = (Tape::new(), start.to_vec());
    for _ in 0..n {
        let g = tape.begin(params, Mode::eval());
        let logits = model.forward(&g, g.tokens([1, CONTEXT], &text[text.len() - CONTEXT..]));
        let n_tokens = g.shape(logits)[2];
        let last = &g.value(logits)[(CONTEXT - 1) * n_tokens..];
        let likeliest = (0..n_tokens).max_by(|&a, &b| last[a].total_cmp(&last[b]));
        text.extend(likeliest.map(|token| token as u32));
    }
    text.split_off(start.len())
}
