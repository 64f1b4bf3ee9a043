//! Gradient norms layer by layer: vanishing and exploding, seen.

use anyhow::Result;
use autograd::{Mode, Reduction, Tape};
use clap::Args;
use init::{FanMode, Nonlinearity};
use nn::{Layer, Linear, ReLU, Sequential, Sigmoid, Tanh};
use rayon::prelude::*;
use viz::Figure;

use super::{Experiment, Section, Table, draws};
use crate::cli::{at_least_one, not_negative};

/// The network, and the two bad initialisations.
#[derive(Clone, Debug, Args)]
pub struct GradientNorms {
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub depth: usize,

    /// Units of a layer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub width: usize,

    /// Standard deviation of weights that are too small
    #[arg(long, value_name = "X", default_value_t = 0.03, value_parser = not_negative)]
    pub small: f64,

    /// Standard deviation of weights that are too large
    #[arg(long, value_name = "X", default_value_t = 0.4, value_parser = not_negative)]
    pub large: f64,

    /// Seed of data and weights
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// The activation between the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Logistic sigmoid.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Rectifier.
    Relu,
}

/// How the weights begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// N(0, σ²).
    Std(f64),
    /// Xavier for sigmoid and tanh, He for ReLU.
    Fitting,
}

impl GradientNorms {
    /// The norm of the gradient of each layer's weight, first layer first, after one backward pass.
    pub fn norms(&self, activation: Activation, start: Start) -> Vec<f64> {
        const N_SAMPLES: usize = 64;
        let mut net = Sequential::new();
        for layer_idx in 0..self.depth {
            net = net.add(Linear::new(self.width, self.width).bias_value(0.0));
            if layer_idx + 1 < self.depth {
                net = match activation {
                    Activation::Sigmoid => net.add(Sigmoid),
                    Activation::Tanh => net.add(Tanh),
                    Activation::Relu => net.add(ReLU),
                };
            }
        }
        let (net, mut params) = nn::build(net, self.seed);
        let mut rng = draws::generator(self.seed, 0);
        let weights: Vec<_> = params.ids().filter(|&id| params.entry(id).shape.dims().len() == 2).collect();
        let shape = [self.width, self.width];
        for &id in &weights {
            let w = params.value_mut(id);
            match (start, activation) {
                (Start::Std(std), _) => init::normal(w, 0.0, std, &mut rng),
                (Start::Fitting, Activation::Relu) => {
                    init::kaiming_normal(w, &shape, FanMode::FanIn, Nonlinearity::Relu, &mut rng);
                }
                (Start::Fitting, _) => init::xavier_normal(w, &shape, 1.0, &mut rng),
            }
        }
        let mut data = || draws::normals([N_SAMPLES, self.width], 1.0, &mut rng);
        let (inputs, targets) = (data(), data());
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(self.seed, 0));
        let x = g.input([N_SAMPLES, self.width], inputs.as_slice());
        let target = g.input([N_SAMPLES, self.width], targets.as_slice());
        let y = net.forward(&mut g, x);
        let loss = g.mse_loss(y, target, Reduction::Mean);
        g.backward(loss);
        drop(g);
        let norm = |dw: &[f32]| dw.iter().map(|&d| f64::from(d).powi(2)).sum::<f64>().sqrt();
        weights.iter().map(|&id| norm(params.grad(id))).collect()
    }
}

impl Experiment for GradientNorms {
    const TITLE: &'static str = "Vanishing and exploding, layer by layer";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(
            "One backward pass through a deep perceptron, before any training. For each layer the norm of its weight's \
             gradient: what the first step of descent would have to work with. The first layer stands on the left; \
             gradients come from the right.",
        );
        let layers: Vec<f64> = (1..=self.depth).map(|layer| layer as f64).collect();
        let starts = [
            (format!("too small, σ = {}", self.small), Start::Std(self.small)),
            ("Xavier or He".to_owned(), Start::Fitting),
            (format!("too large, σ = {}", self.large), Start::Std(self.large)),
        ];
        let activations =
            [("sigmoid", Activation::Sigmoid), ("tanh", Activation::Tanh), ("ReLU", Activation::Relu)];
        let cases: Vec<_> = activations.iter().flat_map(|a| starts.iter().map(move |s| (a, s))).collect();
        let norms: Vec<Vec<f64>> = cases.par_iter().map(|(a, s)| self.norms(a.1, s.1)).collect();

        let mut table = Table::new(["activation", "weights", "first layer", "last layer", "first : last"]);
        let mut columns = vec![("layer".to_owned(), layers.as_slice())];
        let mut panels: Vec<Figure> = activations
            .iter()
            .map(|(name, _)| Figure::new(*name).x_label("layer").y_label("norm of the gradient").y_log())
            .collect();
        for (case_idx, (((activation, _), (start, _)), norms)) in cases.iter().zip(&norms).enumerate() {
            let panel = &mut panels[case_idx / starts.len()];
            *panel = std::mem::replace(panel, Figure::new("")).line(start.clone(), &layers, norms);
            let (first, last) = (norms[0], norms[self.depth - 1]);
            let cells = [first.into(), last.into(), (first / last).into()];
            table.push([(*activation).into(), start.clone().into()].into_iter().chain(cells));
            columns.push((format!("{activation}, {start}"), norms));
        }
        section.panels(
            "norms",
            "Norm of the gradient of each layer",
            3,
            panels,
            "With weights that are too small every gradient vanishes on its way to the first layer. Too large, and with \
             ReLU it explodes, while sigmoid and tanh saturate. With the fitting start tanh and ReLU hold their level. \
             The sigmoid loses even then: its slope is at most ¼, and no width of the bell makes up for that.",
        )?;
        section.table("ends", "Across the whole network.", table);
        section.data("norms", &Table::of_columns(columns));
        section.source("crates/nn/src/init.rs", include_str!("../../../nn/src/init.rs"));
        Ok(())
    }
}
