//! A GRU learns the adding problem: two numbers in a row are marked, and the target is their sum.
//!
//!     cargo run --release -p nn --example gru -- --quick
//!
//! `twins/gru.py` is the same program in PyTorch.

use std::error::Error;

use autograd::{Graph, Mode, Params, Reduction, Tape, Var};
use nn::{GRU, Layer, Linear};
use optim::{Adam, Norm, Optimizer, clip_norm};

const LENGTH: usize = 20;

nn::layer! {
    /// Maps rows of (number, mark), `[n, t, 2]`, to one number each.
    pub struct Adder(hidden_size: usize) {
        gru: GRU = GRU::new(2, hidden_size),
        head: Linear = Linear::new(hidden_size, 1),
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let y = self.gru.forward(g, x);
        g.flatten(self.head.forward(g, g.slice(y, 1, LENGTH - 1..LENGTH)))
    }
}

fn problems(g: &Graph<'_>, n: usize) -> (Var, Var) {
    let numbers = g.rand([n, LENGTH]);
    let (_, places) = g.topk(g.rand([n, LENGTH]), 2, 1, true);
    let marks = g.scatter_add(g.full([n, LENGTH], 0.0), 1, places, g.full([n, 2], 1.0));
    (g.stack(&[numbers, marks], 2), g.sum_axes(g.mul(numbers, marks), 1, true))
}

/// Trains for one step on each batch (x, y) that `batch` records.
pub fn train(
    net: &Adder,
    params: &mut Params,
    n_steps: u64,
    mut batch: impl FnMut(&Graph<'_>) -> (Var, Var),
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(Adam { lr: 1e-2, ..Adam::default() }, params)?;
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for step in 0..n_steps {
        losses.push(tape.step(params, Mode::train(0, step), |g| {
            let (x, y) = batch(g);
            g.mse_loss(net.forward(g, x), y, Reduction::Mean)
        }));
        clip_norm(params, 1.0, Norm::L2);
        optimizer.step(params);
    }
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    let (net, mut params) = nn::build(Adder::new(32), 0);
    let losses = train(&net, &mut params, if quick { 400 } else { 3000 }, |g| problems(g, 32))?;
    for (step, loss) in losses.iter().enumerate().step_by(100) {
        println!("step {step:4}: loss {loss:.4}");
    }
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
