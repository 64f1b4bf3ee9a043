//! Momentum in its two forms.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{below_one, not_negative, place, within};
use optim::Sgd;

use super::Experiment;
use crate::page::bibliography::{D2L_MOMENTUM, POLYAK, SUTSKEVER};
use crate::page::{Frame, Knob, Section, Table};
use crate::subjects::curve::{NamedPath, WAVE, path_table};

/// Where descent starts, how far it goes, and with which momenta.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Momentum {
    /// Where the descents start
    #[arg(long, value_name = "X", default_value_t = -7.0, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Steps of each descent
    #[arg(long, value_name = "N", default_value_t = 35, value_parser = within::<1, 1000>)]
    pub steps: usize,

    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 1.1, value_parser = not_negative)]
    pub lr: f64,

    /// Momenta β, one panel each
    #[arg(long, value_name = "X,…", value_delimiter = ',', default_values_t = [0.0, 0.6, 0.9],
          value_parser = below_one)]
    pub momenta: Vec<f64>,
}

impl Momentum {
    /// The path of each momentum, the start included; averaged or in the classical form.
    ///
    /// # Errors
    /// When a hyperparameter is outside its range.
    pub fn paths(&self, averaged: bool) -> Result<Vec<NamedPath>> {
        let path = |&momentum: &f64| {
            let sgd = Sgd { lr: self.lr, momentum, averaged, ..Sgd::default() };
            let form = if averaged { "averaged" } else { "classical" };
            Ok((format!("{form}, β = {momentum}"), WAVE.descend(&sgd, self.start, self.steps)?))
        };
        self.momenta.iter().map(path).collect()
    }
}

/// The sliders' momenta and rates.
const MOMENTA: [f64; 12] = [0.0, 0.2, 0.4, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.98];
const RATES: [f64; 5] = [0.1, 0.3, 0.6, 1.1, 2.0];

impl Momentum {
    /// Adds the path with sliders for momentum, learning rate and form.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let forms = ["averaged", "classical"];
        section.knobs(
            "turn-beta",
            &[Knob::new("β", &MOMENTA, 0.9), Knob::new("η", &RATES, self.lr), Knob::words("form", forms)],
            4,
            |at| {
                let (momentum, lr, averaged) = (MOMENTA[at[0]], RATES[at[1]], at[2] == 0);
                let sgd = Sgd { lr, momentum, averaged, ..Sgd::default() };
                let path = WAVE.descend(&sgd, self.start, self.steps)?;
                let end = path[self.steps];
                let reading = vec![("x after the last step", end), ("f(x) there", (WAVE.f)(end))];
                Ok(Frame { figure: WAVE.window("Momentum among valleys", &path), reading })
            },
            "Every position has its own path; parts outside the window are cut off.",
        )
    }
}

impl Experiment for Momentum {
    const TITLE: &'static str = "Momentum";

    fn run(&self, section: &mut Section) -> Result<()> {
        let (averaged, classical) = (self.paths(true)?, self.paths(false)?);
        section.text(
            "A ball that rolls downhill keeps its direction. In the same way, momentum keeps a velocity $v$ from step to \
             step. Two forms of it are in use:\n\n\
             $$\\text{classical:}\\quad v_t = \\beta v_{t-1} + \\nabla L(\\theta_t)$$\n\n\
             $$\\text{averaged:}\\quad v_t = \\beta v_{t-1} + (1-\\beta)\\,\\nabla L(\\theta_t)$$\n\n\
             and then $\\theta_{t+1} = \\theta_t - \\eta\\,v_t$. The second is a running mean of the gradients: its \
             steps are $1 - \\beta$ times as long. The two are not interchangeable, as the panels show. This library's \
             default is the classical one, like PyTorch's; the averaged one is an option.\n\n\
             $\\beta$ must be in $[0, 1)$. At $\\beta = 1$ the averaged velocity would ignore every gradient and the \
             classical one would never forget any; both are refused with an error.",
        );
        let panel = |(name, path): &NamedPath| WAVE.figure(name.clone(), (-13.0, 13.0), path);
        section.panels(
            "paths",
            "Momentum on x·cos(0.15πx)",
            3,
            averaged.iter().chain(&classical).map(panel).collect(),
            &section.told(
                &format!(
                    "First the averaged form, then the classical one, as each panel's title says: {} steps from {}.",
                    self.steps, self.start
                )
                .replace('-', "−"),
                "Averaged, β = 0.9 has gathered enough speed to roll over the hill at 1.83 into the deeper valley at 7.27.",
            ),
        )?;
        let mut ends = Table::new(["β", "averaged form ends at", "classical form ends at"]).decimals(6);
        for ((beta, a), c) in self.momenta.iter().zip(&averaged).zip(&classical) {
            ends.push([format!("{beta}").into(), a.1[self.steps].into(), c.1[self.steps].into()]);
        }
        section.table("ends", &format!("x after {} steps.", self.steps), ends);
        self.knob(section)?;
        section.exercises(&[
            (
                "In the averaged form, what is the smallest β that still rolls over the hill?",
                "descent lecture momentum --momenta 0.7,0.8,0.85,0.9",
            ),
            (
                "The classical form takes steps 1/(1 − β) times as long. At which rate does it take the path of the \
                 averaged form with 1.1 and β = 0.9?",
                "descent lecture momentum --momenta 0.9 --lr 0.11",
            ),
        ]);
        section.readings(&[POLYAK, SUTSKEVER, D2L_MOMENTUM]);
        section.data("steps", &path_table(&[averaged, classical].concat()));
        section.source("crates/optim/src/rules/sgd.rs", include_str!("../../../optim/src/rules/sgd.rs"));
        Ok(())
    }
}
