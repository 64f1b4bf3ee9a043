//! The activations that ops take in the same pass, for the tests that hold for all of them.

use tensor::activation::Activation;

pub(crate) const ACTIVATIONS: [Activation; 4] =
    [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu];
