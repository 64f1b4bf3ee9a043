//! Gradient norms layer by layer: how they vanish and explode.

use anyhow::Result;
use autograd::{Mode, Params, Tape, Var};
use clap::Args;
use classifier::ranges::{any_seed, not_negative, within};
use init::{FanMode, Nonlinearity};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tensor::Tensor;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{BENGIO_1994, GLOROT, HE};
use crate::page::{Frame, Knob, Section, Table};
use crate::subjects::random;

/// The network, and the two bad initialisations.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct GradientNorms {
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<1, 200>)]
    pub depth: usize,

    /// Units per layer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = within::<1, 1024>)]
    pub width: usize,

    /// Standard deviation of weights that are too small
    #[arg(long, value_name = "X", default_value_t = 0.03, value_parser = not_negative)]
    pub small: f64,

    /// Standard deviation of weights that are too large
    #[arg(long, value_name = "X", default_value_t = 0.4, value_parser = not_negative)]
    pub large: f64,

    /// Seed of data and weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
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

/// How the weights are initialised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// N(0, σ²).
    Std(f64),
    /// Xavier for sigmoid and tanh, He for ReLU.
    Fitting,
}

impl GradientNorms {
    /// The norm of the gradient at the output of each layer, divided by that at the last; first layer first.
    pub fn norms(&self, activation: Activation, start: Start) -> Vec<f64> {
        const N_SAMPLES: usize = 64;
        let mut rng = random::generator(self.seed, 0);
        let shape = [self.width, self.width];
        let (mut params, mut tape) = (Params::new(), Tape::new());
        let mut g = tape.begin(&mut params, Mode::train(self.seed, 0));
        let mut normals = || random::normals([N_SAMPLES, self.width], 1.0, &mut rng);
        let (inputs, directions) = (normals(), normals());
        let mut x = g.variable([N_SAMPLES, self.width], inputs.as_slice());
        let mut outputs = Vec::new();
        for _ in 0..self.depth {
            let mut w = Tensor::zeros(shape);
            start.fill(w.as_mut_slice(), &shape, activation, &mut rng);
            let w = g.input(shape, w.as_slice());
            x = g.linear(x, w, None);
            x = match activation {
                Activation::Sigmoid => g.sigmoid(x),
                Activation::Tanh => g.tanh(x),
                Activation::Relu => g.relu(x),
            };
            outputs.push(g.retain_grad(x));
        }
        // A loss whose gradient at the last layer is random and of size 1.
        let direction = g.input([N_SAMPLES, self.width], directions.as_slice());
        let product = g.mul(x, direction);
        let loss = g.sum(product);
        g.backward(loss);
        let norm = |&output: &Var| {
            let gradient = g.grad(output).unwrap_or_default();
            gradient.iter().map(|&d| f64::from(d).powi(2)).sum::<f64>().sqrt()
        };
        let norms: Vec<f64> = outputs.iter().map(norm).collect();
        norms.iter().map(|norm| norm / norms[self.depth - 1]).collect()
    }
}

/// The slider's depths.
const DEPTHS: [f64; 9] = [2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0];

