//! Classifies the rows of a CSV table into two classes: standardise, split, train, evaluate by ROC curve and
//! AUC.
//!
//!     cargo run --release -p nn --example tabular -- --quick
//!
//! `twins/tabular.py` is the same program in PyTorch.

use std::error::Error;

use autograd::{Graph, Mode, Params, Tape, Var};
use data::{Batch, Csv, Dataset, Loader, Normalize, Subset};
use metrics::{ConfusionMatrix, Roc};
use nn::{Layer, Linear, ReLU, Sequential, sequential};
use optim::{AdamW, Optimizer};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tabular.csv");

/// Maps six numbers to the logits of two classes.
pub fn network() -> Sequential {
    sequential![Linear::new(6, 32), ReLU, Linear::new(32, 32), ReLU, Linear::new(32, 2)]
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
) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut optimizer = Optimizer::new(AdamW { lr: 3e-3, ..AdamW::default() }, params)?;
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

/// The whole program; returns the number in its last line.
pub fn run(quick: bool) -> Result<f64, Box<dyn Error>> {
    let table = Csv::new().label("class").read(TABLE)?;
    let (training, test) = Subset::stratified_split(&table, 120, 0);
    let scale = Normalize::measure_field(&training, "features");
    let (net, mut params) = nn::build(network(), 0);
    let batches = Loader::new(&training, 32).shuffle(0).normalize_field("features", &scale);
    train(&net, &mut params, batches, if quick { 30 } else { 200 })?;

    let (mut tape, mut batch) = (Tape::new(), Batch::new());
    Loader::new(&test, test.len()).normalize_field("features", &scale).next_into(&mut batch)?;
    let g = tape.evaluate(&params);
    let scores = g.value(g.softmax(net.forward(&g, features(&g, &batch))));
    let (mut confusion, mut roc) = (ConfusionMatrix::new(2), Roc::new());
    confusion.update(scores, batch.labels())?;
    roc.update(&scores.iter().copied().skip(1).step_by(2).collect::<Vec<_>>(), batch.labels())?;
    println!("confusion {:?}, accuracy {:?}", confusion.value(), confusion.accuracy());
    for point in roc.curve().ok_or("the test set has one class only")?.iter().step_by(10) {
        println!("false {:.2} true {:.2}", point.false_positive_rate, point.true_positive_rate);
    }
    Ok(roc.value().ok_or("the test set has one class only")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("score {}", run(std::env::args().any(|arg| arg == "--quick"))?);
    Ok(())
}
