//! The networks that are trained, and the weights they start with.

use keyed_random::{splitmix64, unit};

use crate::Work;

/// A layer with weights; what stands between them follows from the kind (see [`Network`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// 3×3 convolution with padding 1, then ReLU and 2×2 max-pooling. Weights `[out, in, 3, 3]`.
    Conv {
        /// Channels before.
        in_channels: usize,
        /// Channels after.
        out_channels: usize,
    },
    /// Fully connected, then ReLU unless it is the last layer. Weights `[out, in]`.
    Linear {
        /// Features before.
        in_features: usize,
        /// Features after.
        out_features: usize,
    },
}

/// A network of the first works, and what trains it: cross-entropy and Adam with coupled (L2) weight decay.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The layers with weights, in order.
    pub layers: Vec<Layer>,
    /// The probability of dropout before the last layer.
    pub dropout: f64,
    /// Adam's step; β 0.9 and 0.999, ε 1e-8.
    pub lr: f64,
    /// Added to the gradient as `weight_decay · w`, biases included.
    pub weight_decay: f64,
}

impl Layer {
    /// The shape of the weights, in PyTorch's order.
    pub fn weight_shape(&self) -> Vec<usize> {
        match *self {
            Self::Conv { in_channels, out_channels } => vec![out_channels, in_channels, 3, 3],
            Self::Linear { in_features, out_features } => vec![out_features, in_features],
        }
    }

    /// The number of biases.
    pub fn n_outputs(&self) -> usize {
        self.weight_shape()[0]
    }

    /// The inputs an output is a sum over.
    pub fn fan_in(&self) -> usize {
        self.weight_shape()[1..].iter().product()
    }
}

impl Network {
    /// The lecture's CNN on 3 × 32 × 32 images: 620,362 parameters.
    pub fn cnn() -> Self {
        let conv = |in_channels, out_channels| Layer::Conv { in_channels, out_channels };
        let mut layers = vec![conv(3, 32), conv(32, 64), conv(64, 128)];
        layers.extend(linears(&[2048, 256, 10]));
        Self { layers, dropout: 0.5, lr: 0.005, weight_decay: 1e-4 }
    }

    /// The network of a training or inference work; `None` for the others, and for those of a [`Model`](crate::Model).
    pub fn of(work: Work) -> Option<Self> {
        let mlp = |sizes| Self { layers: linears(sizes), dropout: 0.0, lr: 0.001, weight_decay: 0.0 };
        match work {
            Work::CnnTrain | Work::CnnInfer | Work::CnnEpoch => Some(Self::cnn()),
            // Adam's first steps are as long as `lr` whatever the gradient: a small one keeps rounding errors small.
            Work::CnnCheck => Some(Self { dropout: 0.0, lr: 1e-4, ..Self::cnn() }),
            Work::MlpTrain => Some(mlp(&[784, 512, 512, 10])),
            Work::TinyTrain => Some(mlp(&[16, 20, 21, 10])),
            Work::Model(..) | Work::Conv(..) | Work::Optimizer(_) | Work::Tensor(_) | Work::Probe(_) => None,
        }
    }

    /// Weights and biases together.
    pub fn n_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.n_outputs() * (layer.fan_in() + 1)).sum()
    }

    /// What a batch holds of each image: all 3,072 bytes for a convolution, the first `in_features` otherwise.
    pub fn n_inputs(&self) -> usize {
        match self.layers[0] {
            Layer::Conv { .. } => crate::IMAGE_BYTES,
            Layer::Linear { in_features, .. } => in_features,
        }
    }

    /// The weights that layer `layer_idx` starts with: He-uniform, U(±√(6/fan_in)). Biases start at zero.
    pub fn initial_weight(&self, layer_idx: usize) -> Vec<f32> {
        let layer = self.layers[layer_idx];
        uniform(layer_idx as u64, layer.n_outputs() * layer.fan_in(), (6.0 / layer.fan_in() as f64).sqrt())
    }
}

fn linears(sizes: &[usize]) -> Vec<Layer> {
    let pairs = sizes.windows(2);
    pairs.map(|pair| Layer::Linear { in_features: pair[0], out_features: pair[1] }).collect()
}

/// `len` numbers from U(−bound, bound), each a function of `seed` and its index (SplitMix64), so that a driver in
/// another language makes the same ones.
pub fn uniform(seed: u64, len: usize, bound: f64) -> Vec<f32> {
    (0..len as u64).map(|idx| ((2.0 * element(seed, idx) - 1.0) * bound) as f32).collect()
}

/// Element `idx` of the stream `seed`, in [0, 1) with 24 bits.
fn element(seed: u64, idx: u64) -> f64 {
    unit(splitmix64(0, (seed << 40) + idx)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_have_the_promised_sizes() {
        assert_eq!(Network::cnn().n_parameters(), 620_362);
        assert_eq!(Network::of(Work::MlpTrain).map(|n| n.n_parameters()), Some(669_706));
        assert_eq!(Network::of(Work::TinyTrain).map(|n| n.n_parameters()), Some(1_001));
    }

    #[test]
    fn weights_fill_their_range_evenly() {
        let network = Network::cnn();
        for (idx, layer) in network.layers.iter().enumerate() {
            let weights = network.initial_weight(idx);
            let bound = (6.0 / layer.fan_in() as f64).sqrt();
            let n = weights.len() as f64;
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
            let square = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / n;
            assert!(weights.iter().all(|w| f64::from(w.abs()) <= bound * 1.000_001));
            // The mean of n numbers from U(±b) has a standard deviation of b/√(3n).
            assert!(mean.abs() < 4.0 * bound / (3.0 * n).sqrt(), "layer {idx}: mean {mean}");
            assert!((square / (bound * bound / 3.0) - 1.0).abs() < 4.0 / n.sqrt(), "layer {idx}: {square}");
        }
    }
}
