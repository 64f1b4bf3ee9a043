//! The convolutional network, its sizes and its initial weights.

use anyhow::Result;
use autograd::{Entry, Params};
use clap::Args;
use classifier::ranges::any_seed;
use init::fans;
use nn::{Layer, models};

use super::Experiment;
use crate::page::bibliography::{HE, LECUN};
use crate::page::{Cell, Section, Table};
use crate::subjects::network::summary_table;

/// The network before the first step.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Cnn {
    /// Seed of the weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// What He's rule says about a layer's weights, and what was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The layer's path in the network.
    pub layer: String,
    /// fan_in: how many products each of its outputs sums.
    pub fan_in: usize,
    /// √(6 / fan_in).
    pub bound: f64,
    /// The largest absolute weight.
    pub largest_weight: f64,
    /// The largest absolute bias.
    pub largest_bias: f64,
}

impl Cnn {
    /// The layers that have weights.
    pub fn starts(&self) -> Vec<Start> {
        let (_, params) = nn::build(models::lecture_cnn(0.5), self.seed);
        let weights = params.entries().iter().filter_map(|entry| {
            let layer = entry.name.strip_suffix(".weight")?;
            let bias = params.entries().iter().find(|other| other.name == format!("{layer}.bias"))?;
            let fan_in = fans(entry.shape.dims()).0;
            Some(Start {
                layer: layer.to_owned(),
                fan_in,
                bound: (6.0 / fan_in as f64).sqrt(),
                largest_weight: largest(&params, entry),
                largest_bias: largest(&params, bias),
            })
        });
        weights.collect()
    }
}

fn largest(params: &Params, entry: &Entry) -> f64 {
    params.values()[entry.range.clone()].iter().fold(0.0, |max, &v| f64::from(v.abs()).max(max))
}

impl Experiment for Cnn {
    const TITLE: &'static str = "The network";

    fn run(&self, section: &mut Section) -> Result<()> {
        let (net, params) = nn::build(models::lecture_cnn(0.5), self.seed);
        section.text(
            "Three blocks, each a 3 × 3 convolution, a ReLU and a 2 × 2 max-pool. Every block halves the height and \
             width of the image and increases its channels. Two linear layers make the decision, with dropout between \
             them.",
        );
        section.table(
            "layers",
            "Layer by layer, for one image.",
            summary_table(&net.summary(&params, [1, 32, 32, 3])),
        );
        section.text(
            "> **No softmax at the end.** The loss, cross-entropy, takes the raw outputs (*logits*) and computes log and \
             softmax in one step, which is accurate where softmax alone would round to 0. A softmax layer before it \
             would squash the outputs twice.\n\n\
             The weights start uniform within He's bounds, $\\pm\\sqrt{6/n_\\text{in}}$, with a variance of \
             $2/n_\\text{in}$; the biases start at zero.",
        );
        let mut table =
            Table::new(["layer", "inputs of a sum", "bound", "largest |w| drawn", "largest |b|"]).decimals(6);
        for start in self.starts() {
            let numbers = [start.bound, start.largest_weight, start.largest_bias].map(Cell::from);
            table.push([start.layer.into(), start.fan_in.into()].into_iter().chain(numbers));
        }
        section.table("bounds", "He's bounds, and what was drawn within them.", table);
        section.exercises(&[
            (
                "Most of the parameters are in one layer. Which one, and what share of all of them does it have?",
                "descent lecture cnn",
            ),
            ("With other random numbers, how close to its bound does the largest weight come?",
                "descent lecture cnn --seed 7"),
        ]);
        section.readings(&[LECUN, HE]);
        section.source("crates/nn/src/models/classic.rs", include_str!("../../../nn/src/models/classic.rs"));
        section.source("crates/init/src/kaiming.rs", include_str!("../../../init/src/kaiming.rs"));
        Ok(())
    }
}
