//! Adam, raw and corrected.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{below_one, not_negative, place, within};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{D2L_ADAM, KINGMA_BA};
use crate::page::{Frame, Knob, Section, Table};
use crate::subjects::curve::{NamedPath, WAVE, path_table};

/// Where descent starts, how far it goes, and the decay rates.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Adam {
    /// Where the descents start
    #[arg(long, value_name = "X", default_value_t = 15.0, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Steps of each descent
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<1, 1000>)]
    pub steps: usize,

    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.7, value_parser = not_negative)]
    pub lr: f64,

    /// Decay rates β₁ of the mean, one row each
    #[arg(long, value_name = "X,…", value_delimiter = ',', default_values_t = [0.0, 0.6, 0.9],
          value_parser = below_one)]
    pub beta1: Vec<f64>,

    /// Decay rates β₂ of the mean square, one column each
    #[arg(long, value_name = "X,…", value_delimiter = ',', default_values_t = [0.0, 0.6, 0.9],
          value_parser = below_one)]
    pub beta2: Vec<f64>,
}

/// 1/(1 − βᵗ): the factor by which Adam's means are multiplied at step t, counted from 1.
pub fn correction(beta: f64, t: usize) -> f64 {
    1.0 / (1.0 - beta.powf(t as f64))
}

impl Adam {
    /// The path of each pair of rates, row by row, the start included.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range.
    pub fn paths(&self, bias_correction: bool) -> Result<Vec<NamedPath>> {
        let pairs = self.beta1.iter().flat_map(|&b1| self.beta2.iter().map(move |&b2| (b1, b2)));
        let path = |betas: (f64, f64)| {
            let rule = optim::Adam { lr: self.lr, betas, bias_correction, ..optim::Adam::default() };
            Ok((format!("β₁ = {}, β₂ = {}", betas.0, betas.1), WAVE.descend(&rule, self.start, self.steps)?))
        };
        pairs.map(path).collect()
    }
}

/// The sliders' decay rates.
const BETAS: [f64; 7] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.99, 0.999];

impl Adam {
    /// Adds the path with sliders for both decay rates and the correction.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let hats = ["corrected", "raw"];
        section.knobs(
            "turn-betas",
            &[Knob::new("β₁", &BETAS, 0.9), Knob::new("β₂", &BETAS, 0.999), Knob::words("means", hats)],
            4,
            |at| {
                let (betas, bias_correction) = ((BETAS[at[0]], BETAS[at[1]]), at[2] == 0);
                let rule = optim::Adam { lr: self.lr, betas, bias_correction, ..optim::Adam::default() };
                let path = WAVE.descend(&rule, self.start, self.steps)?;
                let end = path[self.steps];
                let reading = vec![
                    ("first step", path[1] - path[0]),
                    ("x after the last step", end),
                    ("f(x) there", (WAVE.f)(end)),
                ];
                Ok(Frame { figure: WAVE.window("Adam among valleys", &path), reading })
            },
            "With raw means and a β near 1, the first step can be many times too long or too short; corrected, it is η.",
        )
    }
}

/// Adds the factor of the correction, as a figure and a table.
fn show_correction(section: &mut Section) -> Result<()> {
    section.text(CORRECTION);
    let steps: Vec<f64> = (1..=1000).map(f64::from).collect();
    let figure = [0.9, 0.99, 0.999].into_iter().fold(
        Figure::new("How much the means are corrected")
            .x_label("step t")
            .y_label("correction factor")
            .x_log()
            .y_log(),
        |figure, beta| {
            let factors: Vec<f64> = (1..=1000).map(|t| correction(beta, t)).collect();
            figure.line(format!("β = {beta}"), &steps, &factors)
        },
    );
    section.figure(
        "correction",
        figure,
        "The factor $1/(1-\\beta^t)$. With β = 0.9 it is below 1.05 from step 29 on; with 0.999 that takes 3,043 steps.",
    )?;
    let mut table = Table::new(["β", "t = 1", "t = 2", "t = 10", "t = 1000"]).decimals(6);
    for beta in [0.9, 0.999] {
        let factors = [1, 2, 10, 1000].map(|t| correction(beta, t).into());
        table.push([format!("{beta}").into()].into_iter().chain(factors));
    }
    section.table("correction", "The factor 1/(1 − βᵗ).", table);
    Ok(())
}

