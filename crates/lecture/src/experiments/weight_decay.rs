//! Weight decay on a linear regression with more features than samples.

use anyhow::{Result, ensure};
use autograd::{Mode, Params, Reduction, Tape};
use clap::Args;
use classifier::ranges::{any_seed, not_negative, within};
use nn::{Layer, Linear};
use optim::{Optimizer, Sgd, regularize};
use rayon::prelude::*;
use viz::Figure;

use super::Experiment;
use super::linear_data::{LinearData, Samples};
use crate::page::bibliography::{D2L_WEIGHT_DECAY, KROGH_HERTZ, LOSHCHILOV_HUTTER};
use crate::page::{Frame, Knob, Section, Table};

/// The regression and its penalty.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct WeightDecay {
    /// Samples in all; half of them are for testing
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<2, 10_000>)]
    pub samples: usize,

    /// Features per sample
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = within::<1, 10_000>)]
    pub features: usize,

    /// Strengths λ of the penalty, one panel each
    #[arg(long = "lambda", value_name = "X,…", value_delimiter = ',', default_values_t = [0.0, 5.0],
          value_parser = not_negative)]
    pub lambdas: Vec<f64>,

    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.001, value_parser = not_negative)]
    pub lr: f64,

    /// Steps over all training samples at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within::<1, 100_000>)]
    pub epochs: usize,

    /// Seed of the data and of the initial weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// What a run measured, one number per epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// Mean squared error on the training samples plus the penalty: what is minimised.
    pub train: Vec<f64>,
    /// The same without the penalty.
    pub train_mse: Vec<f64>,
    /// Mean squared error on the test samples, after the epoch's step.
    pub test: Vec<f64>,
}

impl WeightDecay {
    /// Trains with penalty `lambda`.
    ///
    /// # Errors
    /// When the numbers leave nothing to train on.
    pub fn train(&self, lambda: f64) -> Result<Losses> {
        let Self { samples, features, seed, .. } = *self;
        let (train, test) = LinearData { samples, features, test: 0.5, scale: 0.01, seed }.draw()?;
        let (net, mut params) = nn::build(Linear::new(features, 1), seed);
        let mut tape = Tape::new();
        let mut optimizer = Optimizer::new(Sgd { lr: self.lr, ..Sgd::default() }, &params)?;
        let mut losses = Losses::default();
        for epoch in 0..self.epochs {
            let mode = Mode::train(seed, epoch as u64);
            let mse = squared_error(&net, &mut params, &mut tape, mode, &train);
            let weights = params.values().to_vec();
            // λ/2 · Σp² over all weights and the bias; its gradient λp joins that of the error.
            let penalty = regularize::l2(&weights, params.grads_mut(), lambda);
            optimizer.step(&mut params);
            losses.train.push(mse + penalty);
            losses.train_mse.push(mse);
            losses.test.push(squared_error(&net, &mut params, &mut tape, Mode::eval(), &test));
        }
        Ok(losses)
    }
}

/// The strength in the names of files and panels: as a power of ten if its zeros would not fit a file's name.
fn name_of(lambda: f64) -> String {
    let name = lambda.to_string();
    if name.len() > 40 { format!("{lambda:e}") } else { name }
}

/// The mean squared error; in training, its gradient is stored in the parameters.
fn squared_error(net: &Linear, params: &mut Params, tape: &mut Tape, mode: Mode, samples: &Samples) -> f64 {
    let (n, n_features) = (samples.y.len(), samples.x.len() / samples.y.len());
    let loss = tape.step(params, mode, |g| {
        let prediction = net.forward(g, g.input([n, n_features], &samples.x));
        g.mse_loss(prediction, g.input([n, 1], &samples.y), Reduction::Mean)
    });
    loss.into()
}

impl Experiment for WeightDecay {
    const TITLE: &'static str = "Weight decay";

