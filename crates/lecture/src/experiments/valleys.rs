//! Gradient descent on a function with many valleys.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{not_negative, place, within};
use optim::Sgd;

use super::Experiment;
use crate::page::bibliography::{D2L_GRADIENT_DESCENT, ROBBINS_MONRO};
use crate::page::{Frame, Knob, Section, Table};
use crate::subjects::curve::{NamedPath, WAVE, path_table};

/// Two starts, each with its steps and learning rates.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Valleys {
    /// Where the first descents start
    #[arg(long, value_name = "X", default_value_t = 10.0, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Their steps
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<1, 1000>)]
    pub steps: usize,

    /// Their learning rates, one panel each
    #[arg(long = "lr", value_name = "X,…", value_delimiter = ',', default_values_t = [0.3, 1.3, 2.0],
          value_parser = not_negative)]
    pub learning_rates: Vec<f64>,

    /// Where the second descents start
    #[arg(long, value_name = "X", default_value_t = -7.0, allow_negative_numbers = true, value_parser = place)]
    pub start2: f64,

    /// Their steps
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<1, 1000>)]
    pub steps2: usize,

    /// Their learning rates
    #[arg(long = "lr2", value_name = "X,…", value_delimiter = ',', default_values_t = [0.5, 2.7, 3.5],
          value_parser = not_negative)]
    pub learning_rates2: Vec<f64>,
}

impl Valleys {
    /// The paths of both starts, the starts included.
    ///
    /// # Errors
    /// When a rate is outside its range.
    pub fn paths(&self) -> Result<[Vec<NamedPath>; 2]> {
        let paths = |start: f64, n_steps: usize, rates: &[f64]| {
            let path = |&lr: &f64| {
                let sgd = Sgd { lr, ..Sgd::default() };
                Ok((format!("from {start}, lr {lr}").replace('-', "−"), WAVE.descend(&sgd, start, n_steps)?))
            };
            rates.iter().map(path).collect::<Result<Vec<_>>>()
        };
        Ok([
            paths(self.start, self.steps, &self.learning_rates)?,
            paths(self.start2, self.steps2, &self.learning_rates2)?,
        ])
    }
}

/// The sliders' rates and starts.
const RATES: [f64; 16] = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 2.0, 2.3, 2.7, 3.0, 3.5, 4.0];
const STARTS: [f64; 11] = [-12.0, -10.0, -7.0, -5.0, -3.0, 0.0, 3.0, 5.0, 7.0, 10.0, 12.0];

impl Valleys {
    /// Adds the path with sliders for start and learning rate.
    fn knob(&self, section: &mut Section) -> Result<()> {
        section.knobs(
            "turn-lr",
            &[Knob::new("start", &STARTS, 10.0), Knob::new("η", &RATES, 1.3)],
            4,
            |at| {
                let sgd = Sgd { lr: RATES[at[1]], ..Sgd::default() };
                let path = WAVE.descend(&sgd, STARTS[at[0]], self.steps)?;
                let end = path[self.steps];
                let reading = vec![("x after the last step", end), ("f(x) there", (WAVE.f)(end))];
                Ok(Frame { figure: WAVE.window("Gradient descent among valleys", &path), reading })
            },
            "Parts outside the window are cut off; the numbers show where the path ends.",
        )
    }
}

impl Experiment for Valleys {
    const TITLE: &'static str = "Many valleys";

    fn run(&self, section: &mut Section) -> Result<()> {
        let [first, second] = self.paths()?;
        section.text(
            "A loss surface has more than one valley. On\n\n\
             $$f(x) = x\\cos(0.15\\pi x)$$\n\n\
             the four nearest to 0 are at −1.8, 7.3, −13.7 and 20.2, each deeper than the one before, and so on without \
             end. Gradient descent knows only the slope at its current position, so the start and the learning rate \
             decide which valley it ends in. In training, the noise of small batches does what large steps do here: \
             **stochastic** gradient descent estimates the slope from a few samples, and the error of that estimate can \
             shake a network out of a shallow valley.",
        );
        let panel = |(name, path): &NamedPath| WAVE.figure(name.clone(), (-13.0, 13.0), path);
        section.panels(
            "from-10",
            "Close to a good minimum",
            3,
            first.iter().map(panel).collect(),
            &section.told(
                &format!("{} steps from {}.", self.steps, self.start).replace('-', "−"),
                "A small rate leads into the deep valley at 7.27. A larger one jumps from side to side in it; a still \
                 larger one throws the path over the hill into the shallow valley at −1.83, where the slopes are gentle \
                 enough for it to settle.",
            ),
        )?;
        section.panels(
            "from-minus-7",
            "On top of a hill",
            3,
            second.iter().map(panel).collect(),
            &section.told(
                &format!("{} steps from {}.", self.steps2, self.start2).replace('-', "−"),
                "The start is just beside the hilltop at −7.27, towards 0. Here the largest rate is the one that reaches \
                 the deep valley at 7.27: no learning rate is good or bad in itself.",
            ),
        )?;
        let mut ends = Table::new(["descent", "steps", "ends at x", "f(x)"]).decimals(6);
        for (name, path) in first.iter().chain(&second) {
            let end = path[path.len() - 1];
            ends.push([name.clone().into(), (path.len() - 1).into(), end.into(), (WAVE.f)(end).into()]);
        }
        section.table("ends", "Where the paths end.", ends);
        self.knob(section)?;
        section.exercises(&[
            (
                "From 10, between which two rates does the path start to leave the valley at 7.27?",
                "descent lecture valleys --lr 1.3,1.4,1.6,1.8",
            ),
            (
                "Start on the hilltop itself, at −7.269388. How many steps does descent need to leave it?",
                "descent lecture valleys --start2 -7.269388 --steps2 40",
            ),
        ]);
        section.readings(&[ROBBINS_MONRO, D2L_GRADIENT_DESCENT]);
        section.data("steps-from-10", &path_table(&first));
        section.data("steps-from-minus-7", &path_table(&second));
        section.source("crates/optim/src/rules/sgd.rs", include_str!("../../../optim/src/rules/sgd.rs"));
        Ok(())
    }
}
