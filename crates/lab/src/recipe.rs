//! How a run moves the weights: the update rule, the learning rate of each step, the watch for NaN.

use std::fmt;

use anyhow::{Context, Result};
use autograd::{Params, Role};
use optim::schedule::{Schedule, schedule_named};
use optim::{Error, Optimizer, Param, check_finite, rule_named};

use crate::cli::TrainArgs;

/// The optimizer of a run and its learning-rate schedule.
pub struct Recipe {
    optimizer: Optimizer<f32>,
    schedule: Box<dyn Schedule>,
    trainable: Vec<Param>,
    description: String,
}

impl Recipe {
    /// What the flags ask for, over `n_steps` steps in all; `adam_lr` is Adam's learning rate when nobody says.
    ///
    /// # Errors
    /// When there is no such rule or schedule, or the rule does not take a value.
    pub fn new(args: &TrainArgs, params: &Params, n_steps: u64, adam_lr: f64) -> Result<Self> {
        let mut rule = rule_named::<f32>(&args.optimizer).context("--optimizer")?;
        let lr = args.lr.unwrap_or(match args.optimizer.as_str() {
            "adam" => adam_lr,
            "sgd" => 0.02,
            _ => 1e-3,
        });
        rule.set("lr", lr).context("--lr")?;
        for (name, value) in [("weight_decay", Some(args.weight_decay)), ("momentum", args.momentum)] {
            let Some(value) = value else { continue };
            match rule.set(name, value) {
                // Nobody asked for the default of --weight-decay: a rule without it goes without.
                Err(Error::NoHyperparameter { .. }) if name == "weight_decay" => {}
                result => result.with_context(|| format!("--{}", name.replace('_', "-")))?,
            }
        }
        let schedule = schedule_named(&args.schedule, lr, n_steps).context("--schedule")?;
        let description = format!("{rule:?}, {} schedule over {n_steps} steps", args.schedule);
        let entries = params.entries().iter().filter(|entry| entry.role == Role::Trainable);
        let param =
            |e: &autograd::Entry| Param::new(e.name.clone(), e.range.clone()).with_shape(e.shape.dims());
        let trainable: Vec<_> = entries.map(param).collect();
        Ok(Self { optimizer: Optimizer::new(rule, trainable.clone())?, schedule, trainable, description })
    }

    /// Whether all gradients are finite.
    ///
    /// # Errors
    /// Names the first parameter whose gradient is not.
    pub fn check_gradients(&self, params: &Params) -> Result<(), Error> {
        check_finite(&self.trainable, params.grads())
    }

    /// One step along the gradient; gives back the learning rate it was taken with.
    pub fn update(&mut self, params: &mut Params, step: u64) -> f64 {
        self.optimizer.follow(self.schedule.as_ref(), step);
        let (values, grads) = params.values_and_grads();
        self.optimizer.step(values, grads);
        self.optimizer.lr()
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}
