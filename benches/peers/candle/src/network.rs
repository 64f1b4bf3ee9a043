//! The networks of the benchmarks in candle's layers.

use bench_protocol::{Layer, Network};
use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{Conv2d, Conv2dConfig, Dropout, Linear};

/// Convolutions, each with ReLU and max-pool, then linear layers with ReLU between, dropout before the last.
pub struct Net {
    convs: Vec<Conv2d>,
    linears: Vec<Linear>,
    dropout: Option<Dropout>,
}

const PADDED: Conv2dConfig =
    Conv2dConfig { padding: 1, stride: 1, dilation: 1, groups: 1, cudnn_fwd_algo: None };

impl Net {
    /// The network with the weights that every driver starts with, and its variables.
    pub fn new(spec: &Network) -> Result<(Self, Vec<Var>)> {
        let mut vars = Vec::new();
        let (mut convs, mut linears) = (Vec::new(), Vec::new());
        for (idx, layer) in spec.layers.iter().enumerate() {
            let weight = Var::from_vec(spec.initial_weight(idx), layer.weight_shape(), &Device::Cpu)?;
            let bias = Var::zeros(layer.n_outputs(), DType::F32, &Device::Cpu)?;
            let (w, b) = (weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
            match layer {
                Layer::Conv { .. } => convs.push(Conv2d::new(w, b, PADDED)),
                Layer::Linear { .. } => linears.push(Linear::new(w, b)),
            }
            vars.extend([weight, bias]);
        }
        let dropout = (spec.dropout > 0.0).then(|| Dropout::new(spec.dropout as f32));
        Ok((Self { convs, linears, dropout }, vars))
    }

    /// The same network without variables, so that forward records no graph.
    pub fn detached(&self) -> Self {
        let detach = |tensor: Option<&Tensor>| tensor.map(Tensor::detach);
        let conv = |c: &Conv2d| Conv2d::new(c.weight().detach(), detach(c.bias()), PADDED);
        let linear = |l: &Linear| Linear::new(l.weight().detach(), detach(l.bias()));
        Self {
            convs: self.convs.iter().map(conv).collect(),
            linears: self.linears.iter().map(linear).collect(),
            dropout: self.dropout.clone(),
        }
    }

    /// Logits `[batch, 10]` of a batch `[batch, n_inputs]`.
    pub fn forward(&self, inputs: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = inputs.clone();
        if !self.convs.is_empty() {
            x = x.reshape(((), 3, 32, 32))?;
            for conv in &self.convs {
                x = conv.forward(&x)?.relu()?.max_pool2d(2)?;
            }
            x = x.flatten_from(1)?;
        }
        let last = self.linears.len() - 1;
        for linear in &self.linears[..last] {
            x = linear.forward(&x)?.relu()?;
        }
        if let Some(dropout) = &self.dropout {
            x = dropout.forward(&x, train)?;
        }
        self.linears[last].forward(&x)
    }
}
