//! RMSProp.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{below_one, not_negative, place, within};
use optim::RmsProp;

use super::Experiment;
use crate::page::bibliography::{D2L_RMSPROP, TIELEMAN_HINTON};
use crate::page::{Frame, Knob, Section, Table};
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

/// The sliders' decay rates and learning rates.
const GAMMAS: [f64; 11] = [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999];
const RATES: [f64; 8] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5];

impl Rmsprop {
    /// Adds the path with sliders for decay and learning rate.
    fn knob(&self, section: &mut Section) -> Result<()> {
        section.knobs(
            "turn-gamma",
            &[Knob::new("γ", &GAMMAS, 0.9), Knob::new("η", &RATES, self.lr)],
            4,
            |at| {
                let rule = RmsProp { lr: RATES[at[1]], alpha: GAMMAS[at[0]], ..RmsProp::default() };
                let path = WAVE.descend(&rule, self.start, self.steps)?;
                let reading = vec![
                    ("first step", path[1] - path[0]),
                    ("last step", path[self.steps] - path[self.steps - 1]),
                    ("x after the last step", path[self.steps]),
                ];
                Ok(Frame { figure: WAVE.window("RMSProp among valleys", &path), reading })
            },
            "The longer the memory, the longer the first step: the mean of squares starts at zero and fills slowly.",
        )
    }
}

impl Experiment for Rmsprop {
    const TITLE: &'static str = "RMSProp";

    fn run(&self, section: &mut Section) -> Result<()> {
        let paths = self.paths()?;
        section.text(
            "One learning rate for all parameters is too large for some and too small for others. RMSProp divides each \
             parameter's gradient by the root of a running mean of its square:\n\n\
             $$s_t = \\gamma s_{t-1} + (1-\\gamma)\\,g_t^2,$$\n\n\
             $$\\theta_{t+1} = \\theta_t - \\frac{\\eta}{\\sqrt{s_t} + \\epsilon}\\,g_t.$$\n\n\
             What is left of the gradient is roughly its sign: a step on a steep slope is no longer than one on a flat \
             slope. With $\\gamma = 0$ it is exactly the sign, apart from the tiny $\\epsilon$, and every step has \
             length $\\eta$.",
        );
        let panel = |(name, path): &NamedPath| WAVE.figure(name.clone(), (-13.0, 13.0), path);
        section.panels(
            "paths",
            "RMSProp on x·cos(0.15πx)",
            3,
            paths.iter().map(panel).collect(),
            &section.told(
                &format!("{} steps from {} with η = {}.", self.steps, self.start, self.lr).replace('-', "−"),
                "Without memory, ten steps of ½ each. With memory, the first steps are long, because the mean starts at \
                 zero and is still too small, and the last ones are short.",
            ),
        )?;
        let mut ends = Table::new(["γ", "first step", "last step", "x after the last step"]).decimals(6);
        for (gamma, (_, path)) in self.gammas.iter().zip(&paths) {
            let step = |t: usize| path[t] - path[t - 1];
            let n = self.steps;
            ends.push([format!("{gamma}").into(), step(1).into(), step(n).into(), path[n].into()]);
        }
        section.table("ends", "The first and last steps, and the ends.", ends);
        self.knob(section)?;
        section.exercises(&[
            (
                "The first step has length η/√(1 − γ). Does that hold for γ = 0.99?",
                "descent lecture rmsprop --gamma 0.9,0.99 --steps 20",
            ),
            (
                "Without memory, every step has the same length, so the path cannot settle in the minimum. What does it do instead?",
                "descent lecture rmsprop --gamma 0 --steps 30",
            ),
        ]);
        section.readings(&[TIELEMAN_HINTON, D2L_RMSPROP]);
        section.data("steps", &path_table(&paths));
        section
            .source("crates/optim/src/rules/rmsprop.rs", include_str!("../../../optim/src/rules/rmsprop.rs"));
        Ok(())
    }
}
