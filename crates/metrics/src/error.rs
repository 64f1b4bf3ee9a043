//! Errors for invalid scores.

use std::fmt;

/// Why an update was rejected. None of its samples are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A score is NaN, so it cannot be compared.
    NotANumber {
        /// The index of the sample in the update.
        sample: usize,
        /// The index of the score in the sample.
        class: usize,
    },
    /// A probability is outside [0, 1].
    NotAProbability {
        /// The index of the sample in the update.
        sample: usize,
        /// The index of the score in the sample.
        class: usize,
        /// The value found.
        value: f32,
    },
    /// The largest logit of a sample is infinite, so its probabilities are undefined.
    InfiniteLogit {
        /// The index of the sample in the update.
        sample: usize,
        /// The value found.
        value: f32,
    },
    /// A regression prediction or target is NaN or infinite.
    NotFinite {
        /// The index of the sample in the update.
        sample: usize,
        /// The prediction.
        prediction: f32,
        /// The target.
        target: f32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotANumber { sample, class } => {
                write!(f, "sample {sample} of the update has the score NaN for class {class}")
            }
            Self::NotAProbability { sample, class, value } => write!(
                f,
                "sample {sample} of the update has {value} for class {class}, expected a probability from 0 to 1: \
                 take the softmax of logits first"
            ),
            Self::InfiniteLogit { sample, value } => write!(
                f,
                "the largest logit of sample {sample} of the update is {value}, expected a finite number"
            ),
            Self::NotFinite { sample, prediction, target } => write!(
                f,
                "sample {sample} of the update has the prediction {prediction} and the target {target}, expected \
                 finite numbers"
            ),
        }
    }
}

impl std::error::Error for Error {}
