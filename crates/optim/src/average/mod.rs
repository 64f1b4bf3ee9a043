//! Averages of the weights over the steps.
//!
//! Each holds its own copy of the weights and is fed after a step; evaluate with the average, go on training
//! with the weights. What has to be saved is the average and a count.

mod ema;
mod lookahead;
mod swa;

pub use ema::Ema;
pub use lookahead::Lookahead;
pub use swa::Swa;

#[track_caller]
fn check_length(op: &str, n_values: usize, n_average: usize) {
    assert!(n_values == n_average, "{op}: values has {n_values} elements, the average {n_average}");
}
