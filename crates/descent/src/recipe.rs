//! How a run moves the weights: the update rule, the learning rate of each step, the average, the watch for NaN.

use std::fmt;

use anyhow::{Context, Result};
use autograd::Params;
use optim::average::Ema;
use optim::schedule::{Schedule, schedule_named};
use optim::{AdamW, AnyRule, Error, Groups, LrAdjustment, Muon, Optimizer, Param, rule_named};

use crate::checkpoint::Checkpoint;
use crate::cli::Settings;

/// The one rule that does not take every shape.
const MUON: &str = "muon";

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
        let lr = learning_rate(settings, adam_lr);
        let (optimizer, rules) = if settings.optimizer == MUON {
            let (muon, adamw) = muon_and_adamw(settings, lr);
            let [first, second]: [AnyRule<f32>; 2] = [muon.into(), adamw.into()];
            let rules = format!("{first:?} for matrices, {second:?} for the rest");
            let is_no_matrix = |param: &Param| param.shape.len() < 2;
            (Optimizer::with_groups(Groups::new(muon, params).rule(is_no_matrix, adamw))?, rules)
        } else {
            let rule = rule(settings, lr)?;
            let rules = format!("{rule:?}");
            (Optimizer::new(rule, params)?, rules)
        };
        let schedule = schedule_named(&settings.schedule, lr, n_steps).context("--schedule")?;
        let mut description = format!("{rules}, {} schedule over {n_steps} steps", settings.schedule);
        let average = match settings.ema {
            Some(decay) => {
                description += &format!(", evaluated with the moving average of the weights (decay {decay})");
                Some(Ema::new(params.values().len(), decay, true).context("--ema")?)
            }
            None => None,
        };
        Ok(Self { optimizer, schedule, average, description })
    }

    /// Whether the update rule takes what the settings say of it, for any network.
    ///
    /// # Errors
    /// When there is no such rule, or it does not take a value.
    pub fn check(settings: &Settings) -> Result<()> {
        if settings.optimizer == MUON { Ok(()) } else { rule(settings, 0.0).map(drop) }
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

    /// One step along the gradient at this learning rate, whatever the schedule says.
    pub fn step_at(&mut self, params: &mut Params, lr: f64) {
        self.optimizer.set_lr(lr);
        self.optimizer.step(params);
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

/// The learning rate that is asked for, or that of the rule.
pub fn learning_rate(settings: &Settings, adam_lr: f64) -> f64 {
    settings.lr.unwrap_or(match settings.optimizer.as_str() {
        "adam" => adam_lr,
        "sgd" => 0.02,
        _ => 1e-3,
    })
}

/// The rule of that name, which moves tensors of any shape.
fn rule(settings: &Settings, lr: f64) -> Result<AnyRule<f32>> {
    let mut rule = rule_named::<f32>(&settings.optimizer).context("--optimizer")?;
    rule.set("lr", lr).context("--lr")?;
    for (name, value) in [("weight_decay", Some(settings.weight_decay)), ("momentum", settings.momentum)] {
        let Some(value) = value else { continue };
        match rule.set(name, value) {
            // Nobody asked for the default of --weight-decay: a rule without it goes without.
            Err(Error::NoHyperparameter { .. }) if name == "weight_decay" => {}
            result => result.with_context(|| format!("--{}", name.replace('_', "-")))?,
        }
    }
    Ok(rule)
}

/// Muon takes matrices only. Its learning rate is adjusted to AdamW's, so that both can have the same.
fn muon_and_adamw(settings: &Settings, lr: f64) -> (Muon, AdamW) {
    let weight_decay = settings.weight_decay;
    let mut muon = Muon { lr, weight_decay, adjust_lr: LrAdjustment::MatchRmsAdamw, ..Muon::default() };
    muon.momentum = settings.momentum.unwrap_or(muon.momentum);
    (muon, AdamW { lr, weight_decay, ..AdamW::default() })
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use optim::RULE_NAMES;
    use optim::schedule::SCHEDULE_NAMES;

    use super::*;
    use crate::cli::{Cli, Command};

    fn settings(more: &[&str]) -> Settings {
        let line = [&["descent", "train"], more].concat();
        let Command::Train(args) = Cli::parse_from(line).command() else { unreachable!() };
        args.settings
    }

    #[test]
    fn whatever_is_listed_can_run() {
        let net = || {
            nn::Sequential::new().add(nn::Conv2d::new(3, 4, 3)).add(nn::Flatten).add(nn::Linear::new(16, 2))
        };
        for (optimizer, schedule) in RULE_NAMES.iter().zip(SCHEDULE_NAMES.iter().cycle()) {
            let settings = settings(&["--optimizer", optimizer, "--schedule", schedule]);
            Recipe::check(&settings).unwrap();
            let (_, mut params) = nn::build(net(), 0);
            let before = params.values().to_vec();
            params.grads_mut().fill(0.1);
            let mut recipe = Recipe::new(&settings, &params, 20, 1e-3).unwrap();
            for step in 0..20 {
                recipe.update(&mut params, step);
            }
            for entry in params.entries() {
                let (now, before) = (&params.values()[entry.range.clone()], &before[entry.range.clone()]);
                assert!(now != before, "{optimizer}, {schedule}: {} does not move", entry.name);
                assert!(now.iter().all(|value| value.is_finite()), "{optimizer}, {schedule}");
            }
        }
    }
}
