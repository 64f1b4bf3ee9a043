//! How the width of a layer sets the variance of its outputs, and the initialisations that compensate for it.

use anyhow::{Result, ensure};
use clap::Args;
use classifier::ranges::{any_seed, within};
use init::{FanMode, Nonlinearity, kaiming_normal, kaiming_uniform, normal, xavier_normal, xavier_uniform};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tensor::Tensor;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{D2L_STABILITY, GLOROT, HE as HE_PAPER};
use crate::page::{Cell, Section, Table, count};
use crate::subjects::{random, statistics};

/// The layers, and over how many draws the variance is averaged.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct OutputVariance {
    /// Inputs of the layer
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 10, 100, 1000, 10_000],
          value_parser = within::<1, 100_000>)]
    pub n_in: Vec<usize>,

    /// Outputs of the layer
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<2, 1000>)]
    pub n_out: usize,

    /// Draws per layer; a narrow layer is drawn more often
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = within::<1, 100_000>)]
    pub runs: usize,

    /// Seed of inputs and weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// A way to fill a weight of shape `[out, in]`.
pub type Fill = fn(&mut [f32], &[usize; 2], &mut ChaCha8Rng);

/// The most weights of a layer: every thread holds one.
const MAX_WEIGHTS: usize = 10_000_000;

/// N(0, 1).
pub const UNIT: Fill = |w, _, rng| normal(w, 0.0, 1.0, rng);
/// N(0, 2/n_in): He's.
pub const HE: Fill = |w, shape, rng| kaiming_normal(w, shape, FanMode::FanIn, Nonlinearity::Relu, rng);

impl OutputVariance {
    /// The variance of the outputs for one input x ~ N(0, 1), in each of many draws.
    pub fn variances(&self, n_in: usize, fill: Fill) -> Vec<f64> {
        let variance = |run: usize| {
            let mut rng = random::generator(self.seed, run);
            let x = random::normals([n_in, 1], 1.0, &mut rng);
            let mut w = Tensor::zeros([self.n_out, n_in]);
            fill(w.as_mut_slice(), &[self.n_out, n_in], &mut rng);
            statistics::variance(&statistics::wide(w.matmul(&x).as_slice()))
        };
        (0..self.n_draws(n_in)).into_par_iter().map(variance).collect()
    }

    /// How often a layer is drawn. The variance of a narrow one depends on few inputs, and costs next to
    /// nothing.
    fn n_draws(&self, n_in: usize) -> usize {
        self.runs.max(40_000 / n_in)
    }
}

/// A measured initialisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Its name.
    pub name: &'static str,
    /// The standard deviation that its formula gives.
    pub expected: f64,
    /// That of a million draws.
    pub measured: f64,
    /// The largest of them.
    pub largest: f64,
}

/// The shape of the weight whose spread is measured: `[out, in]`, a million elements.
pub const SPREAD_SHAPE: [usize; 2] = [500, 2000];

