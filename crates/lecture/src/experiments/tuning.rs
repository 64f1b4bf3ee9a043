//! A search for hyperparameters that looks at the test set once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use autograd::Tape;
use clap::Args;
use classifier::ranges::{any_seed, within};
use classifier::{Evaluation, Images, Score};
use data::{Dataset, Loader, Subset};
use nn::models;
use optim::Adam;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{BERGSTRA_BENGIO, SNOEK};
use crate::page::{Cell, Section, Table, count};
use crate::subjects::network::Training;
use crate::subjects::statistics::standard_error;

/// The search.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Tuning {
    /// Folder of CIFAR-10 [default: datasets/cifar-10-batches-bin, else the built-in set]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Trials
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = within::<1, 1000>)]
    pub trials: usize,

    /// Epochs per trial
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within::<1, 1000>)]
    pub epochs: usize,

    /// Images to choose from; CIFAR-10 has 50,000
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = within::<1, 50_000>)]
    pub images: usize,

    /// How many of them are held out to score the trials
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<1, 50_000>)]
    pub validation: usize,

    /// Seed of the trials, the split and the training
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// One point of the search and its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Adam's learning rate.
    pub lr: f64,
    /// The probability of dropout.
    pub dropout: f64,
    /// Coupled weight decay.
    pub weight_decay: f64,
    /// Loss and accuracy on the validation split.
    pub validation: Score,
}

/// A finished search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The trials, in the order they were made.
    pub trials: Vec<Trial>,
    /// The trial with the highest validation accuracy; the first in a tie.
    pub best: usize,
    /// The best trial's network on the test set, which no other trial saw.
    pub test: Score,
    /// The numbers of training and validation images.
    pub split: (usize, usize),
}

impl Tuning {
    // ANCHOR: points
    /// The points to try: learning rate and weight decay uniform in their logarithm, dropout uniform.
    pub fn points(&self) -> Vec<[f64; 3]> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut uniform = |lo: f64, hi: f64| lo + (hi - lo) * f64::from(rng.next_u32()) / 2f64.powi(32);
        (0..self.trials)
            .map(|_| {
                let lr = uniform(1e-4f64.ln(), 3e-2f64.ln()).exp();
                let dropout = uniform(0.0, 0.7);
                let weight_decay = uniform(1e-6f64.ln(), 1e-2f64.ln()).exp();
                [lr, dropout, weight_decay]
            })
            .collect()
    }
    // ANCHOR_END: points

    /// Trains every point on the training split, chooses on the validation split, and tests the choice.
    ///
    /// # Errors
    /// When the images cannot be read or too few are left to train on, or the best network outputs NaN.
    pub fn search(&self) -> Result<Search> {
        let images = Images::open(self.data.as_deref())?;
        let all = Subset::first(&images.train, self.images);
        ensure!(
            self.validation < all.len(),
            "--validation {}: expected fewer than the {} images to choose from",
            self.validation,
            all.len()
        );
        let (training, validation) = Subset::split(&all, self.validation, self.seed);
        let n_classes = images.test.class_names().len();
        let mut trials = Vec::new();
        let mut best: Option<(usize, Vec<f32>)> = None;
        for [lr, dropout, weight_decay] in self.points() {
            let (net, mut params) = nn::build(models::lecture_cnn(dropout as f32), self.seed);
            let adam = Adam { lr, weight_decay, ..Adam::default() };
            let mut course = Training::new(&params, adam.into(), self.seed)?;
            let mut loader = Loader::new(&training, 64).shuffle(self.seed);
            for _ in 0..self.epochs {
                course.epoch(&net, &mut params, &mut loader)?;
            }
            let mut loader = Loader::new(&validation, 64);
            let score = Evaluation::run(&net, &mut params, &mut Tape::new(), &mut loader, n_classes)?.score();
            let is_best = best.as_ref().is_none_or(|(i, _)| {
                let best: &Trial = &trials[*i];
                score.accuracy > best.validation.accuracy
            });
            if is_best {
                best = Some((trials.len(), params.values().to_vec()));
            }
            trials.push(Trial { lr, dropout, weight_decay, validation: score });
        }
        let (best, values) = best.context("no trial")?;
        let (net, mut params) = nn::build(models::lecture_cnn(0.0), 0);
        params.values_mut().copy_from_slice(&values);
        let mut loader = Loader::new(&images.test, 64);
        let test = Evaluation::run(&net, &mut params, &mut Tape::new(), &mut loader, n_classes)?;
        test.check_finite()?;
        Ok(Search { trials, best, test: test.score(), split: (training.len(), validation.len()) })
    }
}

impl Experiment for Tuning {
    const TITLE: &'static str = "Hyperparameter tuning";

