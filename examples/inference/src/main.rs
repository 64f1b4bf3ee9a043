//! A network that was trained elsewhere, its weights within the program, tells points of two spirals apart.
//!
//!     cargo run --release -- --quick
//!
//! `twin.py` is the same in PyTorch; `train.py` made the weights.

use std::error::Error;

use autograd::Tape;
use nn::weights::Archive;
use nn::{Layer, Linear, ReLU, sequential};

/// Points of two spirals, in turn, two numbers each.
fn spirals(n: usize) -> Vec<f32> {
    let point = |i: usize| {
        let (along, turn) = (i as f32 / n as f32, std::f32::consts::PI * (i % 2) as f32);
        let (sin, cos) = (8.0 * along + turn).sin_cos();
        [along * cos, along * sin]
    };
    (0..n).flat_map(point).collect()
}

/// The logits of `n` points, two for each.
pub fn logits(n: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let net = sequential![Linear::new(2, 32), ReLU, Linear::new(32, 32), ReLU, Linear::new(32, 2)];
    let (net, mut params) = nn::build(net, 0);
    let weights = Archive::from_bytes("spirals", include_bytes!("../spirals.safetensors"))?;
    weights.load_into(&mut params)?;
    let mut tape = Tape::new();
    let g = tape.evaluate(&params);
    Ok(g.value(net.forward(&g, g.input([n, 2], &spirals(n)))).to_vec())
}

/// The share of points that are classified correctly.
pub fn run() -> Result<f64, Box<dyn Error>> {
    let n = 1000;
    let logits = logits(n)?;
    let right =
        logits.chunks(2).zip(0..).filter(|(logits, i)| (logits[1] > logits[0]) == (i % 2 == 1)).count();
    Ok(right as f64 / n as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("score {}", run()?);
    Ok(())
}
