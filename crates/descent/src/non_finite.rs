//! The action when loss, gradient or running statistics are not finite: `--on-nan`.

use std::fmt;

use autograd::{Params, Role};
use clap::ValueEnum;
use optim::check_finite;
use serde::Serialize;

/// The action when loss, gradient or running statistics are NaN or infinite.
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
    /// The first running statistic that is not finite after the step's forward pass.
    pub statistic: Option<String>,
    /// The op where it first appeared, with `--detect-anomaly`.
    pub op: Option<String>,
}

impl NonFinite {
    /// Checks the results of a step; `None` if all are finite.
    pub fn find(loss: f32, params: &Params, op: Option<String>) -> Option<Self> {
        let gradient = check_finite(params).err().map(|error| error.to_string());
        let statistic = statistic(params);
        let is_bad = !loss.is_finite() || gradient.is_some() || statistic.is_some() || op.is_some();
        is_bad.then_some(Self { loss, gradient, statistic, op })
    }
}

/// The first running statistic that is NaN or infinite.
fn statistic(params: &Params) -> Option<String> {
    params.entries().iter().filter(|entry| entry.role == Role::Statistic).find_map(|entry| {
        let values = &params.values()[entry.range.clone()];
        let index = values.iter().position(|value| !value.is_finite())?;
        Some(format!("`{}` is {} at index {index}", entry.name, values[index]))
    })
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the loss is {}", self.loss)?;
        if let Some(gradient) = &self.gradient {
            write!(f, ", the gradient of {gradient}")?;
        }
        if let Some(statistic) = &self.statistic {
            write!(f, ", the running statistic {statistic}")?;
        }
        match &self.op {
            Some(op) => write!(f, "; it first appears in {op}"),
            None => f.write_str(" (--detect-anomaly names the op)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infinity_in_the_loss_the_gradient_or_the_statistics_alone_is_found() {
        let mut params = Params::new();
        let ids = ["0.weight", "0.bias"].map(|name| params.add(name, [2], Role::Trainable));
        let mean = params.add("1.running_mean", [3], Role::Statistic);
        assert!(NonFinite::find(1.5, &params, None).is_none());
        let loss = NonFinite::find(f32::INFINITY, &params, None).expect("an infinite loss");
        assert_eq!(loss.to_string(), "the loss is inf (--detect-anomaly names the op)");

        let start = params.entry(ids[1]).range.start;
        params.grads_mut()[start..][..2].copy_from_slice(&[f32::NEG_INFINITY, f32::NAN]);
        let gradient = NonFinite::find(1.5, &params, None).expect("an infinite gradient");
        let said = gradient.to_string();
        assert!(said.starts_with("the loss is 1.5, the gradient of `0.bias` is -inf at index 0"), "{said}");

        params.grads_mut().fill(0.0);
        params.value_mut(mean)[2] = f32::INFINITY;
        let statistic = NonFinite::find(1.5, &params, None).expect("an infinite statistic");
        let said = statistic.to_string();
        let expected = "the loss is 1.5, the running statistic `1.running_mean` is inf at index 2";
        assert!(said.starts_with(expected), "{said}");
    }
}
