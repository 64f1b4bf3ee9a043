//! Noisy samples of a linear function.

use anyhow::{Result, ensure};
use clap::Args;
use classifier::ranges::{any_seed, not_negative, probability, within};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{D2L_WEIGHT_DECAY, LECTURE};
use crate::page::{Cell, Section, Table, count};

/// The data of linear regression: how much of it, and how noisy.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct LinearData {
    /// Samples in all
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<1, 10_000>)]
    pub samples: usize,

    /// Features per sample; one can be drawn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<1, 10_000>)]
    pub features: usize,

    /// Fraction of the samples, from the end, that is kept for testing
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability)]
    pub test: f64,

    /// Standard deviation of the true weights and of the noise
    #[arg(long, value_name = "X", default_value_t = 0.01, value_parser = not_negative)]
    pub scale: f64,

    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// Samples with their targets, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// `n × n_features`.
    pub x: Vec<f32>,
    /// `n`.
    pub y: Vec<f32>,
}

/// The constant part of every target.
pub const BIAS: f64 = 0.05;

impl LinearData {
    /// Draws training and test set: y = x·w + 0.05 + noise.
    ///
    /// # Errors
    /// When no sample would be left to train on.
    pub fn draw(&self) -> Result<(Samples, Samples)> {
        self.draw_with_weights().map(|(train, test, _)| (train, test))
    }

    /// The same, with the weights w that the targets were made with.
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    pub fn draw_with_weights(&self) -> Result<(Samples, Samples, Vec<f32>)> {
        // The nearest whole number, the smaller of two: 0.29 · 100 is below 29 in floating point.
        let n_test = (self.samples as f64 * self.test - 0.5).ceil() as usize;
        let n_train = self.samples - n_test;
        ensure!(n_train > 0, "--test {}: all {} samples would be for testing", self.test, self.samples);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut normal = |n: usize, std: f64| {
            let mut draws = vec![0.0; n];
            init::normal(&mut draws, 0.0, std, &mut rng);
            draws
        };
        let mut x = normal(self.samples * self.features, 1.0);
        let w = normal(self.features, self.scale);
        let noise = normal(self.samples, self.scale);
        let target = |(x, noise): (&[f32], &f32)| {
            let product: f64 = x.iter().zip(&w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            (product + f64::from(*noise) + BIAS) as f32
        };
        let mut y: Vec<f32> = x.chunks_exact(self.features).zip(&noise).map(target).collect();
        let test = Samples { x: x.split_off(n_train * self.features), y: y.split_off(n_train) };
        Ok((Samples { x, y }, test, w))
    }
}

impl Experiment for LinearData {
    const TITLE: &'static str = "A line in noise";

    fn run(&self, section: &mut Section) -> Result<()> {
        let (train, test, w) = self.draw_with_weights()?;
        let first: Vec<f64> = train.x.chunks_exact(self.features).map(|x| x[0].into()).collect();
        let targets: Vec<f64> = train.y.iter().map(|&y| y.into()).collect();
        section.text(&format!(
            "Regularization needs a problem that a model can memorise. The smallest one is a linear function \
             with noise:\n\n\
             $$y = Xw + b + \\varepsilon$$\n\nwith $X \\sim \\mathcal{{N}}(0, 1)$, both $w$ and the noise $\\varepsilon \
             \\sim \\mathcal{{N}}(0, {}^2)$, and $b = {BIAS}$. Part of the samples, {} of {}, is set aside before \
             anything is fitted. With one feature the data can be drawn; the next section uses two hundred.",
            self.scale,
            count(test.y.len()),
            count(self.samples),
        ));
        let figure = Figure::new(format!("{} training samples", count(first.len())))
            .x_label("x")
            .y_label("y")
            .scatter("samples", &first, &targets);
        match w.as_slice() {
            [slope] => {
                let [lo, hi] = [f64::min, f64::max].map(|of| first.iter().copied().reduce(of).unwrap_or(0.0));
                let ends = [lo, hi];
                let line = ends.map(|x| f64::from(*slope) * x + BIAS);
                section.figure(
                    "scatter",
                    figure.dashed("the line they were drawn around", &ends, &line),
                    &section.told(
                        &format!(
                            "The line has slope {} and intercept {BIAS}; the noise has a standard deviation of {}.",
                            Cell::from(f64::from(*slope)).display(4),
                            self.scale
                        ),
                        "The noise is several times as large as the slope, so the line is easily lost in the cloud, and no \
                         line passes through all the points.",
                    ),
                )?;
            }
            _ => section.figure("scatter", figure, "The first feature of each sample, and its target.")?,
        }
        section.data(
            "samples",
            &Table::of_columns([("x".to_owned(), first.as_slice()), ("y".to_owned(), targets.as_slice())]),
        );
        let counts = Table::new(["set", "samples", "features"])
            .row(["training".into(), train.y.len().into(), self.features.into()])
            .row(["test".into(), test.y.len().into(), self.features.into()]);
        section.table("sets", "The two sets.", counts);
        section.exercises(&[
            (
                "With a new slope and the same level of noise, how often can you guess the line before it is drawn?",
                "descent lecture linear-data --seed 3",
            ),
            (
                "Take ten times as many samples. What shrinks, the noise or your uncertainty about the line?",
                "descent lecture linear-data --samples 1000",
            ),
        ]);
        section.readings(&[LECTURE, D2L_WEIGHT_DECAY]);
        Ok(())
    }
}
