//! The specification: every kernel in f64, written as directly as its formula, and slow.
//!
//! Shapes, layouts and names are those of the kernels; results are returned. The functions are for the tests
//! of this crate and others. Each is in `reference.rs` of its operation's folder, next to the kernel.
//! [`assert_within`] compares a kernel's result with them, and since they are f64, numeric gradients computed
//! from them are accurate.

pub use crate::activation::reference::{
    elu, gelu_backward, gelu_forward, gelu_tanh, glu, hard_sigmoid, hard_swish, hard_tanh,
    leaky_relu_backward, leaky_relu_forward, log_sigmoid, mish, relu_backward, relu_forward, sigmoid,
    sigmoid_backward, sigmoid_forward, silu, softplus, tanh_backward, tanh_forward,
};
pub use crate::attention::reference::{
    attention_backward, attention_backward_scores, attention_forward, attention_weights,
};
pub use crate::broadcast::reference::{broadcast_forward, reduce_to_shape};
pub use crate::conv::reference::{
    conv_transpose2d_backward_input, conv_transpose2d_backward_weight, conv_transpose2d_forward,
    conv2d_backward_input, conv2d_backward_weight, conv2d_forward,
};
pub use crate::cumsum::reference::{cumsum_backward, cumsum_forward};
pub use crate::dropout::reference::{
    channel_dropout_backward, channel_dropout_forward, dropout_backward, dropout_forward,
};
pub use crate::embedding::reference::{embedding_backward, embedding_forward};
pub use crate::interpolate::reference::{interpolate2d_backward, interpolate2d_forward};
pub use crate::layout::reference::{gather_backward, gather_forward, permute, slice_backward, slice_forward};
pub use crate::linear::reference::{linear_backward_input, linear_backward_weight, linear_forward};
pub use crate::loss::reference::{
    class_masses, cross_entropy_backward, cross_entropy_forward, label_masses, log_softmax_backward,
    log_softmax_forward, nll_forward, softmax_backward, softmax_forward,
};
pub use crate::matmul::reference::{batched_matmul, matmul};
pub use crate::norm::reference::{
    batch_norm_backward, batch_norm_forward, batch_statistics, group_norm_backward, group_norm_forward,
    layer_norm_backward, layer_norm_forward, local_response_norm_backward, local_response_norm_forward,
};
pub use crate::pad::reference::{pad_backward, pad_forward};
pub use crate::pool::reference::{
    avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward, global_avg_pool2d_forward,
    max_pool2d_backward, max_pool2d_forward,
};
pub use crate::positions::reference::{rotary_forward, sinusoidal_forward};
pub use crate::random::reference::{normal, uniform};
pub use crate::recurrent::reference::{RecurrentGrads, recurrent_backward, recurrent_forward};
pub use crate::reduce::reference::sum_rows;
pub use crate::sort::reference::topk;

/// Half the distance from 1 to the next f32, 2⁻²⁴: the relative error of one rounding.
pub const EPSILON: f64 = f32::EPSILON as f64 / 2.0;

/// The numbers as f64.
pub fn to_f64(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// The absolute values as f64. A linear kernel's reference on absolute values gives the magnitude relative to
/// which its rounding error is measured.
pub fn magnitudes(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v).abs()).collect()
}

/// Checks |actual − expected| ≤ c · ε · magnitude for every element, with ε = [`EPSILON`].
///
/// A result smaller than the smallest normal f32 may round to zero.
///
/// # Panics
/// When an element is off (the message names the first), or when the lengths differ.
#[track_caller]
pub fn assert_within(actual: &[f32], expected: &[f64], magnitude: &[f64], c: f64) {
    assert_eq!((actual.len(), magnitude.len()), (expected.len(), expected.len()), "assert_within: lengths");
    for (idx, ((&actual, &expected), &magnitude)) in actual.iter().zip(expected).zip(magnitude).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        let bound = c * EPSILON * magnitude + f64::from(f32::MIN_POSITIVE);
        assert!(
            error <= bound,
            "element {idx}: {actual} instead of {expected}, off by {error:e} where {bound:e} is allowed"
        );
    }
}
