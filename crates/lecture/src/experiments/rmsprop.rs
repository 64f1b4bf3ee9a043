//! RMSProp.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{below_one, not_negative, place, within};
use optim::RmsProp;

use super::Experiment;
use crate::page::{Section, Table};
use crate::subjects::curve::{NamedPath, WAVE, path_table};

/// Where descent starts, how far it goes, and how long it remembers.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Rmsprop {
    /// Where the descents start
    #[arg(long, value_name = "X", default_value_t = 12.0, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Steps of each descent
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<1, 1000>)]
    pub steps: usize,

    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = not_negative)]
    pub lr: f64,

    /// Decay rates γ of the mean square, one panel each
    #[arg(long = "gamma", value_name = "X,…", value_delimiter = ',', default_values_t = [0.0, 0.7, 0.9],
          value_parser = below_one)]
    pub gammas: Vec<f64>,
}

impl Rmsprop {
    /// The path of each decay rate, the start included.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range.
    pub fn paths(&self) -> Result<Vec<NamedPath>> {
        let path = |&alpha: &f64| {
            let rule = RmsProp { lr: self.lr, alpha, ..RmsProp::default() };
            Ok((format!("γ = {alpha}"), WAVE.descend(&rule, self.start, self.steps)?))
        };
        self.gammas.iter().map(path).collect()
    }
}

impl Experiment for Rmsprop {
    const TITLE: &'static str = "RMSProp";

    fn run(&self, section: &mut Section) -> Result<()> {
        let paths = self.paths()?;
        section.text(
            "One learning rate for all parameters is too much for some and too little for others. RMSProp divides each \
             parameter's gradient by the root of a running mean of its own squares:\n\n\
             $$s_t = \\gamma s_{t-1} + (1-\\gamma)\\,g_t^2,$$\n\n\
             $$\\theta_{t+1} = \\theta_t - \\frac{\\eta}{\\sqrt{s_t} + \\epsilon}\\,g_t.$$\n\n\
             What is left of the gradient is roughly its sign: where the slope is steep the step is no longer than where it \
             is flat. With $\\gamma = 0$ it is the sign exactly, and every step has length $\\eta$.",
        );
        let panel = |(name, path): &NamedPath| WAVE.figure(name.clone(), (-13.0, 13.0), path);
        section.panels(
            "paths",
            "RMSProp on x·cos(0.15πx)",
            3,
            paths.iter().map(panel).collect(),
            "Without memory, ten steps of exactly ½. With memory the first steps are long, for the mean starts at zero and \
             is still too small, and the last ones are short.",
        )?;
        let mut ends = Table::new(["γ", "first step", "last step", "x after the last step"]).decimals(6);
        for (gamma, (_, path)) in self.gammas.iter().zip(&paths) {
            let step = |t: usize| path[t] - path[t - 1];
            let n = self.steps;
            ends.push([format!("{gamma}").into(), step(1).into(), step(n).into(), path[n].into()]);
        }
        section.table("ends", "Steps and ends.", ends);
        section.data("steps", &path_table(&paths));
        section
            .source("crates/optim/src/rules/rmsprop.rs", include_str!("../../../optim/src/rules/rmsprop.rs"));
        Ok(())
    }
}
