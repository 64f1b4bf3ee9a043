//! Dropout: what it does to a layer, and the predictive uncertainty that it shows when it is left on.

use anyhow::Result;
use autograd::{Mode, Params, Tape};
use clap::Args;
use classifier::ranges::{any_seed, probability, within};
use nn::{Layer, models};
use rayon::prelude::*;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{BISHOP, D2L_DROPOUT, GAL_GHAHRAMANI, SRIVASTAVA};
use crate::page::{Cell, Frame, Knob, Section, Table, count};
use crate::subjects::network::summary_table;
use crate::subjects::regression::{self, Mlp};
use crate::subjects::statistics;

/// The layer that is shown, and the network whose uncertainty is measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Dropout {
    /// Probability with which an entry is dropped
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability)]
    pub p: f64,

    /// Draws whose mean is compared with the input
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = within::<1, 1_000_000>)]
    pub draws: usize,

    /// Stochastic passes through the trained network
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<1, 10_000>)]
    pub passes: usize,

    /// Training steps of the network
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = within::<1, 100_000>)]
    pub steps: usize,

    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// Mean and standard deviation of many stochastic passes over a range of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncertainty {
    /// The samples that the network was trained on: their x and their y.
    pub samples: [Vec<f64>; 2],
    /// The inputs.
    pub x: Vec<f64>,
    /// The mean of the passes.
    pub mean: Vec<f64>,
    /// Their standard deviation.
    pub std: Vec<f64>,
}

/// The probability of dropout in the network whose uncertainty is measured.
const DROP: f64 = 0.2;

/// The activations to which dropout is applied.
pub const ACTIVATIONS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

impl Dropout {
    /// One pass of the activations through dropout; `training: false` is evaluation.
    pub fn pass(&self, draw: u64, p: f64, training: bool) -> Vec<f64> {
        let (mut params, mut tape) = (Params::new(), Tape::new());
        let mode = if training { Mode::train(self.seed, draw) } else { Mode::eval() };
        let g = tape.begin(&mut params, mode);
        let x = g.input([6], &ACTIVATIONS);
        let y = g.dropout(x, p as f32);
        statistics::wide(g.value(y))
    }

    /// The mean of `self.draws` passes, computed at once as rows of one input.
    pub fn mean(&self) -> Vec<f64> {
        let (mut params, mut tape) = (Params::new(), Tape::new());
        let g = tape.begin(&mut params, Mode::train(self.seed, 0).with_grad(false));
        let x = g.input([self.draws, 6], &ACTIVATIONS.repeat(self.draws));
        let y = g.dropout(x, self.p as f32);
        let mut sums = [0.0; 6];
        for row in g.value(y).chunks_exact(6) {
            sums.iter_mut().zip(row).for_each(|(sum, &y)| *sum += f64::from(y));
        }
        sums.map(|sum| sum / self.draws as f64).to_vec()
    }

    /// Trains a network on samples between −1 and 1 and runs it many times with dropout on, outside that
    /// range too.
    ///
    /// # Errors
    /// When the network cannot be built.
    pub fn uncertainty(&self) -> Result<Uncertainty> {
        self.uncertainty_at(DROP, self.passes)
    }

    /// The same for a network with dropout of probability `p`, over `n_passes` passes.
    fn uncertainty_at(&self, p: f64, n_passes: usize) -> Result<Uncertainty> {
        let points = regression::sample(40, 0.1, self.seed, 0);
        let mut net = Mlp::new(p as f32, 3e-3, self.seed)?;
        (0..self.steps).for_each(|_| {
            net.train(&points);
        });
        let x: Vec<f64> = (0..=120).map(|i| f64::from(i) / 30.0 - 2.0).collect();
        let inputs: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let passes: Vec<Vec<f64>> =
            (0..n_passes as u64).map(|pass| net.predict(&inputs, Some(pass))).collect();
        let at = |i: usize| passes.iter().map(|pass| pass[i]).collect::<Vec<f64>>();
        let mean = (0..x.len()).map(|i| statistics::mean(&at(i))).collect();
        let std = (0..x.len()).map(|i| statistics::variance(&at(i)).max(0.0).sqrt()).collect();
        Ok(Uncertainty { samples: points.wide(), x, mean, std })
    }
}

