//! How a run updates the weights: the update rule, the learning rate of each step, slow and averaged weights.

mod checks;
mod length;
mod slow;

use std::fmt;

use anyhow::{Context, Error, Result};
use autograd::Params;
use optim::average::Ema;
use optim::schedule::{Schedule, Warmup, options_in_effect, schedule_named};
use optim::{Groups, Optimizer, Param, Parameters, Pattern};
use serde_json::{Value, json};

pub use checks::check_reach;
use checks::{check_freezes, check_rates};
pub use length::Length;
use length::steps;
use slow::Slow;

use crate::checkpoint::{Checkpoint, check_length};
use crate::choice::{Choice, values, words};
use crate::cli::{Settings, TrainArgs};
use crate::flags::{GroupFlag, freezes};
use crate::idle::idle_flags;

/// The groups of the recipe's tensors in a checkpoint.
const OPTIMIZER: &str = "optimizer";
const AVERAGE: &str = "average";
const SLOW: &str = "lookahead";

/// Checks combinations of flags.
///
/// # Errors
/// When flags are incompatible, or one has no effect.
pub fn check(args: &TrainArgs) -> Result<()> {
    check_length(&args.settings)?;
    Recipe::check(&args.settings)?;
    idle_flags(&args.settings).into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

/// The optimizer of a run, its learning-rate schedules, and the slow and averaged weights.
pub struct Recipe {
    optimizer: Optimizer<f32>,
    schedule: Box<dyn Schedule>,
    /// The schedules of the optimizer's groups that have their own.
    of_groups: Vec<Option<Box<dyn Schedule>>>,
    /// The parameters that are frozen from a step on.
    freezes: Vec<(u64, Vec<String>)>,
    slow: Option<Slow>,
    average: Option<Ema<f32>>,
    /// The rules in words, without their learning rates.
    at_any_rate: String,
    description: String,
    /// The same with every value, for the run's record.
    values: Value,
}

impl Recipe {
    /// The recipe of the settings; `adam_lr` is Adam's default learning rate.
    ///
    /// # Errors
    /// When there is no such rule or schedule, the rule rejects a value, or a group has no parameter.
    pub fn new(settings: &Settings, params: &Params, length: Length, adam_lr: f64) -> Result<Self> {
        let lr = settings.learning_rate(adam_lr);
        let (main, for_vectors) = Choice::of(settings, lr)?;
        let flags = GroupFlag::all(&settings.group).map_err(Error::msg).context("--group")?;

        let mut groups = Groups::new(main.clone(), params);
        if let Some(rest) = &for_vectors {
            groups = groups.rule(|param: &Param| !main.takes(param), rest.clone());
        }
        for flag in &flags {
            let lr = flag.lr.unwrap_or(lr);
            let rest = for_vectors.as_ref().filter(|_| flag.rule.is_none());
            groups = groups.rule(flag, main.of_group(flag, lr, rest)?);
            let is_rest = |param: &Param| Pattern::matches(&flag, param) && !main.takes(param);
            let mut trained = params.all_entries().filter(|entry| entry.is_trainable).map(Param::from);
            if let Some(rest) = rest
                && trained.any(|param| is_rest(&param))
            {
                groups = groups.rule(is_rest, rest.of_group(flag, lr, Some(&main))?);
            }
        }
        let optimizer = Optimizer::with_groups(groups).map_err(without_call)?;

        let schedule = schedule_of(settings, &settings.schedule, lr, length.n_steps, length)?;
        let mut of_groups = Vec::new();
        let mut freezes = Vec::new();
        let (mut rules, mut at_any_rate, mut all_values) = (Vec::new(), Vec::new(), Vec::new());
        for group in optimizer.groups() {
            let first = group.params().first().expect("a group has parameters");
            let flag = flags.iter().rev().find(|flag| (*flag).matches(first));
            of_groups.push(flag.map(|flag| group_schedule(settings, flag, lr, length)).transpose()?);
            if let Some(epochs) = flag.and_then(|flag| flag.freeze_after) {
                let names = group.params().iter().map(|param| param.name.clone()).collect();
                freezes.push((length.step_after(epochs), names));
            }
            let whose = match (optimizer.groups().len(), flag) {
                (1, _) => String::new(),
                (_, Some(flag)) => format!(" for {}", flag.selector),
                (_, None) => format!(" for {} tensors", group.params().len()),
            };
            rules.push(format!("{}{whose}", words(group.rule().rule(), true)));
            at_any_rate.push(format!("{}{whose}", words(group.rule().rule(), false)));
            all_values.push(json!({
                "group": flag.map(|flag| &flag.selector),
                "tensors": group.params().len(),
                "rule": values(group.rule().rule()),
                "schedule": flag.map(|flag| group_schedule_values(settings, flag, lr, length)).transpose()?,
                "freeze_after": flag.and_then(|flag| flag.freeze_after),
            }));
        }
        let own = of_groups.iter().flatten().map(|own| ("--group", own));
        for (flag, schedule) in [("--schedule", &schedule)].into_iter().chain(own) {
            check_rates(flag, schedule.as_ref(), length)?;
        }
        freezes.extend(later_freezes(settings, length)?);
        check_freezes(settings, params, &freezes)?;
        let steps = steps(length.last_step());
        let mut description = format!("{}; {} schedule over {steps}", rules.join(", "), settings.schedule);
        let (warmup, _) = settings.schedule_flags.warmup(&settings.schedule, length.steps_per_epoch);
        if warmup >= length.n_steps {
            description += ", all of it warm-up (--warmup is as long as the run)";
        }
        let slow = match settings.lookahead {
            Some(k) => {
                description += &format!(", look-ahead every {k} steps");
                Some(Slow::new(params, k as u64, settings.lookahead_decay, length.n_steps)?)
            }
            None => None,
        };
        let average = match settings.ema {
            Some(decay) => {
                description += &format!(", evaluated with the moving average of the weights (decay {decay})");
                Some(Ema::new(params.values().len(), decay, true).context("--ema")?)
            }
            None => None,
        };
        Ok(Self {
            optimizer,
            schedule,
            of_groups,
            freezes,
            slow,
            average,
            at_any_rate: at_any_rate.join(", "),
            description,
            values: json!({
                "groups": all_values,
                "schedule": schedule_values(settings, &settings.schedule, lr, length.n_steps, length)?,
            }),
        })
    }

    /// Checks that rules and schedules accept the settings, for any network.
    ///
    /// # Errors
    /// When there is no such rule or schedule, or it rejects a value.
    pub fn check(settings: &Settings) -> Result<()> {
        let (main, for_vectors) = Choice::of(settings, 0.0)?;
        let length = Length::new(10, 10);
        schedule_of(settings, &settings.schedule, 0.0, 100, length)?;
        for flag in GroupFlag::all(&settings.group).map_err(Error::msg).context("--group")? {
            let rest = for_vectors.as_ref().filter(|_| flag.rule.is_none());
            main.of_group(&flag, 0.0, rest)?;
            rest.map_or(Ok(()), |rest| rest.of_group(&flag, 0.0, Some(&main)).map(drop))?;
            group_schedule(settings, &flag, 0.0, length)?;
        }
        Ok(())
    }

    /// The update rules in words, without their learning rates.
    pub fn rules_at_any_rate(&self) -> &str {
        &self.at_any_rate
    }

    /// Every value of the rules and schedules: `groups` has the rule of each group, and the schedule of those that flags
    /// made; `schedule` is the run's. Lengths are in steps.
    pub fn values(&self) -> &Value {
        &self.values
    }

    /// Freezes the parameters that are frozen from this step on.
    pub fn before_step(&mut self, params: &mut Params, step: u64) {
        self.freezes.retain(|(first, names)| {
            let is_due = step >= *first;
            if is_due {
                for name in names {
                    params.freeze(name).expect("what is frozen is the network's");
                }
            }
            !is_due
        });
    }

    /// Takes one optimizer step; returns its learning rate by the run's schedule.
    pub fn update(&mut self, params: &mut Params, step: u64) -> f64 {
        for (group_idx, own) in self.of_groups.iter().enumerate() {
            let schedule = own.as_ref().unwrap_or(&self.schedule);
            self.optimizer.follow_group(group_idx, schedule.as_ref(), step);
        }
        self.optimizer.step(params);
        if let Some(slow) = &mut self.slow {
            slow.after_step(params, step);
        }
        if let Some(average) = &mut self.average {
            average.update(params);
        }
        self.schedule.lr(step)
    }

    /// Takes one optimizer step with all groups at this learning rate, regardless of their schedules.
    pub fn step_at(&mut self, params: &mut Params, lr: f64) {
        self.optimizer.set_lr(lr);
        self.optimizer.step(params);
    }

    /// Replaces the weights by their running average and returns the original ones; `None` without `--ema` or
    /// before its first step.
    pub fn write_average(&self, params: &mut Params) -> Option<Vec<f32>> {
        let average = self.average.as_ref().filter(|average| average.n_updates() > 0)?;
        let weights = params.values().to_vec();
        average.write_to(params);
        Some(weights)
    }

    /// Replaces the weights by their running average for good, if there is one.
    pub fn take_average(&mut self, params: &mut Params) {
        self.write_average(params);
        self.average = None;
    }

    /// Saves the state of optimizer, slow and averaged weights in a checkpoint.
    pub fn save(&self, checkpoint: &mut Checkpoint, params: &Params) {
        checkpoint.n_updates = self.optimizer.n_steps();
        for (name, values) in self.optimizer.state() {
            checkpoint.tensors.add(OPTIMIZER, &name, values);
        }
        if let Some(slow) = &self.slow {
            checkpoint.tensors.add_model(SLOW, params, slow.values());
        }
        if let Some(average) = &self.average {
            checkpoint.n_averaged = average.n_updates();
            checkpoint.tensors.add_model(AVERAGE, params, average.raw());
        }
    }

    /// Restores what [`save`](Self::save) put there.
    ///
    /// # Errors
    /// When it is the state of another rule or of another network.
    pub fn resume(&mut self, checkpoint: &Checkpoint, params: &Params) -> Result<()> {
        self.optimizer
            .load_state(checkpoint.n_updates, checkpoint.tensors.group(OPTIMIZER))
            .context("the state of the optimizer")?;
        // Slow or averaged weights that the checkpoint lacks start now, the slow ones from its weights.
        if let Some(slow) = &mut self.slow {
            let has_slow = checkpoint.tensors.group(SLOW).next().is_some();
            let weights =
                if has_slow { checkpoint.tensors.model(SLOW, params)? } else { params.values().to_vec() };
            slow.resume(checkpoint.n_updates, &weights);
        }
        if let Some(average) = self.average.as_mut().filter(|_| checkpoint.n_averaged > 0) {
            let raw = checkpoint.tensors.model(AVERAGE, params)?;
            average.resume(checkpoint.n_averaged, &raw);
        }
        Ok(())
    }
}

/// A group without parameters, in the words of the command line.
fn without_call(error: optim::Error) -> Error {
    match error {
        optim::Error::NoMatch { pattern, known, .. } => {
            Error::msg(format!("{pattern} matches no trainable parameter; the parameters are {known}"))
        }
        optim::Error::RuleShape { owner, name, shape, expected } => Error::msg(format!(
            "--group: {owner} takes {expected}, and {name} has the shape {shape:?}: choose others for rule={owner}, such as \
             filters or matrices"
        )),
        error => Error::new(error).context("--group"),
    }
}

/// The parameters that `--freeze-after` freezes, and from which steps.
fn later_freezes(settings: &Settings, length: Length) -> Result<Vec<(u64, Vec<String>)>> {
    let freezes = freezes(&settings.freeze_after).map_err(Error::msg).context("--freeze-after")?;
    Ok(freezes.into_iter().map(|(epochs, paths)| (length.step_after(epochs), paths)).collect())
}

/// The named schedule over this many steps. The flags for the run's schedule apply if it has the same name.
fn schedule_of(
    settings: &Settings,
    name: &str,
    lr: f64,
    n_steps: u64,
    length: Length,
) -> Result<Box<dyn Schedule>> {
    let given = given(settings, name, length);
    let options = options_of(&given);
    let (warmup_steps, start_factor) = settings.schedule_flags.warmup(name, length.steps_per_epoch);
    let warmup_steps = warmup_steps.min(n_steps);
    let then = schedule_named(name, lr, n_steps - warmup_steps, &options).context("--schedule")?;
    if warmup_steps == 0 {
        return Ok(then);
    }
    let warmup = Warmup { warmup_steps, start_factor, then };
    warmup.check().context("--warmup-start")?;
    Ok(Box::new(warmup))
}

/// The options given for a schedule: those of the flags if it has the name of the run's.
fn given(settings: &Settings, name: &str, length: Length) -> Vec<(&'static str, Vec<f64>)> {
    let flags = Some(&settings.schedule_flags).filter(|_| name == settings.schedule);
    let given = flags.map(|flags| flags.given(name, length.steps_per_epoch)).unwrap_or_default();
    given.into_iter().map(|(_, option, numbers)| (option, numbers)).collect()
}

fn options_of<'a>(given: &'a [(&'static str, Vec<f64>)]) -> Vec<(&'static str, &'a [f64])> {
    given.iter().map(|(option, numbers)| (*option, numbers.as_slice())).collect()
}

/// The values of [`schedule_of`] with these arguments.
fn schedule_values(settings: &Settings, name: &str, lr: f64, n_steps: u64, length: Length) -> Result<Value> {
    let (warmup_steps, warmup_start) = settings.schedule_flags.warmup(name, length.steps_per_epoch);
    let warmup_steps = warmup_steps.min(n_steps);
    let mut values = json!({
        "name": name, "lr": lr, "steps": n_steps, "warmup_steps": warmup_steps, "warmup_start": warmup_start,
    });
    let given = given(settings, name, length);
    let in_effect = options_in_effect(name, lr, n_steps - warmup_steps, &options_of(&given));
    for (option, numbers) in in_effect.context("--schedule")? {
        values[option] = if option == "milestones" { json!(numbers) } else { json!(numbers[0]) };
    }
    Ok(values)
}

fn group_schedule_values(settings: &Settings, flag: &GroupFlag, lr: f64, length: Length) -> Result<Value> {
    let (name, n_steps) = name_and_length(settings, flag, length);
    schedule_values(settings, name, flag.lr.unwrap_or(lr), n_steps, length)
}

/// The name of a group's schedule, and its length in steps.
fn name_and_length<'a>(settings: &'a Settings, flag: &'a GroupFlag, length: Length) -> (&'a str, u64) {
    let n_steps = flag.schedule_epochs.map_or(length.n_steps, |epochs| length.step_after(epochs));
    (flag.schedule.as_ref().unwrap_or(&settings.schedule), n_steps)
}

fn group_schedule(
    settings: &Settings,
    flag: &GroupFlag,
    lr: f64,
    length: Length,
) -> Result<Box<dyn Schedule>> {
    let (name, n_steps) = name_and_length(settings, flag, length);
    schedule_of(settings, name, flag.lr.unwrap_or(lr), n_steps, length)
        .with_context(|| format!("--group {}", flag.selector))
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use optim::schedule::SCHEDULE_NAMES;
    use optim::{EarlyStopping, RULE_NAMES, Stopper};

    use super::*;
    use crate::checkpoint::{Config, State};
    use crate::cli::{Cli, Command};

    pub(super) fn settings(more: &[&str]) -> Settings {
        let line = [&["descent", "train"], more].concat();
        let Command::Train(args) = Cli::parse_from(line).command() else { unreachable!() };
        args.settings
    }

    pub(super) const LENGTH: Length = Length::new(4, 5);

    pub(super) fn network() -> Params {
        let net =
            nn::Sequential::new().add(nn::Conv2d::new(3, 4, 3)).add(nn::Flatten).add(nn::Linear::new(16, 2));
        nn::build(net, 0).1
    }

    #[test]
    fn whatever_is_listed_can_run() {
        for (optimizer, schedule) in RULE_NAMES.iter().zip(SCHEDULE_NAMES.iter().cycle()) {
            let settings = settings(&["--optimizer", optimizer, "--schedule", schedule]);
            Recipe::check(&settings).unwrap();
            let mut params = network();
            let before = params.values().to_vec();
            params.grads_mut().fill(0.1);
            let mut recipe = Recipe::new(&settings, &params, LENGTH, 1e-3).unwrap();
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

    /// Every hyperparameter and option of every rule has a flag.
    #[test]
    fn every_hyperparameter_is_a_flag() {
        for name in RULE_NAMES {
            let rule = optim::rule_named::<f32>(name).unwrap();
            let numbers = rule.rule().hyperparameters().into_iter().map(|(name, x)| (name, x.to_string()));
            for (hyperparameter, text) in numbers.chain(rule.rule().options()) {
                // Infinite values are so by default, and a flag takes no such number.
                if text == "inf" {
                    continue;
                }
                let flag = format!("--{}={text}", hyperparameter.replace('_', "-"));
                Recipe::check(&settings(&["--optimizer", name, &flag]))
                    .unwrap_or_else(|error| panic!("{name} {flag}: {error:#}"));
            }
        }
    }

    #[test]
    fn a_flag_that_the_rule_or_the_schedule_does_not_have_is_refused_with_those_that_it_has() {
        for (flags, expected) in [
            (
                &["--momentum", "0.9"][..],
                "--momentum: adam has no hyperparameter `momentum`; it has lr, beta1, ",
            ),
            (&["--nesterov"], "--nesterov: adam has no hyperparameter `nesterov`; it has lr, "),
            (&["--optimizer", "sgd", "--beta1", "0.9"], "--beta1: sgd has no hyperparameter `beta1`"),
            (&["--beta1", "1.5"], "--beta1: adam: beta1 = 1.5 is outside [0, 1)"),
            (&["--gamma", "0.5"], "--schedule: constant has no hyperparameter `gamma`; it has none"),
            (
                &["--schedule", "cosine", "--power", "2"],
                "cosine has no hyperparameter `power`; it has t_max, eta_min",
            ),
            (
                &["--schedule", "cosine-restarts", "--t-0", "2", "--t-mult", "1.5"],
                "cosine-restarts: t_mult = 1.5 is not a whole number",
            ),
            (&["--group", "filters: rule=adm"], "--group filters: rule=adm"),
            (&["--group", "filters: spin=1"], "--group filters: adam has no hyperparameter `spin`"),
        ] {
            let error =
                Recipe::check(&settings(flags)).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected) || error.contains("unknown optimizer"), "{flags:?}: {error}");
        }
        let settings = settings(&["--group", "head: lr=1"]);
        let error =
            Recipe::new(&settings, &network(), LENGTH, 0.1).err().map_or(String::new(), |e| format!("{e:#}"));
        let expected = "--group head matches no trainable parameter; the parameters are 0.weight";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_run_of_one_step_is_not_one_of_steps() {
        for (length, expected) in [(Length::new(1, 1), "over 1 step"), (LENGTH, "over 20 steps")] {
            let recipe = Recipe::new(&settings(&[]), &network(), length, 1e-3).unwrap();
            assert!(recipe.to_string().ends_with(expected), "{recipe}");
        }
    }

    #[test]
    fn a_run_that_is_all_warm_up_says_so() {
        for (epochs, expected) in [("3", false), ("4", true)] {
            let settings = settings(&["--schedule", "linear", "--warmup", epochs]);
            let recipe = Recipe::new(&settings, &network(), LENGTH, 1e-3).unwrap();
            assert_eq!(recipe.to_string().contains("all of it warm-up"), expected, "{recipe}");
            assert!(!recipe.rules_at_any_rate().contains("lr"), "{}", recipe.rules_at_any_rate());
        }
    }

    /// The biases of a group go to AdamW, as without it.
    #[test]
    fn a_group_beside_muon_may_hold_biases() {
        let settings =
            settings(&["--optimizer=muon", "--group=0: lr=0.25 momentum=0.5 beta1=0.8 weight_decay=0"]);
        Recipe::check(&settings).unwrap();
        let recipe = Recipe::new(&settings, &network(), LENGTH, 1e-3).unwrap().to_string();
        for expected in [
            "muon (lr 0.25, weight_decay 0, momentum 0.5",
            "adamw (lr 0.25, beta1 0.8",
            "muon (lr 0.001",
            "adamw (lr 0.001",
        ] {
            assert!(recipe.contains(expected), "{expected}: {recipe}");
        }
        let settings = self::settings(&["--optimizer=muon", "--group=0: rule=muon"]);
        let error = Recipe::new(&settings, &network(), LENGTH, 1e-3).err().unwrap().to_string();
        assert!(error.contains("0.bias has the shape [4]") && !error.contains("Param::"), "{error}");
        let error = Recipe::check(&self::settings(&["--optimizer=muon", "--group=0: spin=1"])).unwrap_err();
        assert!(format!("{error:#}").contains("no hyperparameter `spin`"), "{error:#}");
    }

    #[test]
    fn groups_have_rates_schedules_and_an_end_of_their_own() {
        let settings = settings(&[
            "--optimizer=sgd",
            "--lr=0.5",
            "--weight-decay=0",
            "--schedule=linear",
            "--group=filters: rule=muon lr=0.25 adjust_lr=original; 2: lr=1 schedule=constant",
            "--group=0.bias: schedule_epochs=2 freeze_after=2",
        ]);
        let mut params = network();
        let mut recipe = Recipe::new(&settings, &params, LENGTH, 1e-3).unwrap();
        assert!(recipe.to_string().contains("muon (lr 0.25"), "{recipe}");
        params.grads_mut().fill(1.0);
        for step in 0..20_u64 {
            recipe.before_step(&mut params, step);
            let find = |name| params.find(name).unwrap();
            let ids = ["0.bias", "2.bias"].map(find);
            assert_eq!(params.entry(ids[0]).is_trainable(), step < 10, "step {step}");
            let before = ids.map(|id| params.value(id)[0]);
            assert!((recipe.update(&mut params, step) - 0.5 * (1.0 - step as f64 / 20.0)).abs() < 1e-12);
            let moved = [0, 1].map(|i| f64::from(before[i] - params.value(ids[i])[0]));
            let expected = [if step < 10 { 0.5 * (1.0 - step as f64 / 10.0) } else { 0.0 }, 1.0];
            for (moved, expected) in moved.into_iter().zip(expected) {
                assert!((moved - expected).abs() < 1e-5, "step {step}: {moved}, expected {expected}");
            }
        }
    }

    #[test]
    fn lengths_of_schedules_are_in_epochs() {
        let lr = |flags: &[&str], step| {
            let settings = settings(&[&["--lr", "1"], flags].concat());
            schedule_of(&settings, &settings.schedule, 1.0, 20, LENGTH).unwrap().lr(step)
        };
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        close(lr(&["--schedule", "step", "--step-size", "2", "--gamma", "0.5"], 10), 0.5);
        close(lr(&["--schedule", "multi-step", "--milestones", "1,2", "--gamma", "0.5"], 10), 0.25);
        close(lr(&["--schedule", "exponential", "--gamma", "0.5"], 10), 0.25);
        close(lr(&["--schedule", "linear", "--warmup", "2", "--warmup-start", "0.5"], 5), 0.75);
        close(lr(&["--schedule", "linear", "--warmup", "2", "--warmup-start", "0.5"], 15), 0.5);
    }

    #[test]
    fn slow_weights_and_averages_that_a_checkpoint_lacks_start_from_its_weights() {
        let initial = network();
        let mut params = initial.clone();
        params.values_mut().fill(0.25);
        let plain = settings(&[]);
        let stopper = Stopper::<f32>::new(EarlyStopping::default()).unwrap();
        let config = Config::without_images(&plain);
        let mut checkpoint = Checkpoint::new(config, State::default(), stopper.progress());
        Recipe::new(&plain, &params, LENGTH, 1e-3).unwrap().save(&mut checkpoint, &params);
        let added = settings(&["--lookahead", "5", "--ema", "0.9"]);
        let mut recipe = Recipe::new(&added, &initial, LENGTH, 1e-3).unwrap();
        recipe.resume(&checkpoint, &params).unwrap();
        assert!(recipe.slow.as_ref().unwrap().values().iter().all(|&value| value == 0.25));
        assert!(recipe.write_average(&mut params).is_none());
        params.grads_mut().fill(0.1);
        recipe.update(&mut params, 0);
        assert!(recipe.write_average(&mut params).is_some());
    }

    #[test]
    fn slow_weights_follow_at_first_and_are_left_at_the_end() {
        let settings =
            settings(&["--optimizer", "sgd", "--lr", "1", "--weight-decay", "0", "--lookahead", "2"]);
        let mut params = network();
        let (mut fast, mut slow) = (params.values()[0], params.values()[0]);
        params.grads_mut().fill(0.5);
        let mut recipe = Recipe::new(&settings, &params, LENGTH, 1e-3).unwrap();
        for t in 1..=20_u64 {
            recipe.update(&mut params, t - 1);
            fast -= 0.5;
            if t % 2 == 0 {
                let kept = (0.95_f64.powi(2) * (t as f64 / 20.0).powi(3)) as f32;
                slow += (1.0 - kept) * (fast - slow);
                fast = slow;
            }
            assert!(
                (params.values()[0] - fast).abs() < 1e-4,
                "step {t}: {} instead of {fast}",
                params.values()[0]
            );
        }
    }
}