    fn run(&self, section: &mut Section) -> Result<()> {
        for (i, lambda) in self.lambdas.iter().enumerate() {
            ensure!(!self.lambdas[..i].contains(lambda), "--lambda {lambda}: expected every value once");
        }
        let runs: Vec<Losses> =
            self.lambdas.iter().map(|&lambda| self.train(lambda)).collect::<Result<_>>()?;
        section.text(INTRODUCTION);
        let epochs: Vec<f64> = (0..self.epochs).map(|epoch| epoch as f64).collect();
        // One range for all panels, so that they can be compared.
        let losses = runs.iter().flat_map(|run| [&run.train, &run.train_mse, &run.test]).flatten();
        let losses = losses.filter(|loss| loss.is_finite() && **loss > 0.0);
        let (lo, hi) = losses.fold((f64::INFINITY, 0.0f64), |(lo, hi), &loss| (lo.min(loss), hi.max(loss)));
        let panels = self.lambdas.iter().zip(&runs).map(|(lambda, losses)| {
            let figure = Figure::new(format!("λ = {}", name_of(*lambda)))
                .x_label("epoch")
                .y_label("loss")
                .y_log()
                .y_range(lo / 1.5, hi * 1.5)
                .line("training", &epochs, &losses.train)
                .line("test", &epochs, &losses.test);
            match lambda {
                0.0 => figure,
                _ => figure.dashed("training, without the penalty", &epochs, &losses.train_mse),
            }
        });
        section.panels(
            "losses",
            "Training and test loss with and without weight decay",
            2,
            panels.collect(),
            &section.told(
                "All panels have the same logarithmic scale.",
                "Without a penalty the training loss falls to nothing, while the test loss drops by two fifths and then \
                 stays level: the samples are memorised. With λ = 5 both fall, and the test loss ends more than ten \
                 times lower.",
            ),
        )?;
        let mut table = Table::new(["λ", "epoch", "training loss", "its error alone", "test error"]);
        for (lambda, losses) in self.lambdas.iter().zip(&runs) {
            for epoch in (0..self.epochs).step_by(200) {
                let [train, mse, test] = [&losses.train, &losses.train_mse, &losses.test].map(|l| l[epoch]);
                table.push([name_of(*lambda).into(), epoch.into(), train.into(), mse.into(), test.into()]);
            }
        }
        section.table("losses", "One row per 200 epochs.", table.decimals(5));
        let mut table = Table::new(["λ", "epoch", "training loss", "test loss"]);
        for (lambda, epoch, train, test) in LECTURE_PRINTS {
            let [train, test] = [train, test].map(|loss| format!("{loss:.4}"));
            table.push([format!("{lambda}").into(), epoch.into(), train.into(), test.into()]);
        }
        section.table(
            "as-printed",
            "What the lecture prints for λ = 0 and λ = 5, from different random numbers. Its training loss includes the \
             penalty.",
            table,
        );
        self.knob(section)?;
        section.text(AFTER);
        for (lambda, losses) in self.lambdas.iter().zip(&runs) {
            let columns = [
                ("epoch", &epochs),
                ("train", &losses.train),
                ("train_mse", &losses.train_mse),
                ("test", &losses.test),
            ];
            let columns = columns.map(|(name, column)| (name.to_owned(), column.as_slice()));
            section.data(&format!("lambda-{}", name_of(*lambda)), &Table::of_columns(columns));
        }
        section.exercises(&[
            (
                "How large must λ be before the test loss gets worse again? Move the slider, then look closer.",
                "descent lecture weight-decay --lambda 1,5,20,100",
            ),
            (
                "Give the model as many samples as weights. What is left of the gap without a penalty?",
                "descent lecture weight-decay --samples 400 --lambda 0,5",
            ),
            (
                "Does training longer without a penalty ever close the gap?",
                "descent lecture weight-decay --epochs 5000 --lambda 0",
            ),
        ]);
        section.readings(&[D2L_WEIGHT_DECAY, KROGH_HERTZ, LOSHCHILOV_HUTTER]);
        section.source("crates/optim/src/regularize.rs", include_str!("../../../optim/src/regularize.rs"));
        Ok(())
    }
}

