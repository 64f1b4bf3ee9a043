#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod basic;
mod defaults;
mod fan;
mod gain;
mod jacobi;
mod kaiming;
mod lsuv;
mod orthogonal;
mod patterns;
mod sparse;
mod truncated;
mod whitening;
mod xavier;

pub use basic::{constant, normal, uniform};
pub use defaults::{default_bias, default_weight};
pub use fan::{FanMode, fans};
pub use gain::Nonlinearity;
pub use kaiming::{kaiming_normal, kaiming_uniform};
pub use lsuv::{Lsuv, lsuv};
pub use orthogonal::orthogonal;
pub use patterns::{dirac, eye};
pub use sparse::sparse;
pub use truncated::truncated_normal;
pub use whitening::whitening;
pub use xavier::{xavier_normal, xavier_uniform};

/// Panics unless the shape fills the slice.
#[track_caller]
fn check_shape(op: &str, weights: &[f32], shape: &[usize]) {
    let n = shape.iter().fold(1, |n: usize, &size| n.saturating_mul(size));
    assert!(n == weights.len(), "{op}: shape {shape:?} has {n} elements, the slice {}", weights.len());
}
