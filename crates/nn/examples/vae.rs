//! A variational autoencoder of small images, which then generates new ones.
//!
//!     cargo run --release -p nn --example vae -- --quick
//!
//! `twins/vae.py` is the same program in PyTorch.

use std::array;
use std::error::Error;

use autograd::{Graph, Mode, Params, Reduction, Tape, Var};
use nn::{Layer, Linear, ReLU, Sequential, sequential};
use optim::{Adam, Optimizer};

/// Rows and columns.
pub const SIZE: usize = 12;

nn::layer! {
    /// Maps images, `[n, SIZE²]`, and normal noise to the negative evidence lower bound per image.
    pub struct Vae(n_hidden: usize, n_latent: usize) {
        encoder: Sequential = sequential![Linear::new(SIZE * SIZE, n_hidden), ReLU],
        mean: Linear = Linear::new(n_hidden, n_latent),
        log_var: Linear = Linear::new(n_hidden, n_latent),
        decoder: Sequential = sequential![Linear::new(n_latent, n_hidden), ReLU, Linear::new(n_hidden, SIZE * SIZE)],
    }

    fn forward(&self, g: &Graph<'_>, (x, noise): (Var, Var)) -> Var {
        let h = self.encoder.forward(g, x);
        let (mean, log_var) = (self.mean.forward(g, h), self.log_var.forward(g, h));
        let z = g.add(mean, g.mul(noise, g.exp(g.scale(log_var, 0.5))));
        let unlikeness = g.bce_with_logits(self.decoder.forward(g, z), x, Reduction::Sum);
        let squares = g.add(g.mul(mean, mean), g.exp(log_var));
        let kl = g.scale(g.sum(g.sub(g.add_scalar(log_var, 1.0), squares)), -0.5);
        g.scale(g.add(unlikeness, kl), 1.0 / g.shape(x)[0] as f32)
    }
}

impl Vae {
    fn decode(&self, g: &Graph<'_>, z: Var) -> Var {
        g.sigmoid(self.decoder.forward(g, z))
    }
}

/// Images with one blob of light each.
fn blobs(g: &Graph<'_>, n: usize) -> Var {
    let at = g.input([SIZE], &array::from_fn::<_, SIZE, _>(|i| i as f32 - 2.0));
    let [rows, cols] = [(); 2].map(|()| {
        let distance = g.sub(at, g.scale(g.rand([n, 1]), SIZE as f32 - 5.0));
        g.exp(g.scale(g.mul(distance, distance), -0.25))
    });
    g.flatten(g.einsum("nh,nw->nhw", &[rows, cols]))
}

/// Trains for one step on each batch (images, noise) that `batch` records.
pub fn train(
    vae: &Vae,
    params: &mut Params,
    n_steps: u64,
    mut batch: impl FnMut(&Graph<'_>) -> (Var, Var),
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(Adam { lr: 2e-3, ..Adam::default() }, params)?;
    let (mut tape, mut losses) = (Tape::new(), Vec::new());
    for step in 0..n_steps {
        losses.push(tape.step(params, Mode::train(0, step), |g| vae.forward(g, batch(g))));
        optimizer.step(params);
    }
    Ok(losses)
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f32, Box<dyn Error>> {
    let (vae, mut params) = nn::build(Vae::new(64, 4), 0);
    let batch = |g: &Graph<'_>| (blobs(g, 64), g.randn([64, 4]));
    let losses = train(&vae, &mut params, if quick { 500 } else { 10_000 }, batch)?;
    let mut tape = Tape::new();
    let g = tape.evaluate(&params);
    for row in g.value(vae.decode(&g, g.randn([2, 4]))).chunks(SIZE) {
        println!(
            "{}",
            row.iter().map(|light| char::from(b" .:*#"[(light * 4.99) as usize])).collect::<String>()
        );
    }
    Ok(losses[losses.len() - 1])
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("loss {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