impl GradientNorms {
    /// Adds the norms with sliders for depth and activation.
    fn knob(&self, section: &mut Section) -> Result<()> {
        const ACTIVATIONS: [(&str, Activation); 3] =
            [("ReLU", Activation::Relu), ("tanh", Activation::Tanh), ("sigmoid", Activation::Sigmoid)];
        let starts = [Start::Std(self.small), Start::Fitting, Start::Std(self.large)];
        let names = ["too small", "Xavier or He", "too large"];
        let knobs = [
            Knob::new("layers", &DEPTHS, self.depth as f64),
            Knob::words("activation", ACTIVATIONS.map(|(name, _)| name)),
        ];
        section.knobs(
            "turn-depth",
            &knobs,
            3,
            |at| {
                let deep = Self { depth: DEPTHS[at[0]] as usize, ..self.clone() };
                let norms = starts.map(|start| deep.norms(ACTIVATIONS[at[1]].1, start));
                let layers: Vec<f64> = (1..=deep.depth).map(|layer| layer as f64).collect();
                let figure = Figure::new("Gradient at each layer, over that at the last")
                    .x_label("layer")
                    .y_label("gradient")
                    .y_log()
                    .x_range(1.0, DEPTHS[DEPTHS.len() - 1])
                    .y_range(1e-20, 1e20);
                let figure = names.iter().zip(&norms).fold(figure, |f, (name, n)| f.line(*name, &layers, n));
                let reading = vec![
                    ("first layer, too small", norms[0][0]),
                    ("first layer, Xavier or He", norms[1][0]),
                    ("first layer, too large", norms[2][0]),
                ];
                Ok(Frame { figure, reading })
            },
            "Every layer scales the gradient by about the same factor, so on a logarithmic axis the lines are nearly \
             straight, and depth is their length.",
        )
    }
}

impl Start {
    fn fill(self, w: &mut [f32], shape: &[usize; 2], activation: Activation, rng: &mut ChaCha8Rng) {
        match (self, activation) {
            (Self::Std(std), _) => init::normal(w, 0.0, std, rng),
            (Self::Fitting, Activation::Relu) => {
                init::kaiming_normal(w, shape, FanMode::FanIn, Nonlinearity::Relu, rng);
            }
            (Self::Fitting, _) => init::xavier_normal(w, shape, 1.0, rng),
        }
    }
}

impl Experiment for GradientNorms {
    const TITLE: &'static str = "Vanishing and exploding, layer by layer";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(
            "One backward pass through a deep MLP, before any training. For each layer, the figure shows the norm of the \
             gradient at its output, divided by that at the last layer: how much of the loss's signal arrives there. \
             Layers are counted from the input, so gradients travel from the highest number to the lowest.",
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

        let mut table = Table::new(["activation", "weights", "at the first layer", "a layer multiplies by"]);
        let mut columns = vec![("layer".to_owned(), layers.as_slice())];
        let mut panels: Vec<Figure> = activations
            .iter()
            .map(|(name, _)| Figure::new(*name).x_label("layer").y_label("gradient").y_log())
            .collect();
        for (case_idx, (((activation, _), (start, _)), norms)) in cases.iter().zip(&norms).enumerate() {
            let panel = &mut panels[case_idx / starts.len()];
            *panel = std::mem::replace(panel, Figure::new("")).line(start.clone(), &layers, norms);
            let factor = norms[0].powf(1.0 / (self.depth - 1).max(1) as f64);
            let cells = [norms[0].into(), factor.into()];
            table.push([(*activation).into(), start.clone().into()].into_iter().chain(cells));
            columns.push((format!("{activation}, {start}"), norms));
        }
        section.panels(
            "norms",
            "Norm of the gradient at each layer, over that at the last",
            3,
            panels,
            &section.told(
                "A panel for each activation, a line for each initialisation.",
                "With weights that are too small, every gradient vanishes on its way to the first layer. With weights \
                 that are too large, it explodes for tanh and ReLU. With the fitting initialisation both stay level, \
                 ReLU under He slightly better. The sigmoid loses in any case: its slope is at most ¼, and weights large \
                 enough to make up for that saturate it.",
            ),
        )?;
        section.table("ends", "The gradient at the first layer, if it is 1 at the last.", table);
        section.data("norms", &Table::of_columns(columns));
        self.knob(section)?;
        section.exercises(&[
            (
                "Twice the depth squares the factor by which the gradient changes. Does the table agree?",
                "descent lecture gradient-norms --depth 40",
            ),
            (
                "Find weights with which tanh neither vanishes nor explodes, and compare with Xavier's σ = √(1/128).",
                "descent lecture gradient-norms --small 0.08 --large 0.1",
            ),
        ]);
        section.readings(&[GLOROT, HE, BENGIO_1994]);
        section.source("crates/nn/src/init.rs", include_str!("../../../nn/src/init.rs"));
        Ok(())
    }
}
