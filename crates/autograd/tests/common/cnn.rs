//! A convolutional network on bare `Graph` methods.

use autograd::{Conv2dOptions, Graph, ParamId, Params, Pool2dOptions, Var};
use tensor::activation::Activation;

use crate::weights::weight;

/// Three blocks of convolution, ReLU and pool on 32 × 32 images, and two linear layers with dropout.
pub(crate) struct Cnn {
    convs: Vec<[ParamId; 2]>,
    hidden: [ParamId; 2],
    out: [ParamId; 2],
}

impl Cnn {
    pub(crate) fn new(params: &mut Params) -> Self {
        let mut layer = |name: &str, dims: &[usize]| {
            [
                weight(params, &format!("{name}.weight"), dims),
                weight(params, &format!("{name}.bias"), &dims[..1]),
            ]
        };
        let channels = [3, 32, 64, 128];
        Self {
            convs: (0..3).map(|i| layer(&i.to_string(), &[channels[i + 1], channels[i], 3, 3])).collect(),
            hidden: layer("hidden", &[256, 2048]),
            out: layer("out", &[10, 256]),
        }
    }

    /// The logits of images [n, 32, 32, 3]; fused blocks or one op at a time.
    pub(crate) fn logits(&self, g: &Graph<'_>, mut x: Var, fused: bool) -> Var {
        let options = Conv2dOptions { padding: [1, 1], ..Default::default() };
        for (i, &[w, b]) in self.convs.iter().enumerate() {
            x = g.scope(["conv0", "conv1", "conv2"][i], |g| {
                let (w, b) = (g.param(w), g.param(b));
                if fused {
                    return g.conv_relu_pool(x, w, Some(b), options);
                }
                let y = g.conv2d(x, w, Some(b), options);
                let y = g.relu(y);
                g.max_pool2d(y, Pool2dOptions::new([2, 2]))
            });
        }
        let x = g.flatten(x);
        let (w, b) = (g.param(self.hidden[0]), g.param(self.hidden[1]));
        let x = if fused {
            g.linear_activation(x, w, Some(b), Activation::Relu)
        } else {
            let x = g.linear(x, w, Some(b));
            g.relu(x)
        };
        let x = g.scope("dropout", |g| g.dropout(x, 0.5));
        let (w, b) = (g.param(self.out[0]), g.param(self.out[1]));
        g.linear(x, w, Some(b))
    }
}
