//! The networks of the benchmarks through the framework's public interface, as a user writes them.

use anyhow::Result;
use autograd::{Mode, Params, Tape};
use bench_protocol::{Layer as Weighted, Network};
use nn::{Dropout, Layer, Linear, ReLU, Sequential, models};
use optim::{Adam, Optimizer};
use tensor::Shape;

/// A network that is trained.
pub struct Training {
    net: Sequential,
    params: Params,
    tape: Tape,
    optimizer: Optimizer<f32>,
    is_image: bool,
    step: u64,
}

/// A network that predicts.
pub struct Inference {
    net: Sequential,
    params: Params,
    tape: Tape,
    is_image: bool,
}

impl Training {
    /// With the weights that every driver starts with.
    ///
    /// # Errors
    /// If the optimizer refuses a hyperparameter.
    pub fn new(spec: &Network) -> Result<Self> {
        let (net, params) = built(spec);
        let adam = Adam { lr: spec.lr, weight_decay: spec.weight_decay, ..Adam::default() };
        let optimizer = Optimizer::new(adam, &params)?;
        Ok(Self { net, params, tape: Tape::new(), optimizer, is_image: is_image(spec), step: 0 })
    }

    /// The weights and the gradients of the last step.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Forward, backward and update on a batch: `[n, 32, 32, 3]` for the CNN, `[n, features]` for a perceptron.
    /// The mean loss.
    pub fn step(&mut self, inputs: &[f32], labels: &[u32]) -> f32 {
        let loss = self.tape.step(&mut self.params, Mode::train(0, self.step), |g| {
            let x = g.input(batch_shape(self.is_image, inputs, labels.len()), inputs);
            g.cross_entropy(self.net.forward(g, x), g.indices(labels))
        });
        self.optimizer.step(&mut self.params);
        self.step += 1;
        loss
    }
}

impl Inference {
    /// With the weights that every driver starts with.
    pub fn new(spec: &Network) -> Self {
        let (net, params) = built(spec);
        Self { net, params, tape: Tape::new(), is_image: is_image(spec) }
    }

    /// The logits of a batch of `n` in evaluation mode, given to `read`.
    pub fn predict<R>(&mut self, inputs: &[f32], n: usize, read: impl FnOnce(&[f32]) -> R) -> R {
        let g = self.tape.begin(&mut self.params, Mode::eval());
        let x = g.input(batch_shape(self.is_image, inputs, n), inputs);
        let logits = self.net.forward(&g, x);
        read(g.value(logits))
    }
}

/// Planes `[n, 3, 1024]`, as CIFAR's files hold them, in the order `[n, 1024, 3]` of this project's images.
pub fn nhwc(planes: &[f32]) -> Vec<f32> {
    let image = |planes: &[f32]| -> Vec<f32> {
        (0..1024).flat_map(|pixel| [planes[pixel], planes[1024 + pixel], planes[2048 + pixel]]).collect()
    };
    planes.chunks_exact(3072).flat_map(image).collect()
}

fn built(spec: &Network) -> (Sequential, Params) {
    let net = if is_image(spec) { models::lecture_cnn(spec.dropout as f32) } else { perceptron(spec) };
    let (net, mut params) = nn::build(net, 0);
    // Weight and bias in turn, as PyTorch's state_dict has them.
    let ids: Vec<_> = params.ids().collect();
    for (layer_idx, pair) in ids.chunks_exact(2).enumerate() {
        params.value_mut(pair[0]).copy_from_slice(&spec.initial_weight(layer_idx));
        params.value_mut(pair[1]).fill(0.0);
    }
    (net, params)
}

fn perceptron(spec: &Network) -> Sequential {
    let mut net = Sequential::new();
    for (layer_idx, layer) in spec.layers.iter().enumerate() {
        let is_last = layer_idx + 1 == spec.layers.len();
        if is_last && spec.dropout > 0.0 {
            net = net.add(Dropout::new(spec.dropout as f32));
        }
        net = net.add(Linear::new(layer.fan_in(), layer.n_outputs()));
        if !is_last {
            net = net.add(ReLU);
        }
    }
    net
}

fn is_image(spec: &Network) -> bool {
    matches!(spec.layers[0], Weighted::Conv { .. })
}

fn batch_shape(is_image: bool, inputs: &[f32], n: usize) -> Shape {
    if is_image { [n, 32, 32, 3].into() } else { [n, inputs.len() / n].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_protocol::{Work, uniform};

    #[test]
    fn the_networks_have_the_sizes_of_their_plan_and_learn() -> Result<()> {
        for work in [Work::CnnCheck, Work::MlpTrain, Work::TinyTrain] {
            let spec = Network { lr: 1e-3, ..Network::of(work).expect("a network") };
            let mut training = Training::new(&spec)?;
            assert_eq!(training.params.values().len(), spec.n_parameters());
            let inputs = uniform(1, 16 * spec.n_inputs(), 1.0);
            let labels: Vec<u32> = (0..16).map(|i| i % 10).collect();
            let first = training.step(&inputs, &labels);
            let last = (0..30).map(|_| training.step(&inputs, &labels)).last().expect("steps");
            assert!(last < 0.8 * first, "{work}: {first} and then {last}");
        }
        Ok(())
    }

    /// The first loss of `cnn-check` in PyTorch 2.15 on these inputs: `pytorch.py`'s network, cross-entropy of
    /// `uniform(1, (16, 3, 32, 32), 1)` with the labels 0, 1, … 9, 0, ….
    #[test]
    fn the_weights_lie_where_pytorch_has_them() -> Result<()> {
        let spec = Network::of(Work::CnnCheck).expect("a network");
        let inputs = nhwc(&uniform(1, 16 * 3072, 1.0));
        let labels: Vec<u32> = (0..16).map(|i| i % 10).collect();
        let loss = Training::new(&spec)?.step(&inputs, &labels);
        assert!((loss - PYTORCH_LOSS).abs() < 1e-4, "{loss}");
        Ok(())
    }

    const PYTORCH_LOSS: f32 = 5.111_858;

    #[test]
    fn prediction_does_not_drop() {
        let spec = Network::cnn();
        let inputs = uniform(1, 3 * 3072, 1.0);
        let mut net = Inference::new(&spec);
        let first = net.predict(&inputs, 3, <[f32]>::to_vec);
        assert_eq!(first.len(), 30);
        assert_eq!(net.predict(&inputs, 3, <[f32]>::to_vec), first);
    }
}