impl Experiment for Adam {
    const TITLE: &'static str = "Adam";

    fn run(&self, section: &mut Section) -> Result<()> {
        let (raw, corrected) = (self.paths(false)?, self.paths(true)?);
        section.text(INTRODUCTION);
        let panel = |(name, path): &NamedPath| WAVE.figure(name.clone(), (5.0, 25.0), path);
        let n_columns = self.beta2.len().clamp(1, 3);
        section.panels(
            "raw",
            "Adam without bias correction",
            n_columns,
            raw.iter().map(panel).collect(),
            &section.told(
                &format!(
                    "**Raw.** {} steps from {} with η = {}; the titles give the decay rates β₁ and β₂.",
                    self.steps, self.start, self.lr
                )
                .replace('-', "−"),
                "The larger β₁, the longer the memory of the mean and the slower the start; the larger β₂, the longer \
                 the memory of the mean square and the longer the first steps.",
            ),
        )?;
        section.panels(
            "corrected",
            "Adam with bias correction",
            n_columns,
            corrected.iter().map(panel).collect(),
            &format!(
                "**Corrected.** Every first step now has length η = {}, whatever β₁ and β₂, and a large β₁ no longer \
                 causes a slow start.",
                self.lr
            ),
        )?;
        let half = (self.steps / 2).max(1);
        let mut table = Table::new([
            "decay rates".to_owned(),
            "raw, t = 1".to_owned(),
            format!("raw, t = {half}"),
            format!("raw, t = {}", self.steps),
            format!("corrected, t = {half}"),
            format!("corrected, t = {}", self.steps),
        ])
        .decimals(6);
        for ((name, raw), (_, corrected)) in raw.iter().zip(&corrected) {
            let points = [raw[1], raw[half], raw[self.steps], corrected[half], corrected[self.steps]];
            table.push([name.clone().into()].into_iter().chain(points.map(Into::into)));
        }
        section.table("points", "The same paths in numbers: x after step t.", table);
        show_correction(section)?;
        self.knob(section)?;
        section.exercises(&[
            (
                "With the usual β₁ = 0.9 and β₂ = 0.999, what does the missing correction do to the first step? Work out \
                 the factor first.",
                "descent lecture adam --beta1 0.9 --beta2 0.999",
            ),
            (
                "With β₁ = β₂ = 0, neither mean has a memory and Adam's step is the sign of the gradient. Where is the loop it ends in?",
                "descent lecture adam --beta1 0 --beta2 0 --steps 60",
            ),
        ]);
        section.readings(&[KINGMA_BA, D2L_ADAM]);
        section.data("raw", &path_table(&raw));
        section.data("corrected", &path_table(&corrected));
        section.source("crates/optim/src/rules/adam.rs", include_str!("../../../optim/src/rules/adam.rs"));
        Ok(())
    }
}

const INTRODUCTION: &str = "\
Adam combines the two: momentum's mean of the gradient, divided by RMSProp's root mean square.

$$v_t = \\beta_1 v_{t-1} + (1-\\beta_1)\\,g_t$$

$$s_t = \\beta_2 s_{t-1} + (1-\\beta_2)\\,g_t^2$$

$$\\hat v_t = \\frac{v_t}{1-\\beta_1^t}, \\qquad \\hat s_t = \\frac{s_t}{1-\\beta_2^t}$$

$$\\theta_{t+1} = \\theta_t - \\frac{\\eta}{\\sqrt{\\hat s_t} + \\epsilon}\\,\\hat v_t.$$

These are the lecture's letters; the paper and PyTorch call the means $m$ and $v$. Both start at zero and are \
therefore too small at first; the hats correct that. Here are the steps on $x\\cos(0.15\\pi x)$ without and with the \
hats.

> **Which one is Adam?** The corrected one: it is the default in the paper, in PyTorch and in this library. Without \
correction it is a different algorithm, which figures sometimes show instead; here that is an option, \
`bias_correction: false`.";

const CORRECTION: &str = "\
Why exactly $1 - \\beta^t$? If the gradient were a constant $g$, then $v_t = (1-\\beta^t)\\,g$: dividing recovers $g$.";