/// What the lecture prints: (λ, epoch, training loss, test loss).
pub const LECTURE_PRINTS: [(f64, usize, f64, f64); 10] = [
    (0.0, 0, 0.3230, 0.4413),
    (0.0, 200, 0.0165, 0.3265),
    (0.0, 400, 0.0023, 0.3051),
    (0.0, 600, 0.0005, 0.2979),
    (0.0, 800, 0.0002, 0.2950),
    (5.0, 0, 1.1423, 0.2795),
    (5.0, 200, 0.1009, 0.0429),
    (5.0, 400, 0.0218, 0.0185),
    (5.0, 600, 0.0116, 0.0153),
    (5.0, 800, 0.0103, 0.0150),
];

/// The slider's strengths.
const LAMBDAS: [f64; 13] = [0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

impl WeightDecay {
    /// Adds the losses with a slider for λ.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let runs: Vec<Losses> =
            LAMBDAS.par_iter().map(|&lambda| self.train(lambda)).collect::<Result<_>>()?;
        // A hundred points are enough for the curve.
        let stride = self.epochs.div_ceil(100);
        let epochs: Vec<f64> = (0..self.epochs).step_by(stride).map(|epoch| epoch as f64).collect();
        let thin = |losses: &[f64]| losses.iter().copied().step_by(stride).collect::<Vec<f64>>();
        let losses = runs.iter().flat_map(|run| [&run.train_mse, &run.test]).flatten();
        let losses = losses.filter(|loss| loss.is_finite() && **loss > 0.0);
        let (lo, hi) = losses.fold((f64::INFINITY, 0.0f64), |(lo, hi), &loss| (lo.min(loss), hi.max(loss)));
        section.knobs(
            "turn-lambda",
            &[Knob::new("λ", &LAMBDAS, 5.0)],
            5,
            |at| {
                let run = &runs[at[0]];
                let last = self.epochs - 1;
                let figure = Figure::new("Error without the penalty")
                    .x_label("epoch")
                    .y_label("mean squared error")
                    .y_log()
                    .y_range(lo / 1.5, hi * 1.5)
                    .line("training", &epochs, &thin(&run.train_mse))
                    .line("test", &epochs, &thin(&run.test));
                let reading = vec![
                    ("training error at the end", run.train_mse[last]),
                    ("test error at the end", run.test[last]),
                ];
                Ok(Frame { figure, reading })
            },
            &section.told(
                "The same regression at thirteen strengths of the penalty, all of them trained beforehand.",
                "A small penalty helps a little; too large a one pins the weights near zero.",
            ),
        )
    }
}

const INTRODUCTION: &str = "\
With more weights than samples (200 and 50 without flags), there are infinitely many ways to fit every training point \
exactly, and nearly all of them are wrong elsewhere. Weight decay makes large weights expensive, so that a nearly perfect \
fit with small weights beats a perfect one with large weights:

$$L(w, b) + \\frac{\\lambda}{2}\\sum_{\\text{tensors}}\\;\\sum_i p_i^2$$

Its gradient is that of the loss plus a pull towards zero:

$$\\frac{\\partial}{\\partial p_i}\\Bigl(L + \\frac{\\lambda}{2}\\sum_j p_j^2\\Bigr) = \
\\frac{\\partial L}{\\partial p_i} + \\lambda\\,p_i.$$

The inner sum runs over the elements of a tensor, the outer one over the tensors of the model. The ½ cancels in the \
derivative.";

const AFTER: &str = "\
> **Two losses.** The loss that is minimised includes the penalty; the loss on the test set does not. Drawn on the same \
axes they invite a wrong comparison, so the training error alone is drawn too.

> **Weights or everything?** The formula is usually written for the weights alone. Here it includes the bias as well, \
since the sum is over all parameters. In this library the optimizer's parameter groups can exempt biases.

> **Is it the same as L2?** Adding $\\lambda p$ to the gradient and shrinking $p$ by $\\eta\\lambda p$ are the same for \
plain SGD only. Adam divides the gradient by its own size, and the penalty with it. This is “coupled” decay, as in \
`Adam`. `AdamW` shrinks the weights separately from the step: “decoupled” decay. The library has both, under those \
names.";
