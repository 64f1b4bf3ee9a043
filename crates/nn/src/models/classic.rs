//! The lecture's network, LeNet-5 and the perceptron.

use super::size::{ImageSize, check_size};
use crate::init::Init;
use crate::layers::{AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Tanh};
use crate::sequential::Sequential;

/// The convolutional network for CIFAR-10 that the project trains: three blocks of 3 × 3 convolution, ReLU
/// and 2 × 2 max-pool with 32, 64 and 128 channels, then 2048 → 256 → 10 with dropout in between.
///
/// Input `[n, 32, 32, 3]`, output `[n, 10]`; 620,362 parameters. Weights are uniform within He's bounds ±√(6
/// / fan_in), biases are zero. [`lecture_cnn_for`] is the same network for other images.
///
/// ```
/// use nn::Layer;
/// let (net, params) = nn::build(nn::models::lecture_cnn(0.5), 0);
/// assert_eq!(net.summary(&params, [1, 32, 32, 3]).n_params(), 620_362);
/// ```
pub fn lecture_cnn(dropout: f32) -> Sequential {
    lecture_cnn_for([32, 32, 3], 10, dropout)
}

/// [`lecture_cnn`] for images of any size and any number of classes: `[n, height, width, channels]` to `[n,
/// n_classes]`.
///
/// # Panics
/// When a side has fewer than 8 pixels.
#[track_caller]
// ANCHOR: lecture_cnn
pub fn lecture_cnn_for(image: ImageSize, n_classes: usize, dropout: f32) -> Sequential {
    check_size("lecture_cnn", image, 8);
    let [height, width, channels] = image;
    let conv = |i, o| Conv2d::new(i, o, 3).padding(1).weight_init(Init::HeUniform).bias_value(0.0);
    let linear = |i, o| Linear::new(i, o).weight_init(Init::HeUniform).bias_value(0.0);
    Sequential::new()
        .add(conv(channels, 32))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(conv(32, 64))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(conv(64, 128))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(linear(128 * (height / 8) * (width / 8), 256)) // 2048 for CIFAR-10
        .add(ReLU)
        .add(Dropout::new(dropout))
        .add(linear(256, n_classes))
}
// ANCHOR_END: lecture_cnn

/// LeNet-5: two 5 × 5 convolutions with 6 and 16 channels, each followed by tanh and 2 × 2 mean-pooling, then
/// 120, 84 and `n_classes` units. LeCun et al., "Gradient-based learning applied to document recognition",
/// 1998; as it is built today, with every channel of the second convolution connected to all six and a linear
/// last layer.
///
/// Images smaller than 32 pixels, such as MNIST's, get a border of 2 zeros. 61,706 parameters for one
/// channel, ten classes and 28 or 32 pixels, PyTorch's default initialisation.
///
/// # Panics
/// When a side has fewer than 12 pixels.
#[track_caller]
pub fn lenet5(image: ImageSize, n_classes: usize) -> Sequential {
    check_size("lenet5", image, 12);
    let [height, width, channels] = image;
    let padding = [height, width].map(|side| if side < 32 { 2 } else { 0 });
    let pooled = |axis: usize| ((image[axis] + 2 * padding[axis] - 4) / 2 - 4) / 2;
    Sequential::new()
        .add(Conv2d::new(channels, 6, 5).padding(padding))
        .add(Tanh)
        .add(AvgPool2d::new(2))
        .add(Conv2d::new(6, 16, 5))
        .add(Tanh)
        .add(AvgPool2d::new(2))
        .add(Flatten)
        .add(Linear::new(16 * pooled(0) * pooled(1), 120))
        .add(Tanh)
        .add(Linear::new(120, 84))
        .add(Tanh)
        .add(Linear::new(84, n_classes))
}

/// A perceptron: hidden layers of these sizes with ReLU, then a linear layer; without hidden layers, softmax
/// regression.
///
/// The input is images, or vectors of height · width · channels numbers. Weights are uniform within He's
/// bounds, biases are zero.
pub fn mlp(image: ImageSize, hidden: &[usize], n_classes: usize) -> Sequential {
    let linear = |i, o| Linear::new(i, o).weight_init(Init::HeUniform).bias_value(0.0);
    let mut net = Sequential::new().add(Flatten);
    let mut n_features = image.iter().product();
    for &size in hidden {
        net = net.add(linear(n_features, size)).add(ReLU);
        n_features = size;
    }
    net.add(linear(n_features, n_classes))
}
