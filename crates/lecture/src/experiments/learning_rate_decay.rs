//! Step decay of the learning rate.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{not_negative, place, within};
use optim::schedule::{Schedule, StepLr};
use optim::{Elementwise, Rule, Sgd};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::D2L_SCHEDULES;
use crate::page::{Section, Table};
use crate::subjects::curve::{WAVE, path_table};

/// The schedule, and the descent it is applied to.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct LearningRateDecay {
    /// Learning rate of the first steps
    #[arg(long, value_name = "X", default_value_t = 1.3, value_parser = not_negative)]
    pub lr: f64,

    /// Factor of each decay
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = not_negative)]
    pub gamma: f64,

    /// Steps between two decays
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = within::<1, 1000>)]
    pub every: usize,

    /// Where the descents start
    #[arg(long, value_name = "X", default_value_t = 10.0, allow_negative_numbers = true, value_parser = place)]
    pub start: f64,

    /// Steps of each descent
    #[arg(long, value_name = "N", default_value_t = 45, value_parser = within::<1, 1000>)]
    pub steps: usize,
}

impl LearningRateDecay {
    /// The schedule.
    pub fn schedule(&self) -> StepLr {
        StepLr { lr: self.lr, step_size: self.every as u64, gamma: self.gamma }
    }

    /// The learning rate of each step.
    pub fn rates(&self) -> Vec<f64> {
        (0..self.steps as u64).map(|step| self.schedule().lr(step)).collect()
    }

    /// The path with a constant rate, and the one whose rate follows the schedule.
    ///
    /// # Errors
    /// When a number is outside its range.
    pub fn paths(&self) -> Result<[Vec<f64>; 2]> {
        let mut sgd = Sgd { lr: self.lr, ..Sgd::default() };
        let constant = WAVE.descend(&sgd, self.start, self.steps)?;
        self.schedule().check()?;
        sgd.check()?;
        let (mut x, mut decayed) = ([self.start], vec![self.start]);
        let mut state = sgd.state(1)?;
        for lr in self.rates() {
            sgd.lr = lr;
            let gradient = [(WAVE.df)(x[0])];
            sgd.update(&mut x, &gradient, &mut state);
            decayed.push(x[0]);
        }
        Ok([constant, decayed])
    }
}

impl Experiment for LearningRateDecay {
    const TITLE: &'static str = "Learning-rate decay";

    fn run(&self, section: &mut Section) -> Result<()> {
        let [constant, decayed] = self.paths()?;
        section.text(
            "A large rate finds the right valley, a small one finds its bottom. A schedule does both: here the rate is \
             multiplied by a factor $\\gamma$ every $N$ steps,\n\n\
             $$\\eta_t = \\eta_0\\,\\gamma^{\\lfloor t/N \\rfloor}.$$",
        );
        let steps: Vec<f64> = (0..self.steps).map(|step| step as f64).collect();
        let points: Vec<f64> = (0..=self.steps).map(|step| step as f64).collect();
        section.panels(
            "decay",
            "Step decay",
            2,
            vec![
                Figure::new("The learning rate").x_label("step").y_label("η").y_log().scatter("η", &steps, &self.rates()),
                Figure::new("Where the descents are")
                    .x_label("step")
                    .y_label("x")
                    .line("constant rate", &points, &constant)
                    .line("step decay", &points, &decayed),
            ],
            &section.told(
                &format!(
                    "The rate starts at {} and is multiplied by {} every {} steps.",
                    self.lr, self.gamma, self.every
                ),
                "At a constant rate the path jumps from one slope of the valley to the other forever. The first decay ends \
                 that.",
            ),
        )?;
        let slope = |path: &[f64]| (WAVE.df)(path[self.steps]).abs();
        let table = Table::new(["", "x at the end", "|slope| there"])
            .decimals(6)
            .row(["constant rate".into(), constant[self.steps].into(), slope(&constant).into()])
            .row(["step decay".into(), decayed[self.steps].into(), slope(&decayed).into()]);
        section.table("ends", &format!("After {} steps.", self.steps), table);
        section.exercises(&[
            (
                "Decay too early, and the path stops short of the bottom. How early is too early at a rate of 0.02?",
                "descent lecture learning-rate-decay --lr 0.02 --every 5 --steps 400",
            ),
            (
                "A milder factor more often: does ×0.5 every 5 steps end closer to the bottom than ×0.1 every 15?",
                "descent lecture learning-rate-decay --gamma 0.5 --every 5",
            ),
        ]);
        section.readings(&[D2L_SCHEDULES]);
        section.data(
            "steps",
            &path_table(&[("constant".to_owned(), constant), ("decayed".to_owned(), decayed)]),
        );
        section
            .source("crates/optim/src/schedule/step.rs", include_str!("../../../optim/src/schedule/step.rs"));
        Ok(())
    }
}