    fn on(self, data: Option<&Path>, _: Option<&Path>) -> Self {
        Self { data: data.map(Path::to_owned).or(self.data), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let Search { trials, best, test, split } = self.search()?;
        section.text(INTRODUCTION);
        section.text(&format!(
            "Here {} points are drawn, learning rate and weight decay uniformly over orders of magnitude, dropout \
             uniformly. Each trains the lecture's network on {} images and is scored on {} others.",
            trials.len(),
            count(split.0),
            count(split.1)
        ));
        let accuracy: Vec<f64> = trials.iter().map(|trial| trial.validation.accuracy).collect();
        let lrs: Vec<f64> = trials.iter().map(|trial| trial.lr).collect();
        section.figure(
            "trials",
            Figure::new("What each trial reached")
                .x_label("learning rate")
                .y_label("validation accuracy, %")
                .x_log()
                .scatter("", &lrs, &accuracy)
                .mark("the choice", lrs[best], accuracy[best]),
            &section.told(
                "Each dot is a network.",
                "If the rate is too small, little has happened yet; if it is too large, the network learns nothing.",
            ),
        )?;
        let mut table =
            Table::new(["trial", "learning rate", "dropout", "weight decay", "validation accuracy, %"]);
        for (i, trial) in trials.iter().enumerate() {
            let name = if i == best { format!("{} (the choice)", i + 1) } else { (i + 1).to_string() };
            table.push([
                name.into(),
                Cell::Digits(trial.lr),
                Cell::Digits(trial.dropout),
                Cell::Digits(trial.weight_decay),
                trial.validation.accuracy.into(),
            ]);
        }
        section.table("trials", "The trials.", table.decimals(1));
        section.text(&how_sure(&accuracy, best, split.1));
        let table = Table::new(["", "validation accuracy, %", "test accuracy, %"]).row([
            format!("trial {}", best + 1).into(),
            accuracy[best].into(),
            test.accuracy.into(),
        ]);
        section.table(
            "test",
            "The choice, evaluated once on the test set. The best of many on the validation images is partly the \
             luckiest, so it usually does slightly worse here.",
            table.decimals(1),
        );
        section.exercises(&[
            (
                "Repeat the search with another split and other draws: does a similar point win again?",
                "descent lecture tuning --seed 2",
            ),
            (
                "Four times as many validation images halve the noise. Are the first two now clearly apart?",
                "descent lecture tuning --images 7000 --validation 4000",
            ),
        ]);
        section.readings(&[BERGSTRA_BENGIO, SNOEK]);
        Ok(())
    }
}

/// How far the choice is ahead of the second, compared with the noise of so few images.
fn how_sure(accuracy: &[f64], best: usize, n_images: usize) -> String {
    let noise = standard_error(accuracy[best], n_images);
    let others = accuracy.iter().enumerate().filter(|(i, _)| *i != best);
    let Some((second, value)) = others.max_by(|a, b| a.1.total_cmp(b.1)) else {
        return "With a single trial there is nothing to choose from.".to_owned();
    };
    let lead = accuracy[best] - value;
    if lead == 0.0 {
        return format!(
            "> **How sure is the winner?** It is a tie: trials {} and {} have the same accuracy on the {} images, and the \
             first of the best trials was chosen.",
            best + 1,
            second + 1,
            count(n_images)
        );
    }
    // For a difference of two independent accuracies; on the same images it is somewhat less.
    let noise_of_lead = noise.hypot(standard_error(*value, n_images));
    let verdict = match lead / noise_of_lead {
        ratio if ratio < 1.0 => {
            "that is within the noise, and another set of images might well have chosen the other"
        }
        ratio if ratio < 2.0 => "that is more than the noise, but not by much",
        _ => "that is well beyond the noise",
    };
    format!(
        "> **How sure is the winner?** An accuracy measured on {} images has a standard error of ±{noise:.1} points. Trial {} \
         is {lead:.1} points ahead of trial {}, where the standard error of a difference is up to ±{noise_of_lead:.1}: \
         {verdict}.",
        count(n_images),
        best + 1,
        second + 1
    )
}

const INTRODUCTION: &str = "\
No theory gives the learning rate, dropout, weight decay or batch size; they are found by trial. *Grid search* tries all \
combinations of a few values each. *Random search* draws them, and usually finds something good sooner, because it never \
tries the same learning rate twice. *Bayesian search* uses the results so far to choose the next point. \
*Cross-validation* scores each point on several splits instead of one, for small data sets.

> **Never on the test set.** Picking the best of many on the test set is training on it, and the resulting number is too \
good. Hold out part of the training set for choosing (for example 5,000 of the 50,000 images), and look at the test set \
once, at the end.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_is_called_one() {
        for accuracy in [0.0, 40.0, 100.0] {
            let told = how_sure(&[accuracy, 0.0, accuracy], 0, 200);
            assert!(told.contains("a tie: trials 1 and 3 have the same accuracy"), "{told}");
        }
        let told = how_sure(&[50.0, 90.0], 1, 200);
        assert!(told.contains("40.0 points ahead") && told.contains("well beyond the noise"), "{told}");
    }
}
