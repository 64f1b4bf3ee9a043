#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod accuracy;
mod binary;
mod calibration;
mod confusion;
mod error;
mod mean;
mod perplexity;
mod regression;
mod roc;
mod scores;
mod sum;

pub use accuracy::{Accuracy, TopK};
pub use binary::{Binary, BinaryCounts};
pub use calibration::{Bin, Calibration};
pub use confusion::{Average, ClassScores, ConfusionMatrix};
pub use error::Error;
pub use mean::Mean;
pub use perplexity::Perplexity;
pub use regression::Regression;
pub use roc::{Roc, RocPoint};
