#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod evaluation;
mod images;

pub mod exact;
pub mod model;
pub mod output;
pub mod ranges;

pub use evaluation::{Evaluation, Score, are_finite, softmax};
pub use images::{DEFAULT_DIR, Images};