/// Xavier's and He's initialisations, normal and uniform, over a million draws each.
pub fn spreads(seed: u64) -> Vec<Spread> {
    let [n_out, n_in] = SPREAD_SHAPE;
    let xavier = (2.0 / (n_in + n_out) as f64).sqrt();
    let he = (2.0 / n_in as f64).sqrt();
    let fills: [(&str, f64, Fill); 4] = [
        ("Xavier, normal", xavier, |w, shape, rng| xavier_normal(w, shape, 1.0, rng)),
        ("Xavier, uniform", xavier, |w, shape, rng| xavier_uniform(w, shape, 1.0, rng)),
        ("He, normal", he, HE),
        ("He, uniform", he, |w, shape, rng| {
            kaiming_uniform(w, shape, FanMode::FanIn, Nonlinearity::Relu, rng);
        }),
    ];
    let measure = |(run, (name, expected, fill)): (usize, &(&'static str, f64, Fill))| {
        let mut w = vec![0.0; n_out * n_in];
        fill(&mut w, &SPREAD_SHAPE, &mut random::generator(seed, run));
        let w = statistics::wide(&w);
        let largest = w.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        Spread { name, expected: *expected, measured: statistics::variance(&w).sqrt(), largest }
    };
    fills.par_iter().enumerate().map(measure).collect()
}

impl Experiment for OutputVariance {
    const TITLE: &'static str = "Xavier and He";

    fn run(&self, section: &mut Section) -> Result<()> {
        for &n in &self.n_in {
            ensure!(
                n * self.n_out <= MAX_WEIGHTS,
                "--n-in {n} --n-out {}: expected a product of at most {MAX_WEIGHTS}",
                self.n_out
            );
        }
        section.text(INTRODUCTION);
        let n_in: Vec<f64> = self.n_in.iter().map(|&n| n as f64).collect();
        let mut table =
            Table::new(["inputs", "draws", "σ = 1: one draw", "mean", "σ² = 2/inputs: one draw", "mean"]);
        let (mut unit, mut he) = (Vec::new(), Vec::new());
        for &n in &self.n_in {
            let [a, b] = [UNIT, HE].map(|fill| self.variances(n, fill));
            let variances = [a[0], statistics::mean(&a), b[0], statistics::mean(&b)].map(Cell::Digits);
            table.push([n.into(), self.n_draws(n).into()].into_iter().chain(variances));
            unit.push(statistics::mean(&a));
            he.push(statistics::mean(&b));
        }
        // Two lines in one series, separated by a NaN.
        let twice = [n_in.as_slice(), &[f64::NAN], &n_in].concat();
        let expected = [n_in.as_slice(), &[f64::NAN], &vec![2.0; n_in.len()]].concat();
        section.figure(
            "variance",
            Figure::new(format!("Variance of {} outputs", self.n_out))
                .x_label("inputs")
                .y_label("variance")
                .x_log()
                .y_log()
                .dashed("by the formula", &twice, &expected)
                .scatter("σ = 1", &n_in, &unit)
                .scatter("σ² = 2/inputs", &n_in, &he),
            "By the formula, the variance is the number of inputs if σ = 1. With σ² = 2/inputs it is 2, and the width no \
             longer matters.",
        )?;
        section.table(
            "variance",
            "One draw of a layer says little; the mean of many draws comes closer to the formula.",
            table,
        );
        section.text(FORMULAS);
        let mut table =
            Table::new(["a million draws", "σ by formula", "σ measured", "largest", "√3·σ"]).decimals(5);
        for s in spreads(self.seed) {
            let bound = 3f64.sqrt() * s.expected;
            table.push([s.name.into(), s.expected.into(), s.measured.into(), s.largest.into(), bound.into()]);
        }
        let [n_out, n_in] = SPREAD_SHAPE;
        let caption =
            format!("A layer of {} inputs and {n_out} outputs. No uniform draw exceeds √3·σ.", count(n_in));
        section.table("spread", &caption, table);
        section.exercises(&[
            (
                "How far does a single draw stray from the formula, with two outputs and with a thousand?",
                "descent lecture output-variance --n-out 2",
            ),
            (
                "A layer of 300 inputs and 100 outputs: which variance have its outputs with σ = 1, and which with He's σ? \
                 Work it out, then look.",
                "descent lecture output-variance --n-in 300 --n-out 100",
            ),
        ]);
        section.readings(&[GLOROT, HE_PAPER, D2L_STABILITY]);
        section.source("crates/init/src/xavier.rs", include_str!("../../../init/src/xavier.rs"));
        section.source("crates/init/src/kaiming.rs", include_str!("../../../init/src/kaiming.rs"));
        Ok(())
    }
}

const INTRODUCTION: &str = "\
Take one layer without bias or activation, with weights of variance $\\sigma^2$ and inputs of variance $\\gamma^2$, all \
independent with mean 0. Each output is a sum of $n_\\text{in}$ products, so

$$\\operatorname{Var}[o_i] = \\sum_{j=1}^{n_\\text{in}} \\operatorname{E}[w_{ij}^2]\\,\\operatorname{E}[x_j^2]$$

$$= n_\\text{in}\\,\\sigma^2\\gamma^2.$$

Every layer multiplies the variance by $n_\\text{in}\\sigma^2$. Only if that is 1 does a deep stack keep its signal.";

const FORMULAS: &str = "\
The forward pass needs $n_\\text{in}\\sigma^2 = 1$, the backward pass $n_\\text{out}\\sigma^2 = 1$. Both at once are \
impossible unless the layer is square. **Xavier** initialisation takes the mean of the two conditions; **He** \
initialisation, made for ReLU, takes the first with a factor of 2:

$$\\text{Xavier:}\\quad \\sigma = \\sqrt{\\frac{2}{n_\\text{in} + n_\\text{out}}}$$

$$\\text{He:}\\quad \\sigma = \\sqrt{\\frac{2}{n_\\text{in}}}$$

> **Where is the ½?** The mean of the two conditions reads $\\tfrac12 (n_\\text{in} + n_\\text{out})\\,\\sigma^2 = 1$. \
It is often written without the ½, and then the 2 under the root seems to come from nowhere.

> **Why 2 and not 1?** The demonstration has no activation, so with He's weights it shows a variance of 2, not 1. The \
factor makes up for a ReLU, which removes half of the second moment. The next section adds the ReLUs.";
