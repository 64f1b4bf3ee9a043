//! Tests whether the fast kernels change what a network learns: the lecture's CNN with them and on the
//! general path.
//!
//! ```text
//! cargo run --release -p benches --bin numerics -- --cifar datasets/cifar-10-batches-bin > numerics.csv
//! ```
//!
//! For each seed, both start from the same weights and see the same batches and dropout masks. The general
//! path is im2col with matrixmultiply, with activation and pool as separate ops. Prints the mean training
//! loss of each epoch as CSV.

use anyhow::Result;
use autograd::{Conv2dOptions, Graph, Mode, ParamId, Params, Pool2dOptions, Tape, Var};
use bench_protocol::cifar_folder;
use data::{Batch, Cifar, CifarKind, Loader, Part};
use nn::{Layer, Sequential, models};
use optim::{Adam, Optimizer};
use tensor::conv::Algorithm;

const SEEDS: [u64; 3] = [42, 43, 44];
const EPOCHS: u64 = 5;
const BATCH: usize = 64;
const DROPOUT: f32 = 0.5;

fn main() -> Result<()> {
    let cifar = Cifar::open(cifar_folder()?, CifarKind::Cifar10, Part::Train)?;
    println!("seed,kernels,epoch,loss");
    for seed in SEEDS {
        for kernels in [Kernels::Fast, Kernels::General] {
            let mut training = Training::new(kernels, seed)?;
            let mut loader = Loader::new(&cifar, BATCH).shuffle(seed);
            for epoch in 1..=EPOCHS {
                println!("{seed},{},{epoch},{:.6}", kernels.name(), training.epoch(&mut loader)?);
            }
        }
    }
    Ok(())
}

/// The kernels used to compute the network.
#[derive(Clone, Copy)]
enum Kernels {
    /// The framework's choice.
    Fast,
    /// Matrix products by matrixmultiply, with every layer as a separate op.
    General,
}

impl Kernels {
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::General => "general",
        }
    }

    fn forward(self, net: &Sequential, g: &Graph<'_>, params: &[ParamId], images: Var) -> Var {
        match self {
            Self::Fast => net.forward(g, images),
            Self::General => general_forward(g, params, images),
        }
    }
}

/// The lecture's CNN with learning rate 0.005 and decay 1e-4, as in the training program.
struct Training {
    kernels: Kernels,
    net: Sequential,
    params: Params,
    ids: Vec<ParamId>,
    tape: Tape,
    optimizer: Optimizer<f32>,
    seed: u64,
    step: u64,
}

impl Training {
    fn new(kernels: Kernels, seed: u64) -> Result<Self> {
        let (net, params) = nn::build(models::lecture_cnn(DROPOUT), seed);
        let adam = Adam { lr: 0.005, weight_decay: 1e-4, ..Adam::default() };
        let optimizer = Optimizer::new(adam, &params)?;
        let ids = params.ids().collect();
        Ok(Self { kernels, net, params, ids, tape: Tape::new(), optimizer, seed, step: 0 })
    }

    /// Trains for one epoch; returns its mean loss.
    fn epoch(&mut self, loader: &mut Loader<'_>) -> Result<f64> {
        let (mut sum, mut n_images) = (0.0, 0);
        let mut batch = Batch::new();
        while loader.next_into(&mut batch)? {
            sum += f64::from(self.step(&batch)) * batch.len() as f64;
            n_images += batch.len();
        }
        Ok(sum / n_images as f64)
    }

    fn step(&mut self, batch: &Batch) -> f32 {
        let loss = self.tape.step(&mut self.params, Mode::train(self.seed, self.step), |g| {
            let logits = self.kernels.forward(&self.net, g, &self.ids, g.images(batch));
            g.cross_entropy(logits, g.labels(batch))
        });
        self.optimizer.step(&mut self.params);
        self.step += 1;
        loss
    }
}

/// [`models::lecture_cnn`] without fast kernels; `params` are its weights and biases, alternating.
fn general_forward(g: &Graph<'_>, params: &[ParamId], images: Var) -> Var {
    let (blocks, linears) = params.split_at(6);
    let mut x = images;
    let options = Conv2dOptions { padding: [1, 1], algorithm: Algorithm::Im2col, ..Conv2dOptions::default() };
    for block in blocks.chunks_exact(2) {
        let (weight, bias) = (g.param(block[0]), g.param(block[1]));
        x = g.conv2d(x, weight, Some(bias), options);
        x = g.relu(x);
        x = g.max_pool2d(x, Pool2dOptions::new([2, 2]));
    }
    x = g.flatten(x);
    x = general_linear(g, linears[0], linears[1], x);
    x = g.relu(x);
    // Under the layer's name, from which the mask is drawn.
    x = g.scope("12", |g| g.dropout(x, DROPOUT));
    general_linear(g, linears[2], linears[3], x)
}

fn general_linear(g: &Graph<'_>, weight: ParamId, bias: ParamId, x: Var) -> Var {
    let (weight, bias) = (g.param(weight), g.param(bias));
    let product = g.matmul_transposed(x, weight, [false, true]);
    g.add(product, bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_compute_the_same_network() -> Result<()> {
        let losses = [Kernels::Fast, Kernels::General].map(|kernels| -> Result<f32> {
            let mut training = Training::new(kernels, 7)?;
            let images: Vec<f32> = bench_protocol::uniform(1, 8 * 3072, 1.0);
            let g = training.tape.begin(&mut training.params, Mode::train(7, 0));
            let x = g.input([8, 32, 32, 3], &images);
            let labels = g.indices(&[0, 1, 2, 3, 4, 5, 6, 7]);
            let logits = kernels.forward(&training.net, &g, &training.ids, x);
            let loss = g.cross_entropy(logits, labels);
            Ok(g.scalar(loss))
        });
        let [fast, general] = losses;
        let (fast, general) = (fast?, general?);
        // The masks are the same; otherwise the losses would differ in the first digit.
        assert!((fast - general).abs() < 1e-4 * general, "{fast} and {general}");
        Ok(())
    }
}
