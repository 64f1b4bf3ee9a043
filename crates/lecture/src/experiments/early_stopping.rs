//! Early stopping on a regression that overfits.

use anyhow::{Context, Result};
use clap::Args;
use classifier::ranges::{any_seed, not_negative, within};
use optim::{EarlyStopping as Config, Stopper, Verdict};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::PRECHELT;
use crate::page::{Section, Table, count};
use crate::subjects::regression::{self, Mlp};

/// The samples, the network's training, and when to stop it.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct EarlyStopping {
    /// Samples to train on
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<1, 10_000>)]
    pub samples: usize,

    /// Standard deviation of their noise
    #[arg(long, value_name = "X", default_value_t = 0.3, value_parser = not_negative)]
    pub noise: f64,

    /// Epochs of the run that is not stopped
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = within::<1, 100_000>)]
    pub epochs: usize,

    /// Stop after this many epochs without a better validation loss
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = within::<1, 100_000>)]
    pub patience: usize,

    /// Count only a decrease by more than this as better
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = not_negative)]
    pub min_delta: f64,

    /// Learning rate of Adam
    #[arg(long, value_name = "X", default_value_t = 0.003, value_parser = not_negative)]
    pub lr: f64,

    /// Seed of the samples and of the initial weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// A run to the last epoch, and where early stopping would have ended it.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Training loss of each epoch, before its step.
    pub train: Vec<f64>,
    /// Validation loss of each epoch, after its step.
    pub validation: Vec<f64>,
    /// The epoch of the best validation loss when it stopped.
    pub best: usize,
    /// The epoch at which the patience ran out; `None` when it did not.
    pub stop: Option<usize>,
    /// The x of the two fits, the fit of the restored best weights, and that of the last weights.
    pub fits: [Vec<f64>; 3],
}

impl EarlyStopping {
    /// Trains to the last epoch, and watches where early stopping would have ended.
    ///
    /// # Errors
    /// When the loss is never finite.
    pub fn course(&self) -> Result<Course> {
        let (train, validation) = self.points();
        let mut net = Mlp::new(0.0, self.lr, self.seed)?;
        let config =
            Config { patience: self.patience as u64, min_delta: self.min_delta, ..Config::default() };
        let mut stopper = Stopper::new(config)?;
        let (mut losses, mut stop) = ((Vec::new(), Vec::new()), None);
        for epoch in 0..self.epochs {
            losses.0.push(net.train(&train));
            losses.1.push(net.evaluate(&validation));
            if stop.is_none() && stopper.observe(losses.1[epoch], net.params.values()) == Verdict::Stop {
                stop = Some(epoch);
            }
        }
        let best = stopper.best_epoch().context("the loss is never finite: try a smaller --lr")? as usize;
        let x: Vec<f32> = (0..=200).map(|i| i as f32 / 100.0 - 1.0).collect();
        let last_fit = net.predict(&x, None);
        stopper.restore_best(net.params.values_mut());
        let best_fit = net.predict(&x, None);
        let x = x.into_iter().map(f64::from).collect();
        Ok(Course { train: losses.0, validation: losses.1, best, stop, fits: [x, best_fit, last_fit] })
    }

    /// Samples to train on, and two hundred for validation.
    fn points(&self) -> (regression::Points, regression::Points) {
        (
            regression::sample(self.samples, self.noise, self.seed, 0),
            regression::sample(200, self.noise, self.seed, 1),
        )
    }
}

impl Experiment for EarlyStopping {
    const TITLE: &'static str = "Early stopping";

    fn run(&self, section: &mut Section) -> Result<()> {
        let course = self.course()?;
        section.text(INTRODUCTION);
        let epochs: Vec<f64> = (1..=self.epochs).map(|epoch| epoch as f64).collect();
        let mut figure = Figure::new(format!("{} noisy samples, memorised", count(self.samples)))
            .x_label("epoch")
            .y_label("mean squared error")
            .x_log()
            .y_log()
            .line("training", &epochs, &course.train)
            .line("validation", &epochs, &course.validation)
            .x_rule("best", course.best as f64 + 1.0);
        if let Some(stop) = course.stop {
            figure = figure.x_rule("stop", stop as f64 + 1.0);
        }
        section.figure(
            "losses",
            figure,
            &section.told(
                "Both axes are logarithmic.",
                "The validation loss reaches its minimum early; after that, the training loss keeps falling while the \
                 validation loss rises.",
            ),
        )?;
        let [sample_x, sample_y] = self.points().0.wide();
        let [x, best, last] = &course.fits;
        let truth: Vec<f64> = x.iter().map(|&x| regression::wave(x)).collect();
        section.figure(
            "fits",
            Figure::new("The fit that was kept and the one at the end")
                .x_label("x")
                .y_label("y")
                .line("kept", x, best)
                .line("last epoch", x, last)
                .dashed("the truth", x, &truth)
                .scatter("training samples", &sample_x, &sample_y),
            &section.told(
                "The fit that was kept, the fit of the last epoch, and the function the samples were drawn from.",
                "The best weights follow the wave. The last ones pass through the samples, noise and all.",
            ),
        )?;
        let columns = [("x", x), ("kept", best), ("last epoch", last)];
        section.data("fits", &Table::of_columns(columns.map(|(name, c)| (name.to_owned(), c.as_slice()))));
        let mut table = Table::new(["", "epoch", "training loss", "validation loss"]);
        let ends =
            [("best, kept", Some(course.best)), ("stopped", course.stop), ("end", Some(self.epochs - 1))];
        for (name, epoch) in ends {
            let Some(epoch) = epoch else { continue };
            let (train, validation) = (course.train[epoch], course.validation[epoch]);
            table.push([name.into(), (epoch + 1).into(), train.into(), validation.into()]);
        }
        section.table("epochs", "Moments of the run.", table);
        let columns = [("epoch", &epochs), ("train", &course.train), ("validation", &course.validation)];
        section.data("losses", &Table::of_columns(columns.map(|(name, c)| (name.to_owned(), c.as_slice()))));
        section.exercises(&[
            (
                "With almost no patience, a bump ends training. How much worse are the kept weights?",
                "descent lecture early-stopping --patience 5",
            ),
            (
                "With ten times as many samples there is little to memorise. Does it stop at all?",
                "descent lecture early-stopping --samples 200",
            ),
        ]);
        section.readings(&[PRECHELT]);
        section.source(
            "crates/optim/src/early_stopping.rs",
            include_str!("../../../optim/src/early_stopping.rs"),
        );
        Ok(())
    }
}

const INTRODUCTION: &str = "\
The cheapest regularizer is to stop in time. Three things make it precise: a **patience**, the number of epochs that may \
pass without a better validation loss; a **min_delta**, below which a decrease is not an improvement; and a copy of the \
**best weights**, which is restored at the end, because the network is already worse when the patience runs out.

The loss that is watched must be that of a validation split. Stopping by the test set is fitting to it.";
