//! What happens when a number is none: `--on-nan`.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What a run does when loss or gradient is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnNan {
    /// End with an error; the last checkpoint stands.
    Stop,
    /// Leave the weights as they are and take the next batch.
    Skip,
    /// Take the step nevertheless.
    Continue,
}

/// What is wrong with the numbers of a step.
#[derive(Debug)]
pub struct Bad {
    /// The mean loss of the batch.
    pub loss: f32,
    /// The first parameter whose gradient is not finite, as [`optim::check_finite`] says it.
    pub gradient: Option<String>,
    /// The op where it began, with `--detect-anomaly`.
    pub op: Option<String>,
}

impl Bad {
    /// Looks at what a step has computed; `None` when all is finite.
    pub fn find(loss: f32, gradient: Result<(), optim::Error>, op: Option<String>) -> Option<Self> {
        let gradient = gradient.err().map(|error| error.to_string());
        (!loss.is_finite() || gradient.is_some() || op.is_some()).then_some(Self { loss, gradient, op })
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the loss is {}", self.loss)?;
        if let Some(gradient) = &self.gradient {
            write!(f, ", the gradient of {gradient}")?;
        }
        match &self.op {
            Some(op) => write!(f, "; it begins in {op}"),
            None => f.write_str(" (--detect-anomaly names the op)"),
        }
    }
}
