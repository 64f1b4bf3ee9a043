//! The action when loss or gradient is not finite: `--on-nan`.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// The action when loss or gradient is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnNan {
    /// End with an error; the last checkpoint stays.
    Stop,
    /// Leave the weights unchanged and continue with the next batch.
    Skip,
    /// Take the step anyway.
    Continue,
}

/// The non-finite values of a step.
#[derive(Debug)]
pub struct NonFinite {
    /// The mean loss of the batch.
    pub loss: f32,
    /// The first parameter whose gradient is not finite, as reported by [`optim::check_finite`].
    pub gradient: Option<String>,
    /// The op where it first appeared, with `--detect-anomaly`.
    pub op: Option<String>,
}

impl NonFinite {
    /// Checks the results of a step; `None` if all are finite.
    pub fn find(loss: f32, gradient: Result<(), optim::Error>, op: Option<String>) -> Option<Self> {
        let gradient = gradient.err().map(|error| error.to_string());
        (!loss.is_finite() || gradient.is_some() || op.is_some()).then_some(Self { loss, gradient, op })
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the loss is {}", self.loss)?;
        if let Some(gradient) = &self.gradient {
            write!(f, ", the gradient of {gradient}")?;
        }
        match &self.op {
            Some(op) => write!(f, "; it first appears in {op}"),
            None => f.write_str(" (--detect-anomaly names the op)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use optim::{Param, check_finite_slice};

    use super::*;

    #[test]
    fn an_infinity_in_the_loss_or_in_the_gradient_alone_is_found() {
        let params = [Param::new("0.weight", 0..2), Param::new("0.bias", 2..4)];
        let find =
            |loss, gradient: &[f32]| NonFinite::find(loss, check_finite_slice(&params, gradient), None);
        assert!(find(1.5, &[1.0, -2.0, 0.0, 3.0]).is_none());
        let loss = find(f32::INFINITY, &[1.0; 4]).expect("an infinite loss");
        assert_eq!(loss.to_string(), "the loss is inf (--detect-anomaly names the op)");
        let gradient = find(1.5, &[1.0, 2.0, f32::NEG_INFINITY, f32::NAN]).expect("an infinite gradient");
        let said = gradient.to_string();
        assert!(said.starts_with("the loss is 1.5, the gradient of `0.bias` is -inf at index 0"), "{said}");
    }
}
