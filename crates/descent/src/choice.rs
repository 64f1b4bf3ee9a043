//! An update rule with its settings.

use anyhow::{Context, Error, Result};
use optim::{AnyRule, Param, Rule, rule_named};
use serde_json::{Value, json};

use crate::cli::Settings;
use crate::flags::GroupFlag;

/// The one rule that does not take every shape.
pub(super) const MUON: &str = "muon";

/// The rule for the parameters that Muon does not take.
const ADAMW: &str = "adamw";

/// A rule by name, with its settings.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    rule: String,
    /// Hyperparameter and value as text, and the flag that set it. Later ones win.
    set: Vec<(String, String, String)>,
}

impl Choice {
    /// The rule that the flags select, with this learning rate; and if it takes matrices only, the rule for
    /// the rest.
    ///
    /// # Errors
    /// When there is no such rule, or it lacks a hyperparameter that a flag sets.
    pub(super) fn of(settings: &Settings, lr: f64) -> Result<(Self, Option<Self>)> {
        let new = |rule: &str| Self { rule: rule.to_owned(), set: Vec::new() };
        let (mut main, mut rest) = (new(&settings.optimizer), None);
        if main.rule == MUON {
            rest = Some(new(ADAMW));
            // Its learning rate is adjusted to AdamW's, so that both can have the same.
            main.put("adjust_lr", "match_rms_adamw".into());
        }
        for choice in [Some(&mut main), rest.as_mut()].into_iter().flatten() {
            choice.put("lr", lr.to_string());
            // --weight-decay always has a value, so rules without it ignore it.
            if choice.has("weight_decay")? {
                choice.put("weight_decay", settings.weight_decay.to_string());
            }
        }
        for (name, text) in given(settings) {
            match &mut rest {
                Some(rest) if !main.has(name)? => rest.put(name, text),
                _ => main.put(name, text),
            }
        }
        main.rule()?;
        rest.as_ref().map_or(Ok(()), |rest| rest.rule().map(drop))?;
        Ok((main, rest))
    }

    /// The flags whose hyperparameter the rule that the flags select does not have.
    pub(super) fn idle(settings: &Settings) -> Vec<(&'static str, Error)> {
        let rules = [settings.optimizer.as_str(), ADAMW];
        let rules = if settings.optimizer == MUON { &rules[..] } else { &rules[..1] };
        let refused = |(name, text): (&'static str, String)| {
            let refused = rules.iter().map(|rule| lacks(rule, name, &text)).collect::<Option<Vec<_>>>()?;
            let refused = refused.into_iter().next()?;
            Some((name, Error::new(refused).context(format!("--{}", name.replace('_', "-")))))
        };
        given(settings).filter_map(refused).collect()
    }

    /// The rule of a group: with the run's settings if the rules are the same, else with only its learning
    /// rate and weight decay.
    ///
    /// # Errors
    /// When there is no such rule, or it lacks a hyperparameter that the group sets and that the `other` rule of the
    /// same group, if there is one, lacks too.
    pub(super) fn of_group(&self, group: &GroupFlag, lr: f64, other: Option<&Self>) -> Result<Self> {
        let rule = group.rule.as_ref().unwrap_or(&self.rule);
        let mut choice = match *rule == self.rule {
            true => self.clone(),
            false => Self { rule: rule.clone(), set: Vec::new() },
        };
        let flag = || format!("--group {}", group.selector);
        choice.set.push(("lr".into(), lr.to_string(), flag()));
        if *rule != self.rule && choice.has("weight_decay")? {
            choice.set.extend(self.set.iter().filter(|(name, ..)| name == "weight_decay").cloned());
        }
        let is_others = |name: &str| -> Result<bool> {
            Ok(match other {
                Some(other) => !choice.has(name)? && other.has(name)?,
                None => false,
            })
        };
        let mut given = Vec::new();
        for (name, text) in &group.hyperparameters {
            if !is_others(name)? {
                given.push((name.clone(), text.clone(), flag()));
            }
        }
        choice.set.extend(given);
        choice.rule().map(|_| choice)
    }

    fn put(&mut self, name: &str, text: String) {
        self.set.push((name.to_owned(), text, format!("--{}", name.replace('_', "-"))));
    }

    fn has(&self, name: &str) -> Result<bool> {
        let rule = rule_named::<f32>(&self.rule).context("--optimizer")?;
        let rule = rule.rule();
        Ok(rule.hyperparameters().iter().any(|(known, _)| *known == name)
            || rule.options().iter().any(|(known, _)| *known == name))
    }

