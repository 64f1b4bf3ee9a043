//! Fine-tuning: the body of a trained network under a new head, first frozen, then trained with the head.
//!
//!     cargo run --release -p nn --example fine_tune -- --quick
//!
//! `twins/fine_tune.py` is the same program in PyTorch.

use std::error::Error;
use std::f32::consts::PI;

use autograd::{Graph, Indices, Mode, Params, Tape, Var};
use keyed_random::splitmix64;
use nn::{BatchNorm2d, Conv2d, GlobalAvgPool2d, Layer, Linear, ReLU, Sequential, sequential, weights};
use optim::{Adam, Optimizer};

/// Rows and columns.
pub const SIZE: usize = 12;

fn body() -> Sequential {
    let first = sequential![Conv2d::new(1, 16, 3).stride(2).padding(1), BatchNorm2d::new(16), ReLU];
    let second = sequential![Conv2d::new(16, 32, 3).stride(2).padding(1), BatchNorm2d::new(32), ReLU];
    sequential![first, second, GlobalAvgPool2d]
}

nn::layer! {
    /// Maps images to logits.
    pub struct Net(n_classes: usize) {
        body: Sequential = body(),
        head: Linear = Linear::new(32, n_classes),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        self.head.forward(g, self.body.forward(g, x))
    }
}

/// Images of stripes, whose slope is the class.
fn stripes(g: &Graph<'_>, n: usize, n_classes: u32) -> (Var, Indices) {
    let random = |i: usize| splitmix64(g.mode().step, i as u64);
    let labels: Vec<u32> = (0..n).map(|i| random(i) as u32 % n_classes).collect();
    let light = |at: usize| {
        let (i, row, col) = (at / SIZE / SIZE, at / SIZE % SIZE, at % SIZE);
        let (sin, cos) = (PI * labels[i] as f32 / n_classes as f32).sin_cos();
        (row as f32 * sin + col as f32 * cos + (random(i) >> 40) as f32).sin()
    };
    let images: Vec<f32> = (0..n * SIZE * SIZE).map(light).collect();
    (g.input([n, SIZE, SIZE, 1], &images), g.indices(&labels))
}

fn train(
    net: &Net,
    params: &mut Params,
    lr: f64,
    steps: std::ops::Range<u64>,
    batch: impl Fn(&Graph<'_>) -> (Var, Indices),
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(Adam { lr, ..Adam::default() }, params)?;
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for step in steps {
        losses.push(tape.step(params, Mode::train(0, step), |g| {
            let (x, labels) = batch(g);
            g.cross_entropy(net.forward(g, x), labels)
        }));
        optimizer.step(params);
    }
    Ok(losses)
}

/// Trains the head alone for half of the steps, then the whole network at a lower learning rate.
pub fn fine_tune(
    net: &Net,
    params: &mut Params,
    n_steps: u64,
    batch: impl Fn(&Graph<'_>) -> (Var, Indices),
) -> Result<Vec<f32>, Box<dyn Error>> {
    params.freeze("body")?;
    let mut losses = train(net, params, 1e-2, 0..n_steps / 2, &batch)?;
    params.thaw("body")?;
    losses.extend(train(net, params, 1e-3, n_steps / 2..n_steps, &batch)?);
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    let n_steps = if quick { 100 } else { 2000 };
    let (net, mut params) = nn::build(Net::new(8), 0);
    let losses = train(&net, &mut params, 3e-3, 0..n_steps, |g| stripes(g, 32, 8))?;
    println!("eight classes: loss {:.3}", losses[losses.len() - 1]);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("eight_classes.safetensors");
    weights::save(&path, &params, &[])?;

    let (net, mut params) = nn::build(Net::new(3), 1);
    println!("{}", weights::load_matching(&path, &mut params)?);
    let losses = fine_tune(&net, &mut params, n_steps, |g| stripes(g, 32, 3))?;
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
