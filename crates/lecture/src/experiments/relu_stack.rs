//! A deep stack of ReLU layers, whose signal stays, fades or grows with the initialisation.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{any_seed, not_negative, within};
use rayon::prelude::*;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::HE;
use crate::page::{Frame, Knob, Section, Table, count};
use crate::subjects::{random, statistics};

/// The stack, and the variances its weights are drawn with.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct ReluStack {
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = within::<1, 1000>)]
    pub depth: usize,

    /// Units per layer
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = within::<1, 4096>)]
    pub width: usize,

    /// Gains c, one line each: the weights have variance c/width
    #[arg(long = "gain", value_name = "X,…", value_delimiter = ',', default_values_t = [1.0, 2.0, 3.0],
          value_parser = not_negative)]
    pub gains: Vec<f64>,

    /// Stacks to average over
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<1, 1000>)]
    pub runs: usize,

    /// Seed of inputs and weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

impl ReluStack {
    /// The mean square of the input, then of each layer's output before its ReLU, averaged over the stacks.
    pub fn second_moments(&self, gain: f64) -> Vec<f64> {
        let runs: Vec<Vec<f64>> = (0..self.runs).into_par_iter().map(|run| self.stack(gain, run)).collect();
        (0..=self.depth)
            .map(|k| statistics::mean(&runs.iter().map(|run| run[k]).collect::<Vec<f64>>()))
            .collect()
    }

    fn stack(&self, gain: f64, run: usize) -> Vec<f64> {
        const N_INPUTS: usize = 16;
        let mut rng = random::generator(self.seed, run);
        let std = (gain / self.width as f64).sqrt();
        let mut x = random::normals([N_INPUTS, self.width], 1.0, &mut rng);
        let mut moments = vec![second_moment(x.as_slice())];
        for _ in 0..self.depth {
            let z = x.matmul(&random::normals([self.width, self.width], std, &mut rng));
            x = z.map(|z| z.max(0.0));
            // The next layer's weights are chosen to keep that of the outputs z before the ReLU.
            moments.push(second_moment(z.as_slice()));
        }
        moments
    }
}

fn second_moment(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / values.len() as f64
}

/// The slider's gains.
const GAINS: [f64; 13] = [0.5, 1.0, 1.4, 1.6, 1.8, 1.9, 2.0, 2.1, 2.2, 2.4, 2.6, 3.0, 4.0];

impl ReluStack {
    /// Adds the variance with a slider for the gain, in a smaller stack.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let small = Self { width: self.width.min(128), runs: self.runs.min(4), ..self.clone() };
        let all: Vec<Vec<f64>> = GAINS.par_iter().map(|&gain| small.second_moments(gain)).collect();
        let layers: Vec<f64> = (0..=self.depth).map(|k| k as f64).collect();
        let moments = all.iter().flatten().filter(|moment| moment.is_finite() && **moment > 0.0);
        let (lo, hi) = moments.fold((f64::INFINITY, 0.0f64), |(lo, hi), &m| (lo.min(m), hi.max(m)));
        section.knobs(
            "turn-gain",
            &[Knob::new("n·σ²", &GAINS, 2.0)],
            3,
            |at| {
                let moments = &all[at[0]];
                let figure = Figure::new(format!("{} layers of {} units", small.depth, small.width))
                    .x_label("layer")
                    .y_label("variance of the output")
                    .y_log()
                    .y_range(lo / 2.0, hi * 2.0)
                    .line("measured", &layers, moments);
                let factor = (moments[self.depth] / moments[1]).powf(1.0 / (self.depth - 1).max(1) as f64);
                let reading = vec![
                    ("a layer multiplies by", factor),
                    ("expected", GAINS[at[0]] / 2.0),
                    ("variance at the last layer", moments[self.depth]),
                ];
                Ok(Frame { figure, reading })
            },
            &format!("The same for stacks of {} units, {} of them for each gain.", small.width, small.runs),
        )
    }
}

impl Experiment for ReluStack {
    const TITLE: &'static str = "A stack of ReLUs holds its level";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(
            "A ReLU keeps the positive half of a symmetric distribution, and with it exactly half of its second \
             moment. In a stack the variance of the layers' outputs therefore obeys\n\n\
             $$\\operatorname{Var}[z_{k+1}] = \\tfrac12\\, n\\,\\sigma^2\\, \\operatorname{Var}[z_k],$$\n\n\
             which stays constant only for $\\sigma^2 = 2/n$. That is the 2 in He's formula.",
        );
        let layers: Vec<f64> = (0..=self.depth).map(|k| k as f64).collect();
        let mut figure =
            Figure::new(format!("{} ReLU layers of {} units", count(self.depth), count(self.width)))
                .x_label("layer")
                .y_label("variance of the layer’s output")
                .y_log();
        let mut table = Table::new(["σ²", "first layer", "last layer", "a layer multiplies by", "expected"]);
        let mut columns = vec![("layer".to_owned(), layers.clone())];
        for &gain in &self.gains {
            let moments = self.second_moments(gain);
            let name = if gain == 2.0 { "σ² = 2/n (He)".to_owned() } else { format!("σ² = {gain}/n") };
            let (first, last) = (moments[1], moments[self.depth]);
            let factor = (last / first).powf(1.0 / (self.depth - 1).max(1) as f64);
            table.push([
                format!("{gain}/n").into(),
                first.into(),
                last.into(),
                factor.into(),
                (gain / 2.0).into(),
            ]);
            figure = figure.line(name, &layers, &moments);
            columns.push((format!("gain {gain}"), moments));
        }
        section.figure(
            "variance",
            figure,
            &section.told(
                "The axis is logarithmic: a straight line means the same factor at each layer.",
                "Only with He's variance is the last layer's output about as large as the first one's. With half of it \
                 the signal is gone after thirty layers; with one and a half times it, the signal has grown more than a \
                 hundred-thousandfold.",
            ),
        )?;
        let caption = match self.runs {
            1 => "A single stack.".to_owned(),
            runs => format!("Means over {} stacks.", count(runs)),
        };
        section.table("variance", &caption, table);
        let columns = columns.iter().map(|(name, values)| (name.clone(), values.as_slice()));
        section.data("layers", &Table::of_columns(columns));
        self.knob(section)?;
        section.exercises(&[
            (
                "With σ² = 2.2/n, how deep can the stack be before the variance has grown a hundredfold? Use the formula \
                 first.",
                "descent lecture relu-stack --gain 2.2 --depth 60",
            ),
            (
                "A narrow stack stays level on average, but not every time. How much do single stacks deviate?",
                "descent lecture relu-stack --gain 2 --width 16 --runs 1 --seed 3",
            ),
        ]);
        section.readings(&[HE]);
        section.source("crates/init/src/kaiming.rs", include_str!("../../../init/src/kaiming.rs"));
        Ok(())
    }
}
