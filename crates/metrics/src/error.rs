//! Scores of which nothing can be said.

use std::fmt;

/// Why an update was refused. Nothing of it was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A score is NaN: it is neither larger nor smaller than another.
    NotANumber {
        /// Which sample of the update, from 0.
        sample: usize,
        /// Which score of the sample, from 0.
        class: usize,
    },
    /// What should be a probability lies outside [0, 1].
    NotAProbability {
        /// Which sample of the update, from 0.
        sample: usize,
        /// Which score of the sample, from 0.
        class: usize,
        /// What was found.
        value: f32,
    },
    /// The largest logit of a sample is infinite, so that its probabilities are not defined.
    InfiniteLogit {
        /// Which sample of the update, from 0.
        sample: usize,
        /// What was found.
        value: f32,
    },
    /// A prediction or a target of a regression is NaN or infinite.
    NotFinite {
        /// Which sample of the update, from 0.
        sample: usize,
        /// What was predicted.
        prediction: f32,
        /// What was to be predicted.
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
