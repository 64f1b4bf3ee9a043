//! Cross-validation: picks the best of several learning rates over five folds of a table.
//!
//!     cargo run --release -p nn --example cross_validation -- --quick
//!
//! `twins/cross_validation.py` is the same program in PyTorch.

use std::error::Error;

use autograd::{Graph, Mode, Params, Tape, Var};
use data::{Batch, Csv, Dataset, Loader, Normalize, Subset};
use metrics::Accuracy;
use nn::{Layer, Linear, Sequential, Tanh, sequential};
use optim::{Optimizer, Sgd};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tabular.csv");

/// Maps six numbers to the logits of two classes.
pub fn network() -> Sequential {
    sequential![Linear::new(6, 24), Tanh, Linear::new(24, 2)]
}

fn features(g: &Graph<'_>, batch: &Batch) -> Var {
    g.input(batch.shape_of("features"), batch.f32("features"))
}

/// Trains for `n_epochs` epochs.
pub fn train(
    net: &Sequential,
    params: &mut Params,
    mut batches: Loader<'_>,
    n_epochs: usize,
    lr: f64,
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(Sgd { lr, momentum: 0.9, ..Sgd::default() }, params)?;
    let (mut tape, mut batch, mut losses) = (Tape::new(), Batch::new(), Vec::new());
    for _ in 0..n_epochs {
        while batches.next_into(&mut batch)? {
            losses.push(tape.step(params, Mode::train(0, optimizer.n_steps()), |g| {
                g.cross_entropy(net.forward(g, features(g, &batch)), g.labels(&batch))
            }));
            optimizer.step(params);
        }
    }
    Ok(losses)
}

/// Trains on a fold's training part and returns the accuracy on its validation part.
fn validate(
    (training, validation): &(Subset<'_>, Subset<'_>),
    n_epochs: usize,
    lr: f64,
) -> Result<f64, Box<dyn Error>> {
    let scale = Normalize::measure_field(training, "features");
    let (net, mut params) = nn::build(network(), 0);
    let batches = Loader::new(training, 32).shuffle(0).normalize_field("features", &scale);
    train(&net, &mut params, batches, n_epochs, lr)?;
    let (mut tape, mut batch, mut accuracy) = (Tape::new(), Batch::new(), Accuracy::new());
    Loader::new(validation, validation.len()).normalize_field("features", &scale).next_into(&mut batch)?;
    let g = tape.evaluate(&params);
    accuracy.update(g.value(net.forward(&g, features(&g, &batch))), batch.labels())?;
    Ok(accuracy.value().unwrap_or_default())
}

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f64, Box<dyn Error>> {
    let table = Csv::new().label("class").read(TABLE)?;
    let folds = Subset::stratified_k_folds(&table, 5, 0)?;
    let mut best = (0.0, 0.0);
    for lr in [0.0001, 0.001, 0.01, 0.1, 1.0] {
        let mut sum = 0.0;
        for fold in &folds {
            sum += validate(fold, if quick { 10 } else { 100 }, lr)?;
        }
        let mean = sum / folds.len() as f64;
        println!("lr {lr}: {mean:.4}");
        if mean > best.0 {
            best = (mean, lr);
        }
    }
    println!("best lr {}", best.1);
    Ok(best.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("score {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
