//! Normalisation: subtract a mean, divide by a deviation, scale and shift.
//!
//! | | mean and deviation are of |
//! |---|---|
//! | [batch](batch_norm_forward_train) | a channel, over all images and pixels |
//! | [layer](layer_norm_forward) | the features of one row; RMS normalisation subtracts no mean |
//! | [group](group_norm_forward) | some channels of one image; instance normalisation has one channel in a group |
//! | [local response](local_response_norm_forward) | neighbouring channels of one pixel; no mean, and a power of the sum |
//!
//! A missing weight is 1, a missing bias 0. Nothing cancels however far from zero the numbers are: means and
//! squared deviations are accumulated in f64, and a mean is never rounded to f32 before it is subtracted.

mod affine;
mod batch;
mod columns;
mod group;
mod layer;
mod local_response;
mod pointwise;
pub(crate) mod reference;

pub use batch::{
    BatchNormSaved, BatchNormShape, Statistics, batch_norm_backward, batch_norm_forward_eval,
    batch_norm_forward_train, batch_norm_statistics,
};
pub use columns::Channels;
pub use group::{GroupNormSaved, GroupNormShape, group_norm_backward, group_norm_forward};
pub use layer::{LayerNormSaved, LayerNormShape, layer_norm_backward, layer_norm_forward};
pub use local_response::{LocalResponseNormShape, local_response_norm_backward, local_response_norm_forward};
pub use pointwise::Pointwise;

/// Saves a mean and a deviation: the mean in two floats, and √(var + eps).
fn save(saved: &mut [f32], exact_mean: f64, exact_std: f64) {
    saved[0] = exact_mean as f32;
    saved[1] = (exact_mean - f64::from(saved[0])) as f32;
    saved[2] = exact_std as f32;
}

/// Reads the saved mean and deviation.
#[inline(always)]
fn saved(saved: &[f32]) -> (f64, f64) {
    (f64::from(saved[0]) + f64::from(saved[1]), f64::from(saved[2]))
}
