//! Groups of parameters with their own settings, as a line of text.

use std::fmt;
use std::str::FromStr;

use optim::{Param, Pattern};

/// A group as `--group` describes it: `filters: rule=muon lr=0.24 momentum=0.6`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFlag {
    /// Which parameters: a path, or `filters`, `matrices`, `vectors` or `biases`.
    pub selector: String,
    /// The update rule, if it is not the run's.
    pub rule: Option<String>,
    /// The learning rate, if it is not the run's.
    pub lr: Option<f64>,
    /// The schedule, if it is not the run's.
    pub schedule: Option<String>,
    /// The length of the schedule in epochs, if it is not the run's.
    pub schedule_epochs: Option<f64>,
    /// The epochs after which these parameters are frozen.
    pub freeze_after: Option<f64>,
    /// Hyperparameters of the rule, by name and as text.
    pub hyperparameters: Vec<(String, String)>,
}

impl GroupFlag {
    /// The settings that are not hyperparameters of the rule: the course of the learning rate.
    pub const COURSE: [&str; 4] = ["lr", "schedule", "schedule_epochs", "freeze_after"];

    fn new(selector: &str) -> Self {
        Self {
            selector: selector.to_owned(),
            rule: None,
            lr: None,
            schedule: None,
            schedule_epochs: None,
            freeze_after: None,
            hyperparameters: Vec::new(),
        }
    }

    /// The groups of several texts, each of which may hold several groups separated by `;`. If a group's
    /// setting appears twice, the last one counts.
    ///
    /// # Errors
    /// When a text describes no group.
    pub fn all(texts: &[String]) -> Result<Vec<Self>, String> {
        let mut groups: Vec<Self> = Vec::new();
        for text in texts.iter().flat_map(|text| text.split(';')).filter(|text| !text.trim().is_empty()) {
            let group: Self = text.parse()?;
            match groups.iter_mut().find(|known| known.selector == group.selector) {
                Some(known) => known.take(group),
                None => groups.push(group),
            }
        }
        Ok(groups)
    }

    fn take(&mut self, later: Self) {
        self.rule = later.rule.or(self.rule.take());
        self.lr = later.lr.or(self.lr);
        self.schedule = later.schedule.or(self.schedule.take());
        self.schedule_epochs = later.schedule_epochs.or(self.schedule_epochs);
        self.freeze_after = later.freeze_after.or(self.freeze_after);
        self.hyperparameters.retain(|(name, _)| later.hyperparameters.iter().all(|(other, _)| other != name));
        self.hyperparameters.extend(later.hyperparameters);
    }
}

/// A path matches everything below it.
impl Pattern for &GroupFlag {
    fn matches(&self, param: &Param) -> bool {
        match self.selector.as_str() {
            "filters" => param.shape.len() == 4,
            "matrices" => param.shape.len() == 2,
            "vectors" => param.shape.len() < 2,
            "biases" => param.name == "bias" || param.name.ends_with(".bias"),
            path => Pattern::matches(&path, param),
        }
    }

    fn describe(&self) -> String {
        format!("--group {}", self.selector)
    }
}

impl fmt::Display for GroupFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, rule, lr, schedule, schedule_epochs, freeze_after, hyperparameters } = self;
        write!(f, "{selector}:")?;
        rule.iter().try_for_each(|rule| write!(f, " rule={rule}"))?;
        lr.iter().try_for_each(|lr| write!(f, " lr={lr}"))?;
        schedule.iter().try_for_each(|schedule| write!(f, " schedule={schedule}"))?;
        schedule_epochs.iter().try_for_each(|epochs| write!(f, " schedule_epochs={epochs}"))?;
        freeze_after.iter().try_for_each(|epochs| write!(f, " freeze_after={epochs}"))?;
        hyperparameters.iter().try_for_each(|(name, text)| write!(f, " {name}={text}"))
    }
}

impl FromStr for GroupFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            format!(
                "`{}`: expected a path, filters, matrices, vectors or biases, a colon, and NAME=VALUE, as in \
                 \"filters: rule=muon lr=0.24\"",
                text.trim()
            )
        };
        let (selector, settings) = text.split_once(':').ok_or_else(form)?;
        let selector = selector.trim();
        if selector.is_empty() || settings.trim().is_empty() {
            return Err(form());
        }
        let mut group = Self::new(selector);
        let mut names = Vec::new();
        for setting in settings.split_whitespace() {
            let (name, value) = setting.split_once('=').ok_or_else(form)?;
            if names.contains(&name) {
                return Err(format!("{selector}: {name} is given twice"));
            }
            names.push(name);
            let number = || {
                let number = value.parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
                number.ok_or_else(|| format!("{selector}: {name}={value}: expected a non-negative number"))
            };
            match name {
                "rule" => group.rule = Some(value.to_owned()),
                "lr" => group.lr = Some(number()?),
                "schedule" => group.schedule = Some(value.to_owned()),
                "schedule_epochs" => group.schedule_epochs = Some(number()?),
                "freeze_after" => group.freeze_after = Some(number()?),
                _ => group.hyperparameters.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_and_changed_by_a_later_one() {
        let texts = ["filters: rule=muon lr=0.24 momentum=0.6; head: lr=1 ", "filters:lr=0.1 momentum=0.5"];
        let groups = GroupFlag::all(&texts.map(String::from)).unwrap();
        let [filters, head] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!((filters.rule.as_deref(), filters.lr), (Some("muon"), Some(0.1)));
        assert_eq!(filters.hyperparameters, [("momentum".to_owned(), "0.5".to_owned())]);
        assert_eq!((head.selector.as_str(), head.lr, head.freeze_after), ("head", Some(1.0), None));
        let written = groups.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(GroupFlag::all(&written).unwrap(), groups);
        assert_eq!(written[0], "filters: rule=muon lr=0.1 momentum=0.5");
        for wrong in
            ["filters", "filters:", ": lr=1", "filters: lr", "filters: lr=fast", "head: freeze_after=-1"]
        {
            let error = GroupFlag::all(&[wrong.to_owned()]).unwrap_err();
            assert!(error.contains("expected"), "{wrong}: {error}");
        }
    }

    #[test]
    fn selectors_go_by_shape_or_by_path() {
        let filter = Param::new("layers.1.conv1.weight", 0..36).with_shape([2, 2, 3, 3]);
        let matrix = Param::new("head.weight", 0..6).with_shape([2, 3]);
        let bias = Param::new("whiten.bias", 0..24);
        for (selector, expected) in [
            ("filters", [true, false, false]),
            ("matrices", [false, true, false]),
            ("vectors", [false, false, true]),
            ("biases", [false, false, true]),
            ("head", [false, true, false]),
            ("layers.1", [true, false, false]),
            ("layer", [false, false, false]),
        ] {
            let group = GroupFlag::new(selector);
            assert_eq!(
                [&filter, &matrix, &bias].map(|param| (&group).matches(param)),
                expected,
                "{selector}"
            );
        }
    }
}
