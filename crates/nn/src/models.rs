//! Networks ready to be built.

use crate::init::Init;
use crate::layers::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU};
use crate::sequential::Sequential;

/// The convolutional network for CIFAR-10 that the project trains: three blocks of 3 × 3 convolution,
/// ReLU and 2 × 2 max-pool with 32, 64 and 128 channels, then 2048 → 256 → 10 with dropout between.
///
/// Input `[n, 32, 32, 3]`, output `[n, 10]`; 620,362 parameters. Weights are uniform in He's bounds
/// ±√(6 / fan_in), biases are zero.
///
/// ```
/// use nn::Layer;
/// let (net, params) = nn::build(nn::models::lecture_cnn(0.5), 0);
/// assert_eq!(net.summary(&params, [1, 32, 32, 3]).n_params(), 620_362);
/// ```
// ANCHOR: lecture_cnn
pub fn lecture_cnn(dropout: f32) -> Sequential {
    let conv = |i, o| Conv2d::new(i, o, 3).padding(1).weight_init(Init::HeUniform).bias_value(0.0);
    let linear = |i, o| Linear::new(i, o).weight_init(Init::HeUniform).bias_value(0.0);
    Sequential::new()
        .add(conv(3, 32))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(conv(32, 64))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(conv(64, 128))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(linear(2048, 256))
        .add(ReLU)
        .add(Dropout::new(dropout))
        .add(linear(256, 10))
}
// ANCHOR_END: lecture_cnn

/// An MLP with two hidden layers under dropout: 256 units at p = 0.5, 128 at p = 0.3.
///
/// Input `[n, 32, 32, 3]`, output `[n, 10]`; 820,874 parameters, PyTorch's default initialisation.
pub fn dropout_mlp() -> Sequential {
    Sequential::new()
        .add(Flatten)
        .add(Linear::new(3072, 256))
        .add(ReLU)
        .add(Dropout::new(0.5))
        .add(Linear::new(256, 128))
        .add(ReLU)
        .add(Dropout::new(0.3))
        .add(Linear::new(128, 10))
}
