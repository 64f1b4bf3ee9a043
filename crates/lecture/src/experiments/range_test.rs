//! The learning-rate range test on the lecture's network.

use anyhow::{Context, Result, ensure};
use autograd::{Mode, Tape};
use clap::Args;
use classifier::ranges::{any_seed, positive, within};
use data::{Batch, Loader, Part, shapes};
use nn::{Layer, models};
use optim::{Adam, AnyRule, LrRangeTest, Optimizer, RangeTest as Course, Sgd};
use rayon::prelude::*;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::SMITH;
use crate::page::{Cell, Section, Table};

/// The course of the test.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct RangeTest {
    /// Learning rate of the first step
    #[arg(long, value_name = "X", default_value_t = 1e-5, value_parser = positive)]
    pub from: f64,

    /// Learning rate of the last step
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub to: f64,

    /// Steps, one batch each
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = within::<2, 100_000>)]
    pub steps: usize,

    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = within::<1, 1000>)]
    pub batch_size: usize,

    /// Seed of weights and order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

impl RangeTest {
    /// Runs the test with each rule.
    ///
    /// # Errors
    /// When the last rate is not above the first.
    pub fn tests(&self) -> Result<Vec<(&'static str, LrRangeTest)>> {
        let (from, to) = (self.from, self.to);
        ensure!(from < to, "--to {to}: expected a learning rate above that of --from, {from}");
        let images = shapes::generate(Part::Train, 0);
        let test = |name: &'static str| {
            let rule: AnyRule<f32> = match name {
                "SGD" => Sgd { momentum: 0.9, ..Sgd::default() }.into(),
                _ => Adam::default().into(),
            };
            Ok((name, self.test(rule, &images)?))
        };
        ["SGD", "Adam"].into_par_iter().map(test).collect()
    }

    fn test(&self, rule: AnyRule<f32>, images: &data::Cifar) -> Result<LrRangeTest> {
        let (net, mut params) = nn::build(models::lecture_cnn(0.0), self.seed);
        let mut optimizer = Optimizer::new(rule, &params)?;
        let course =
            Course { start_lr: self.from, end_lr: self.to, n_steps: self.steps, ..Course::default() };
        let mut test = LrRangeTest::new(course)?;
        let (mut loader, mut batch) = (Loader::new(images, self.batch_size).shuffle(self.seed), Batch::new());
        let mut tape = Tape::new();
        while let Some(lr) = test.next_lr() {
            if !loader.next_into(&mut batch)? {
                loader.next_into(&mut batch)?;
            }
            let mode = Mode::train(self.seed, optimizer.n_steps());
            let loss = tape.step(&mut params, mode, |g| {
                let logits = net.forward(g, g.images(&batch));
                g.cross_entropy(logits, g.labels(&batch))
            });
            optimizer.set_lr(lr);
            optimizer.step(&mut params);
            test.observe(loss.into());
        }
        Ok(test)
    }
}

impl Experiment for RangeTest {
    const TITLE: &'static str = "Which learning rate, then?";

    fn run(&self, section: &mut Section) -> Result<()> {
        let tests = self.tests()?;
        section.text(
            "Let the network decide. A *range test* trains for a few hundred steps while the learning rate grows by a \
             constant factor from step to step, and records the loss: it falls, until the \
             steps become too long and it explodes. A good rate is well below the explosion; a tenth of the one with the lowest loss is a cautious \
             choice. Here the lecture's convolutional network is tested on the library's built-in set of drawn shapes.",
        );
        let mut figure = Figure::new("Loss while the learning rate grows")
            .x_label("learning rate")
            .y_label("smoothed loss")
            .x_log();
        let mut table = Table::new(["", "lowest loss", "reached at", "a tenth of that", "test ended at"]);
        let mut best_rates = Vec::new();
        for (name, test) in &tests {
            let (rates, losses): (Vec<f64>, Vec<f64>) = test.history().iter().copied().unzip();
            let lowest =
                (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).context("no step")?;
            best_rates.push(rates[lowest]);
            let line = if *name == "SGD" { "SGD with momentum" } else { name };
            figure = figure.line(line, &rates, &losses);
            let numbers = [losses[lowest], rates[lowest], rates[lowest] / 10.0, rates[rates.len() - 1]];
            table.push([(*name).into()].into_iter().chain(numbers.map(Cell::Digits)));
            let columns =
                [("learning_rate".to_owned(), rates.as_slice()), ("loss".to_owned(), losses.as_slice())];
            section.data(&name.to_lowercase(), &Table::of_columns(columns));
        }
        section.figure(
            "losses",
            figure.y_range(1.5, 3.5),
            &section.told(
                "Both rules start from the same weights and use the same batches.",
                &format!(
                    "First both losses fall to about ln 10 ≈ 2.30, the loss of a network that gives all ten classes the \
                     same probability: the untrained network prefers some of them at random, and small steps are enough \
                     to undo that. Then they fall as the network learns, until the steps become too long and they shoot \
                     up. Adam's lowest loss is at a rate {:.0} times smaller than that of SGD with momentum, because \
                     Adam divides the gradient by its size.",
                    best_rates[0] / best_rates[1]
                ),
            ),
        )?;
        section.table(
            "rates",
            "The results. The loss is smoothed, so its minimum is at a slightly higher rate than the true one.",
            table,
        );
        section.exercises(&[
            (
                "Does the answer depend on the initial weights? Try three different seeds.",
                "descent lecture range-test --seed 2",
            ),
            (
                "Larger batches have less noise. Does the lowest loss move to a higher rate?",
                "descent lecture range-test --batch-size 128",
            ),
        ]);
        section.readings(&[SMITH]);
        section.source("crates/optim/src/range_test.rs", include_str!("../../../optim/src/range_test.rs"));
        Ok(())
    }
}
