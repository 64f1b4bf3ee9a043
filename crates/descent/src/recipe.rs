//! How a run moves the weights: the update rule, the learning rate of each step, the average, the watch for NaN.

use std::fmt;

use anyhow::{Context, Result};
use autograd::Params;
use optim::average::Ema;
use optim::schedule::{Schedule, schedule_named};
use optim::{Error, Optimizer, rule_named};

use crate::checkpoint::Checkpoint;
use crate::cli::Settings;

/// The groups of the recipe's tensors in a checkpoint.
const OPTIMIZER: &str = "optimizer";
const AVERAGE: &str = "average";

/// The optimizer of a run, its learning-rate schedule, and the moving average of the weights.
pub struct Recipe {
    optimizer: Optimizer<f32>,
    schedule: Box<dyn Schedule>,
    average: Option<Ema<f32>>,
    description: String,
}

impl Recipe {
    /// What the settings ask for, over `n_steps` steps in all; `adam_lr` is Adam's learning rate by default.
    ///
    /// # Errors
    /// When there is no such rule or schedule, or the rule does not take a value.
    pub fn new(settings: &Settings, params: &Params, n_steps: u64, adam_lr: f64) -> Result<Self> {
        let mut rule = rule_named::<f32>(&settings.optimizer).context("--optimizer")?;
        let lr = settings.lr.unwrap_or(match settings.optimizer.as_str() {
            "adam" => adam_lr,
            "sgd" => 0.02,
            _ => 1e-3,
        });
        rule.set("lr", lr).context("--lr")?;
        for (name, value) in [("weight_decay", Some(settings.weight_decay)), ("momentum", settings.momentum)]
        {
            let Some(value) = value else { continue };
            match rule.set(name, value) {
                // Nobody asked for the default of --weight-decay: a rule without it goes without.
                Err(Error::NoHyperparameter { .. }) if name == "weight_decay" => {}
                result => result.with_context(|| format!("--{}", name.replace('_', "-")))?,
            }
        }
        let schedule = schedule_named(&settings.schedule, lr, n_steps).context("--schedule")?;
        let mut description = format!("{rule:?}, {} schedule over {n_steps} steps", settings.schedule);
        let average = match settings.ema {
            Some(decay) => {
                description += &format!(", evaluated with the moving average of the weights (decay {decay})");
                Some(Ema::new(params.values().len(), decay, true).context("--ema")?)
            }
            None => None,
        };
        Ok(Self { optimizer: Optimizer::new(rule, params)?, schedule, average, description })
    }

    /// One step along the gradient; gives back the learning rate it was taken with.
    pub fn update(&mut self, params: &mut Params, step: u64) -> f64 {
        self.optimizer.follow(self.schedule.as_ref(), step);
        self.optimizer.step(params);
        if let Some(average) = &mut self.average {
            average.update(params);
        }
        self.optimizer.lr()
    }

    /// Puts the average of the weights so far in their place and returns them; `None` without `--ema`.
    pub fn write_average(&self, params: &mut Params) -> Option<Vec<f32>> {
        let average = self.average.as_ref()?;
        let weights = params.values().to_vec();
        average.write_to(params);
        Some(weights)
    }

    /// Puts the average of the weights in their place for good, if there is one.
    pub fn take_average(&mut self, params: &mut Params) {
        self.write_average(params);
        self.average = None;
    }

    /// Puts the state of optimizer and average into a checkpoint.
    pub fn save(&self, checkpoint: &mut Checkpoint, params: &Params) {
        checkpoint.n_updates = self.optimizer.n_steps();
        for (name, values) in self.optimizer.state() {
            checkpoint.tensors.add(OPTIMIZER, &name, values);
        }
        if let Some(average) = &self.average {
            checkpoint.n_averaged = average.n_updates();
            checkpoint.tensors.add_model(AVERAGE, params, average.raw());
        }
    }

    /// Takes over what [`save`](Self::save) put there.
    ///
    /// # Errors
    /// When it is the state of another rule or of another network.
    pub fn resume(&mut self, checkpoint: &Checkpoint, params: &Params) -> Result<()> {
        self.optimizer
            .load_state(checkpoint.n_updates, checkpoint.tensors.group(OPTIMIZER))
            .context("the state of the optimizer")?;
        // One that was not there before starts now.
        if let Some(average) = self.average.as_mut().filter(|_| checkpoint.n_averaged > 0) {
            let raw = checkpoint.tensors.model(AVERAGE, params)?;
            average.resume(checkpoint.n_averaged, &raw);
        }
        Ok(())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}
