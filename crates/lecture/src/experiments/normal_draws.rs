//! Draws from the normal distribution.

use std::f64::consts::TAU;

use anyhow::Result;
use clap::Args;
use classifier::ranges::{any_seed, within};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::D2L_STABILITY;
use crate::page::{Section, Table, count};
use crate::subjects::{random, statistics};

/// How many draws, and in how many bins.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct NormalDraws {
    /// Draws from N(0, 1)
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = within::<1, 10_000_000>)]
    pub draws: usize,

    /// Bins of the histogram
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = within::<1, 1000>)]
    pub bins: usize,

    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// The density of N(0, 1).
pub fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / TAU.sqrt()
}

impl NormalDraws {
    /// The draws.
    pub fn sample(&self) -> Vec<f64> {
        statistics::wide(random::normals([self.draws], 1.0, &mut random::generator(self.seed, 0)).as_slice())
    }
}

impl Experiment for NormalDraws {
    const TITLE: &'static str = "Where weights come from";

    fn run(&self, section: &mut Section) -> Result<()> {
        let values = self.sample();
        section.text(
            "Weights start as random numbers, in this chapter from a normal distribution, in others from a uniform one. The \
             standard normal distribution has the density\n\n\
             $$p(x) = \\frac{1}{\\sqrt{2\\pi}}\\,e^{-x^2/2}.$$\n\n\
             Whether a deep network learns at all can depend on one number: the width of the distribution.",
        );
        section.figure(
            "histogram",
            Figure::new(format!("{} draws and their density", count(self.draws)))
                .x_label("x")
                .y_label("density")
                .x_range(-4.0, 4.0)
                .histogram("draws", &values, self.bins)
                .function("N(0, 1)", -4.0, 4.0, density),
            "The bars are the draws, the curve is the density, whose peak is $1/\\sqrt{2\\pi} \\approx 0.399$.",
        )?;
        section.data("draws", &Table::of_columns([("x".to_owned(), values.as_slice())]));
        let table = Table::new(["", "mean", "standard deviation", "density at 0"])
            .row(["N(0, 1)".into(), 0.0.into(), 1.0.into(), density(0.0).into()])
            .row([
                "the draws".into(),
                statistics::mean(&values).into(),
                statistics::variance(&values).sqrt().into(),
                (values.iter().filter(|x| x.abs() < 0.1).count() as f64 / (0.2 * values.len() as f64)).into(),
            ]);
        section.table(
            "moments",
            "The values by the formula and those of the draws. The density at 0 is that of the draws within ±0.1.",
            table,
        );
        section.exercises(&[
            (
                "How does the error of the mean shrink with the number of draws? Compare 100 and 1,000,000.",
                "descent lecture normal-draws --draws 100",
            ),
            (
                "More bins than draws: what is left of the bell?",
                "descent lecture normal-draws --draws 500 --bins 1000",
            ),
        ]);
        section.readings(&[D2L_STABILITY]);
        section.source("crates/init/src/basic.rs", include_str!("../../../init/src/basic.rs"));
        Ok(())
    }
}