impl Experiment for Dropout {
    const TITLE: &'static str = "Dropout";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(INTRODUCTION);
        section.table("activations", "Six activations, before and after dropout.", self.table());
        section.text(
            "> **Exactly 1 − p.** Some programs add a tiny ε to the divisor so that p = 1 does not divide by zero, but \
             then no activation is scaled exactly right. Here the divisor is 1 − p. An entry is kept when a uniform draw \
             from [0, 1) is at least p: with p = 0 that is always so, and with p = 1 never.\n\n\
             In a network, dropout follows the large layers and is seldom applied to the input; when the first papers \
             dropped inputs, they kept 80 % of them. This MLP for CIFAR-10 is one of the library's models, as its \
             `summary` prints it:",
        );
        let (net, params) = nn::build(models::dropout_mlp(), self.seed);
        section.table(
            "mlp",
            "The MLP, layer by layer.",
            summary_table(&net.summary(&params, [1, 32, 32, 3])),
        );
        section.text(
            "Dropout is usually switched off after training. Left on, it turns one network into many: the mean of $T$ \
             stochastic passes is the prediction, and their standard deviation shows how much they disagree.",
        );
        let Uncertainty { samples: [sample_x, sample_y], x, mean, std } = self.uncertainty()?;
        let side = |sign: f64| mean.iter().zip(&std).map(|(m, s)| m + sign * 2.0 * s).collect::<Vec<f64>>();
        let truth: Vec<f64> = x.iter().map(|&x| regression::wave(x)).collect();
        section.figure(
            "uncertainty",
            Figure::new(format!("What {} stochastic passes say", count(self.passes)))
                .x_label("x")
                .y_label("y")
                .band("", &x, &side(-1.0), &side(1.0))
                .line("mean ± two standard deviations", &x, &mean)
                .dashed("the truth", &x, &truth)
                .scatter("training samples", &sample_x, &sample_y),
            &section.told(
                &format!("An MLP trained with dropout of {DROP} on samples between −1 and 1, and what it predicts there and outside."),
                "Between −1 and 1 the passes roughly agree. Below −1 the band widens, as it should; above 1 the passes \
                 agree on a wrong answer. Uncertainty is a warning, but its absence proves nothing.",
            ),
        )?;
        let columns = [("x", &x), ("mean", &mean), ("std", &std)];
        self.knob(section)?;
        section.exercises(&[
            (
                "With p = 0.9 one activation in ten is left. What is it multiplied by, and how close to the input is the \
                 mean of many draws?",
                "descent lecture dropout --p 0.9",
            ),
            ("Keep halving the number of passes: when does the band become unreliable?",
                "descent lecture dropout --passes 5"),
            ("Train ten times longer. Does the wrong answer above 1 become less certain?",
                "descent lecture dropout --steps 15000"),
        ]);
        section.readings(&[SRIVASTAVA, BISHOP, GAL_GHAHRAMANI, D2L_DROPOUT]);
        section.data(
            "uncertainty",
            &Table::of_columns(columns.map(|(name, c)| (name.to_owned(), c.as_slice()))),
        );
        section.source(
            "crates/autograd/src/ops/dropout.rs",
            include_str!("../../../autograd/src/ops/dropout.rs"),
        );
        section
            .source("crates/tensor/src/dropout/mod.rs", include_str!("../../../tensor/src/dropout/mod.rs"));
        Ok(())
    }
}

/// The slider's probabilities.
const PROBABILITIES: [f64; 9] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];

impl Dropout {
    /// Adds the passes with a slider for the probability of dropout.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let n_passes = self.passes.min(50);
        let of = |&p: &f64| self.uncertainty_at(p, n_passes);
        let all: Vec<Uncertainty> = PROBABILITIES.par_iter().map(of).collect::<Result<_>>()?;
        section.knobs(
            "turn-p",
            &[Knob::new("p", &PROBABILITIES, DROP)],
            3,
            |at| {
                let Uncertainty { samples: [sample_x, sample_y], x, mean, std } = &all[at[0]];
                let side =
                    |sign: f64| mean.iter().zip(std).map(|(m, s)| m + sign * 2.0 * s).collect::<Vec<f64>>();
                let figure = Figure::new("What the passes say")
                    .x_label("x")
                    .y_label("y")
                    .y_range(-3.5, 3.5)
                    .scatter("samples", sample_x, sample_y)
                    .band("", x, &side(-1.0), &side(1.0))
                    .line("mean ± two deviations", x, mean);
                let at = |place: f64| x.iter().position(|x| (x - place).abs() < 1e-6).unwrap_or(0);
                let reading = vec![("deviation at x = 0", std[at(0.0)]), ("deviation at x = −2", std[at(-2.0)])];
                Ok(Frame { figure, reading })
            },
            &format!(
                "The same network trained with nine probabilities, each with {n_passes} stochastic passes. Without \
                 dropout all passes are equal and the band has no width."
            ),
        )
    }

    fn table(&self) -> Table {
        let header = ["".to_owned()].into_iter().chain(ACTIVATIONS.map(|x| format!("x = {x}")));
        let mut table = Table::new(header).decimals(3);
        let p = self.p;
        let rows = [
            (format!("one draw, p = {p}"), self.pass(0, p, true)),
            (format!("another draw, p = {p}"), self.pass(1, p, true)),
            (format!("mean of {} draws", count(self.draws)), self.mean()),
            ("evaluation".to_owned(), self.pass(0, p, false)),
            ("training, p = 0".to_owned(), self.pass(0, 0.0, true)),
            ("training, p = 1".to_owned(), self.pass(0, 1.0, true)),
        ];
        for (name, values) in rows {
            table.push([Cell::from(name)].into_iter().chain(values.into_iter().map(Cell::from)));
        }
        table
    }
}

const INTRODUCTION: &str = "\
Dropout sets each activation to zero with probability $p$ and divides the others by $1 - p$, so that the sum in the next \
layer keeps its expectation:

$$y_i = \\frac{m_i}{1-p}\\,x_i,$$

$$\\operatorname{P}[m_i = 0] = p, \\quad \\operatorname{P}[m_i = 1] = 1 - p.$$

Each step trains a random part of the network, and no unit can rely on any other being present. In evaluation, dropout \
does nothing.";
