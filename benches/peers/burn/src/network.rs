//! The networks of the benchmarks in burn's modules.

use bench_protocol::{Layer, Network};
use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

/// Convolutions, each with ReLU and max-pool, then linear layers with ReLU between, dropout before the last.
#[derive(Module, Debug)]
pub struct Net {
    convs: Vec<Conv2d>,
    pool: MaxPool2d,
    linears: Vec<Linear>,
    dropout: Dropout,
    loss: CrossEntropyLoss,
}

impl Net {
    /// The network with the weights that every driver starts with.
    pub fn new(spec: &Network, device: &Device) -> Self {
        let (mut convs, mut linears) = (Vec::new(), Vec::new());
        for (idx, layer) in spec.layers.iter().enumerate() {
            let weight = TensorData::new(spec.initial_weight(idx), layer.weight_shape());
            let bias = Some(Param::from_tensor(Tensor::zeros([layer.n_outputs()], device)));
            match *layer {
                Layer::Conv { in_channels, out_channels } => {
                    let config = Conv2dConfig::new([in_channels, out_channels], [3, 3])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
                    let weight = Param::from_tensor(Tensor::from_data(weight, device));
                    convs.push(Conv2d { weight, bias, ..config.init(device) });
                }
                Layer::Linear { .. } => {
                    // burn keeps [in, out].
                    let weight = Tensor::<2>::from_data(weight, device).transpose();
                    let weight = Param::from_tensor(Tensor::from_data(weight.into_data(), device));
                    linears.push(Linear { weight, bias });
                }
            }
        }
        Self {
            convs,
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            linears,
            dropout: DropoutConfig::new(spec.dropout).init(),
            loss: CrossEntropyLossConfig::new().init(device),
        }
    }

    /// Logits `[batch, 10]` of a batch `[batch, n_inputs]`.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let mut x = inputs;
        if !self.convs.is_empty() {
            let mut images = x.reshape([0, 3, 32, 32]);
            for conv in &self.convs {
                images = self.pool.forward(relu(conv.forward(images)));
            }
            x = images.flatten(1, 3);
        }
        let last = self.linears.len() - 1;
        for linear in &self.linears[..last] {
            x = relu(linear.forward(x));
        }
        self.linears[last].forward(self.dropout.forward(x))
    }

    /// The mean cross-entropy of a batch.
    pub fn loss(&self, inputs: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        self.loss.forward(self.forward(inputs), labels)
    }
}
