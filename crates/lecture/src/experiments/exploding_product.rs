//! Products of many random matrices.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{any_seed, not_negative, within};
use rayon::prelude::*;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{BENGIO_1994, D2L_STABILITY, LECTURE};
use crate::page::{Section, Table, count};
use crate::subjects::{random, statistics};

/// The matrices, and how many of them are multiplied.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct ExplodingProduct {
    /// Rows and columns of a matrix
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within::<1, 100>)]
    pub size: usize,

    /// Matrices that the first one is multiplied by
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<1, 1000>)]
    pub factors: usize,

    /// Standard deviations of the entries, one line each
    #[arg(long = "std", value_name = "X,…", value_delimiter = ',', default_values_t = [1.0, 0.64, 0.4],
          value_parser = not_negative)]
    pub stds: Vec<f64>,

    /// Products for each standard deviation
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = within::<1, 100_000>)]
    pub runs: usize,

    /// Seed of the matrices
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

impl ExplodingProduct {
    /// log₁₀ of the largest absolute entry after 0, 1, 2, … factors, in one run.
    pub fn growth(&self, std: f64, run: usize) -> Vec<f64> {
        let mut rng = random::generator(self.seed, run);
        let mut matrix = || random::normals([self.size, self.size], std, &mut rng);
        let mut product = matrix();
        let mut growth = vec![log_max(product.as_slice())];
        for _ in 0..self.factors {
            product = product.matmul(&matrix());
            growth.push(log_max(product.as_slice()));
        }
        growth
    }

    /// The same for every run.
    pub fn runs(&self, std: f64) -> Vec<Vec<f64>> {
        (0..self.runs).into_par_iter().map(|run| self.growth(std, run)).collect()
    }
}

/// The product that the lecture prints: a matrix of N(0, 1) times twenty more.
pub const LECTURE_PRODUCT: [[f64; 3]; 3] =
    [[-2657.0173, 939.6129, 3719.5845], [-2549.2896, 842.5388, 3360.0208], [-697.6809, 168.5173, 699.8742]];

impl ExplodingProduct {
    /// Adds the product that the lecture prints, and how it compares with ours.
    fn beside_the_lecture(&self, section: &mut Section) {
        let mut table = Table::new(["column 1", "column 2", "column 3"]).decimals(1);
        LECTURE_PRODUCT.iter().for_each(|row| table.push(row.map(Into::into)));
        let largest = LECTURE_PRODUCT.iter().flatten().fold(0.0, |max: f64, x| max.max(x.abs()));
        let alike = Self { size: 3, factors: 20, ..self.clone() };
        let ends: Vec<f64> = alike.runs(1.0).iter().map(|growth| growth[20]).collect();
        let above = ends.iter().filter(|end| **end > largest.log10()).count();
        section.table(
            "as-printed",
            &format!(
                "The product of 21 matrices of N(0, 1) that the lecture prints. Its largest entry is {}, or 10^{:.2}; \
                 {} of {} such products of ours have a larger one.",
                count(largest.round() as usize),
                largest.log10(),
                count(above),
                count(ends.len())
            ),
            table,
        );
    }
}

/// log₁₀ of the largest absolute value; infinite after an overflow, even if infinite entries have become NaN.
fn log_max(values: &[f32]) -> f64 {
    let size = |&x: &f32| if x.is_nan() { f64::INFINITY } else { f64::from(x.abs()) };
    values.iter().map(size).fold(0.0, f64::max).log10()
}

impl Experiment for ExplodingProduct {
    const TITLE: &'static str = "The exploding product";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(&format!(
            "The chain rule multiplies: the gradient of an early layer is a product with one factor for each later layer. Here are such products. $W$ starts as a random matrix and is multiplied by more of the same kind:\n\n\
             $$W \\leftarrow W\\,A_k, \\qquad k = 1, \\dots, {},$$\n\n$$(A_k)_{{ij}} \\sim \\mathcal{{N}}(0, \\sigma^2).$$\n\n\
             Factors that are slightly too large on average make the product explode, and factors slightly too small \
             make it vanish. Twenty layers are not many.",
            self.factors
        ));
        let n_factors: Vec<f64> = (0..=self.factors).map(|k| k as f64).collect();
        let mut figure = Figure::new(format!("Products of {0} × {0} matrices", self.size))
            .x_label("factors")
            .y_label("log₁₀ of the largest entry");
        let mut table = Table::new([
            "σ",
            "mean of log₁₀ max|W|",
            "standard deviation",
            "99 % lie above",
            "99 % lie below",
        ])
        .decimals(2);
        let mut columns = vec![("factors".to_owned(), n_factors.clone())];
        for &std in &self.stds {
            let runs = self.runs(std);
            let at = |k: usize| runs.iter().map(|growth| growth[k]).collect::<Vec<f64>>();
            let line =
                |q: f64| (0..=self.factors).map(|k| statistics::quantile(&at(k), q)).collect::<Vec<f64>>();
            let [lo, middle, hi] = [0.05, 0.5, 0.95].map(line);
            figure = figure.band("", &n_factors, &lo, &hi).line(format!("σ = {std}"), &n_factors, &middle);
            let ends = at(self.factors);
            table.push([
                format!("{std}").into(),
                statistics::mean(&ends).into(),
                statistics::variance(&ends).sqrt().into(),
                statistics::quantile(&ends, 0.01).into(),
                statistics::quantile(&ends, 0.99).into(),
            ]);
            for (name, values) in [("p5", lo), ("median", middle), ("p95", hi)] {
                columns.push((format!("{name}, std {std}"), values));
            }
        }
        section.figure(
            "growth",
            figure,
            &section.told(
                "Lines are medians; bands contain nine products out of ten. The axis shows powers of ten.",
                "With σ = 1 the typical product of 21 matrices is larger than a thousand; with σ = 0.4 it is smaller \
                 than a ten-thousandth.",
            ),
        )?;
        section.table(
            "ends",
            &format!("After {} factors, over {} products.", self.factors, count(self.runs)),
            table,
        );
        self.beside_the_lecture(section);
        section.exercises(&[
            (
                "At which σ does the typical product keep its size?",
                "descent lecture exploding-product --std 0.55,0.6,0.64,0.7",
            ),
            (
                "Larger matrices add up more products in each entry. Which σ keeps a 30 × 30 product level?",
                "descent lecture exploding-product --size 30 --runs 200 --std 0.15,0.18,0.25",
            ),
        ]);
        section.readings(&[LECTURE, BENGIO_1994, D2L_STABILITY]);
        let columns = columns.iter().map(|(name, values)| (name.clone(), values.as_slice()));
        section.data("growth", &Table::of_columns(columns));
        Ok(())
    }
}
