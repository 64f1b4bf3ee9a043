//! A small noisy regression: a wave, a few samples of it, and an MLP that can memorise them.

use std::f64::consts::PI;

use anyhow::Result;
use autograd::{Mode, Params, Reduction, Tape};
use nn::{Dropout, Layer, Linear, ReLU, Sequential};
use optim::{Adam, Optimizer};

use super::{random, statistics};

/// Points (x, y).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points {
    pub(crate) x: Vec<f32>,
    pub(crate) y: Vec<f32>,
}

impl Points {
    /// The points in f64, for figures.
    pub(crate) fn wide(&self) -> [Vec<f64>; 2] {
        [statistics::wide(&self.x), statistics::wide(&self.y)]
    }
}

/// The function the samples are drawn from.
pub(crate) fn wave(x: f64) -> f64 {
    (PI * x).sin()
}

/// `n` samples of the wave on [−1, 1] with noise of standard deviation `noise`.
pub(crate) fn sample(n: usize, noise: f64, seed: u64, run: usize) -> Points {
    let mut rng = random::generator(seed, run);
    let mut x = vec![0.0; n];
    init::uniform(&mut x, -1.0, 1.0, &mut rng);
    let errors = random::normals([n], noise, &mut rng);
    let y = x.iter().zip(errors.as_slice()).map(|(&x, error)| wave(x.into()) as f32 + error).collect();
    Points { x, y }
}

/// An MLP 1 → 64 → 64 → 1 in training.
pub(crate) struct Mlp {
    net: Sequential,
    pub(crate) params: Params,
    tape: Tape,
    optimizer: Optimizer<f32>,
    seed: u64,
    step: u64,
}

impl Mlp {
    /// Creates the MLP with initial weights, and dropout of probability `p` after the second hidden layer.
    pub(crate) fn new(p: f32, lr: f64, seed: u64) -> Result<Self> {
        const WIDTH: usize = 64;
        let net = Sequential::new()
            .add(Linear::new(1, WIDTH).weight_init(nn::Init::HeNormal))
            .add(ReLU)
            .add(Linear::new(WIDTH, WIDTH).weight_init(nn::Init::HeNormal))
            .add(ReLU)
            .add(Dropout::new(p))
            .add(Linear::new(WIDTH, 1));
        let (net, params) = nn::build(net, seed);
        let optimizer = Optimizer::new(Adam { lr, ..Adam::default() }, &params)?;
        Ok(Self { net, params, tape: Tape::new(), optimizer, seed, step: 0 })
    }

    /// Takes one step over all points; returns their mean squared error before it.
    pub(crate) fn train(&mut self, points: &Points) -> f64 {
        let loss = self.error(points, Mode::train(self.seed, self.step));
        self.optimizer.step(&mut self.params);
        self.step += 1;
        loss
    }

    /// The mean squared error in evaluation mode.
    pub(crate) fn evaluate(&mut self, points: &Points) -> f64 {
        self.error(points, Mode::eval())
    }

    fn error(&mut self, points: &Points, mode: Mode) -> f64 {
        let n = points.x.len();
        let loss = self.tape.step(&mut self.params, mode, |g| {
            let prediction = self.net.forward(g, g.input([n, 1], &points.x));
            g.mse_loss(prediction, g.input([n, 1], &points.y), Reduction::Mean)
        });
        loss.into()
    }

    /// The outputs for these inputs. Dropout is off or, for a stochastic pass, on and keyed by the pass's
    /// number.
    pub(crate) fn predict(&mut self, x: &[f32], stochastic_pass: Option<u64>) -> Vec<f64> {
        let mode = match stochastic_pass {
            None => Mode::eval(),
            Some(pass) => Mode::train(self.seed, pass).with_grad(false),
        };
        let g = self.tape.begin(&mut self.params, mode);
        let input = g.input([x.len(), 1], x);
        let y = self.net.forward(&g, input);
        statistics::wide(g.value(y))
    }
}
