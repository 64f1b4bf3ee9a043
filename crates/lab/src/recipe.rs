//! How a run moves the weights: the update rule, the learning rate of each step, the watch for NaN.

use std::fmt;

use anyhow::{Context, Result, bail};
use autograd::{Entry, Params, Role};
use optim::schedule::{Schedule, StepLr};
use optim::{Error, Optimizer, Param, rule_named};

use crate::cli::TrainArgs;

/// The optimizer of a run and its learning-rate schedule.
pub struct Recipe {
    optimizer: Optimizer<f32>,
    schedule: Box<dyn Schedule>,
    description: String,
}

impl Recipe {
    /// What the flags ask for, over `n_steps` steps in all.
    ///
    /// # Errors
    /// When there is no such rule or schedule, or the rule does not take a value.
    pub fn new(args: &TrainArgs, params: &Params, n_steps: u64, epochs: u64) -> Result<Self> {
        let mut rule = rule_named::<f32>(&args.optimizer).context("--optimizer")?;
        let lr = args.lr.unwrap_or_else(|| default_lr(&args.optimizer));
        rule.set("lr", lr).context("--lr")?;
        for (flag, value) in [("weight_decay", args.weight_decay), ("momentum", args.momentum)] {
            match rule.set(flag, value) {
                // A value nobody asked for is no reason to refuse a rule that has no use for it.
                Err(Error::NoHyperparameter { .. }) if value == 0.0 => {}
                result => result.with_context(|| format!("--{}", flag.replace('_', "-")))?,
            }
        }
        let description = format!("{rule:?}, {} schedule, {n_steps} steps in {epochs} epochs", args.schedule);
        let schedule = schedule_named(&args.schedule, lr, n_steps)?;
        let entries = params.entries().iter().filter(|entry| entry.role == Role::Trainable);
        let ranges = entries.map(|e| Param::new(e.name.clone(), e.range.clone()).with_shape(e.shape.dims()));
        Ok(Self { optimizer: Optimizer::new(rule, ranges)?, schedule, description })
    }

    /// One step along the gradient; gives back the learning rate it was taken with.
    pub fn update(&mut self, params: &mut Params, step: u64) -> f64 {
        self.optimizer.follow(self.schedule.as_ref(), step);
        let (values, grads) = params.values_and_grads();
        self.optimizer.step(values, grads);
        self.optimizer.lr()
    }
}

/// The learning rate of a rule when nobody says: the lecture's for Adam, else one that suits the network.
fn default_lr(rule: &str) -> f64 {
    match rule {
        "adam" => 5e-3,
        "sgd" => 0.02,
        _ => 1e-3,
    }
}

/// A schedule by name; `step` multiplies by 0.1 after each third of the run.
fn schedule_named(name: &str, lr: f64, n_steps: u64) -> Result<Box<dyn Schedule>> {
    Ok(match name {
        "constant" => Box::new(move |_| lr),
        "step" => Box::new(StepLr { lr, step_size: n_steps.div_ceil(3), gamma: 0.1 }),
        _ => bail!("--schedule: there is no schedule named `{name}`; there are constant, step"),
    })
}

/// The first trainable parameter whose gradient holds NaN or an infinity.
pub fn first_bad_gradient(params: &Params) -> Option<&str> {
    let trainable = params.entries().iter().filter(|entry| entry.role == Role::Trainable);
    let is_bad = |entry: &&Entry| params.grads()[entry.range.clone()].iter().any(|g| !g.is_finite());
    trainable.into_iter().find(is_bad).map(|entry| entry.name.as_str())
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}
