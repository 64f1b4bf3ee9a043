//! Gradient descent on x² with small, good and large learning rates.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{not_negative, place, within};
use optim::Sgd;

use super::Experiment;
use crate::page::bibliography::D2L_GRADIENT_DESCENT;
use crate::page::{Frame, Knob, Section, Table};
use crate::subjects::curve::{NamedPath, PARABOLA, path_table};

/// Where descent starts, how far it goes, and at which rates.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct LearningRate {
    /// Where the descents start
    #[arg(long, value_name = "X", default_value_t = 1.5, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Steps of each descent
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<1, 1000>)]
    pub steps: usize,

    /// Learning rates, one panel each
    #[arg(long = "lr", value_name = "X,…", value_delimiter = ',', default_values_t = [0.1, 0.3, 0.9, 1.0],
          value_parser = not_negative)]
    pub learning_rates: Vec<f64>,
}

impl LearningRate {
    /// The path of each learning rate, the start included.
    ///
    /// # Errors
    /// When a rate is outside its range.
    pub fn paths(&self) -> Result<Vec<NamedPath>> {
        let path = |&lr: &f64| {
            let sgd = Sgd { lr, ..Sgd::default() };
            Ok((format!("lr {lr}"), PARABOLA.descend(&sgd, self.start, self.steps)?))
        };
        self.learning_rates.iter().map(path).collect()
    }
}

/// The slider's rates.
const RATES: [f64; 21] = [
    0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 1.0,
];

impl LearningRate {
    /// Adds the path with a slider for the learning rate.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let width = self.start.abs().max(1e-3) * 1.2;
        section.knobs(
            "turn-lr",
            &[Knob::new("η", &RATES, 0.3)],
            6,
            |at| {
                let path =
                    PARABOLA.descend(&Sgd { lr: RATES[at[0]], ..Sgd::default() }, self.start, self.steps)?;
                let figure = PARABOLA
                    .figure("Gradient descent on x²".to_owned(), (-width, width), &path)
                    .x_range(-width, width)
                    .y_range(-0.1 * width * width, width * width);
                let reading = vec![
                    ("x after the last step", path[self.steps]),
                    ("factor of a step", 1.0 - 2.0 * RATES[at[0]]),
                ];
                Ok(Frame { figure, reading })
            },
            "The same start and number of steps at other rates.",
        )
    }
}

impl Experiment for LearningRate {
    const TITLE: &'static str = "The learning rate";

    fn run(&self, section: &mut Section) -> Result<()> {
        let paths = self.paths()?;
        section.text(
            "Gradient descent takes a step against the slope. The learning rate $\\eta$ sets its length:\n\n\
             $$\\theta_{t+1} = \\theta_t - \\eta\\,\\nabla L(\\theta_t).$$\n\n\
             On $f(x) = x^2$ the slope is $2x$, so every step multiplies $x$ by $1 - 2\\eta$ and the whole path \
             is known in advance: $x_t = x_0\\,(1 - 2\\eta)^t$. It shrinks as long as $0 < \\eta < 1$.",
        );
        let panels = paths.iter().map(|(name, path)| PARABOLA.figure(name.clone(), (-2.0, 2.0), path));
        section.panels(
            "paths",
            "Gradient descent on x²",
            2,
            panels.collect(),
            &section.told(
                &format!("{} steps from {}; a ring marks the start, a large dot the end.", self.steps, self.start)
                    .replace('-', "−"),
                "At 0.1 the path is slow, at 0.3 it arrives in a few steps. At 0.9 each step lands on the other side, \
                 but a little lower; at 1.0 it jumps between the same two points forever.",
            ),
        )?;
        let mut ends = Table::new(["learning rate", "x after the last step", "factor of a step"]).decimals(6);
        for (&lr, (_, path)) in self.learning_rates.iter().zip(&paths) {
            ends.push([format!("{lr}").into(), path[self.steps].into(), (1.0 - 2.0 * lr).into()]);
        }
        section.table("ends", "Where the paths end.", ends);
        self.knob(section)?;
        section.exercises(&[
            (
                "Which rate reaches the minimum in a single step, and why?",
                "descent lecture learning-rate --lr 0.5",
            ),
            (
                "From which rate on does the path diverge? Work it out from the formula, then look.",
                "descent lecture learning-rate --lr 0.99,1.0,1.01 --steps 40",
            ),
        ]);
        section.readings(&[D2L_GRADIENT_DESCENT]);
        section.data("steps", &path_table(&paths));
        section.source("crates/optim/src/rules/sgd.rs", include_str!("../../../optim/src/rules/sgd.rs"));
        Ok(())
    }
}