    /// The rule.
    ///
    /// # Errors
    /// When it does not exist, or rejects a setting; the error names the flag.
    pub(super) fn rule(&self) -> Result<AnyRule<f32>> {
        let mut rule = rule_named(&self.rule).context("--optimizer")?;
        for (name, text, flag) in &self.set {
            rule.set_text(name, text).with_context(|| flag.clone())?;
        }
        Ok(rule)
    }

    /// Whether the rule accepts a parameter of this shape.
    pub(super) fn takes(&self, param: &Param) -> bool {
        self.rule != MUON || param.shape.len() >= 2
    }
}

/// The hyperparameters that flags set, besides learning rate and weight decay.
fn given(settings: &Settings) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let momentum = settings.momentum.map(|momentum| ("momentum", momentum.to_string()));
    momentum.into_iter().chain(settings.rule.given())
}

/// The complaint of a rule that does not have this hyperparameter; `None` if it has.
pub(super) fn lacks(rule: &str, name: &str, text: &str) -> Option<optim::Error> {
    let refused = rule_named::<f32>(rule).ok()?.set_text(name, text).err()?;
    is_lack(&refused).then_some(refused)
}

/// Whether a rule or a schedule does not have the hyperparameter that was set.
pub(super) fn is_lack(error: &optim::Error) -> bool {
    matches!(error, optim::Error::NoHyperparameter { .. })
}

/// Choices are checked when they are made.
impl From<Choice> for AnyRule<f32> {
    fn from(choice: Choice) -> Self {
        choice.rule().expect("it was checked when it was chosen")
    }
}

/// A rule in words: `sgd (lr 0.02, momentum 0.9, weight_decay 1e-4, nesterov)`; without its learning rate if that
/// is not its own.
pub(super) fn words(rule: &dyn Rule, with_rate: bool) -> String {
    let numbers = rule.hyperparameters().into_iter().filter(|(name, _)| with_rate || *name != "lr");
    let numbers = numbers.map(|(name, x)| format!("{name} {}", number(x)));
    let usual = rule_named::<f32>(rule.name()).map(|rule| rule.rule().options()).unwrap_or_default();
    let unusual = rule.options().into_iter().filter(|option| !usual.contains(option));
    let options = unusual.map(|(name, text)| match text.as_str() {
        "true" => name.to_owned(),
        "false" => format!("no {name}"),
        text => format!("{name} {text}"),
    });
    format!("{} ({})", rule.name(), numbers.chain(options).collect::<Vec<_>>().join(", "))
}

/// The name of a rule, all its hyperparameters and all its options, as JSON.
pub(super) fn values(rule: &dyn Rule) -> Value {
    let number = |x: f64| if x.is_finite() { json!(x) } else { x.to_string().into() };
    let numbers = rule.hyperparameters().into_iter().map(|(name, x)| (name, number(x)));
    // Switches and counts are JSON themselves, names are not.
    let option = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let options = rule.options().into_iter().map(|(name, text)| (name, option(text)));
    let named = [("name", rule.name().into())].into_iter().chain(numbers).chain(options);
    Value::Object(named.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A short form of a number.
fn number(x: f64) -> String {
    let rounded: f64 = format!("{x:.4e}").parse().unwrap_or(x);
    let small = rounded != 0.0 && (rounded.abs() < 1e-3 || rounded.abs() >= 1e6);
    if small { format!("{rounded:e}") } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use optim::Sgd;

    use super::*;

    #[test]
    fn a_rule_in_words() {
        let sgd = Sgd { lr: 0.02, momentum: 0.9, weight_decay: 1e-4, nesterov: true, ..Sgd::default() };
        let rest = "momentum 0.9, dampening 0, weight_decay 1e-4, nesterov)";
        assert_eq!(words(&sgd, true), format!("sgd (lr 0.02, {rest}"));
        assert_eq!(words(&sgd, false), format!("sgd ({rest}"));
        assert_eq!(number(0.075_471_698_113_207_54), "0.075472");
        let expected = json!({
            "name": "sgd", "lr": 0.02, "momentum": 0.9, "dampening": 0.0, "weight_decay": 1e-4, "nesterov": true,
            "averaged": false,
        });
        assert_eq!(values(&sgd), expected);
    }
}
