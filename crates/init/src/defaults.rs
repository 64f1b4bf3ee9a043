//! The initial values of PyTorch's `Linear` and `Conv1d` to `Conv3d`.

use rand::Rng;

use crate::{FanMode, Nonlinearity, fans, kaiming_uniform, uniform};

/// The weight of a new `torch.nn.Linear` or `Conv2d`: U(±1/√fan_in), which PyTorch writes as Kaiming-uniform
/// with `LeakyRelu(√5)`.
///
/// # Panics
/// When the shape does not fill the slice or has fewer than two dimensions.
#[track_caller]
pub fn default_weight(weights: &mut [f32], shape: &[usize], rng: &mut (impl Rng + ?Sized)) {
    kaiming_uniform(weights, shape, FanMode::FanIn, Nonlinearity::LeakyRelu(5f64.sqrt()), rng);
}

/// The matching bias: U(±1/√fan_in) with the fan-in of the weight; 0 if that is 0.
///
/// # Panics
/// When `weight_shape` has fewer than two dimensions.
#[track_caller]
pub fn default_bias(biases: &mut [f32], weight_shape: &[usize], rng: &mut (impl Rng + ?Sized)) {
    let (fan_in, _) = fans(weight_shape);
    if fan_in == 0 {
        return biases.fill(0.0);
    }
    let bound = 1.0 / (fan_in as f64).sqrt();
    uniform(biases, -bound, bound, rng);
}
