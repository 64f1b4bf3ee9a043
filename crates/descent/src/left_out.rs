//! Flags of a recipe or a file to which those given after them leave no effect: they are left out, where the
//! same flag on the command line would be an error.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::Parser;
use data::ImageShape;
use optim::{Param, Parameters, Pattern};

use crate::choice::lacks;
use crate::cli::{Cli, Command, Settings, TrainArgs, given_without_meaning};
use crate::flags::GroupFlag;
use crate::idle::idle_flags;

/// Removes the words in `before` that have no effect beside those `after` them, and returns their flags. What
/// had none to begin with stays, and is an error later, unless `before` is the record of a run: an earlier
/// version did not mind it.
pub fn leave_out(
    command: &str,
    before: &mut Vec<OsString>,
    after: &[OsString],
    is_record: bool,
) -> Vec<String> {
    let Some(now) = Line::parse(command, before.iter().chain(after)) else { return Vec::new() };
    let was = Line::parse(command, before.iter());
    let mut idle = now.idle();
    if !is_record {
        // Words that are wrong without those after them had no effect to lose.
        let Some(was) = &was else { return Vec::new() };
        for (name, _) in idle_flags(&was.args.settings) {
            idle.remove(name);
        }
    }
    let mut left_out = Vec::new();
    before.retain(|word| {
        let flag = flag_of(word);
        let is_idle = idle.contains(&flag[2..].replace('-', "_"));
        if is_idle {
            left_out.push(flag);
        }
        !is_idle
    });

    let has_changed = was.is_none_or(|was| !now.has_parameters_of(&was));
    let params = has_changed.then(|| trainable(&now.args.settings)).flatten();
    before.retain_mut(|word| {
        let Some(texts) = word.to_str().and_then(|word| word.strip_prefix("--group=")) else { return true };
        let fitted = texts.split(';').map(|text| now.fitted(text, params.as_deref(), &mut left_out));
        let fitted: Vec<String> = fitted.flatten().collect();
        *word = format!("--group={}", fitted.join(";")).into();
        !fitted.is_empty()
    });
    left_out.sort();
    left_out.dedup();
    left_out
}

/// The flag of a word of a recipe or a file, `--flag=value` or `--flag`.
fn flag_of(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    word.split_once('=').map_or(&*word, |(flag, _)| flag).to_owned()
}

/// The parameters that the network of the settings trains, by name and shape; `None` if the flags do not fit
/// it, which is an error later.
fn trainable(settings: &Settings) -> Option<Vec<Param>> {
    // Names and ranks are the same for images of any size and for any classes.
    let net = settings.net.network(ImageShape::CIFAR, 10, settings.dropout as f32).ok()?;
    let (_, mut params) = nn::build(net, settings.seed);
    settings.freeze.iter().try_for_each(|path| params.freeze(path)).ok()?;
    Some(params.all_entries().filter(|entry| entry.is_trainable).map(Param::from).collect())
}

/// A command line of `train` or `find-lr`.
struct Line {
    args: TrainArgs,
    is_find_lr: bool,
}

impl Line {
    /// `None` if it is wrong, which is told when the whole line is parsed.
    fn parse<'a>(command: &str, words: impl Iterator<Item = &'a OsString>) -> Option<Self> {
        let words = ["descent", command].map(OsString::from).into_iter().chain(words.cloned());
        match Cli::try_parse_from(words).ok()?.command? {
            Command::Train(args) => Some(Self { args: *args, is_find_lr: false }),
            Command::FindLr(args) => Some(Self { args: args.train, is_find_lr: true }),
            _ => None,
        }
    }

    /// The names of the flags without effect.
    fn idle(&self) -> BTreeSet<String> {
        let of_settings = idle_flags(&self.args.settings).into_iter().map(|(name, _)| name.to_owned());
        let of_find_lr = if self.is_find_lr { given_without_meaning(&self.args) } else { Vec::new() };
        of_settings.chain(of_find_lr).collect()
    }

    fn has_parameters_of(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.args.settings, &other.args.settings);
        ours.net == theirs.net && ours.freeze == theirs.freeze
    }

    /// What a group's text can still set: nothing if it matches none of the parameters, and no setting that
    /// its rule or the command does not have.
    fn fitted(&self, text: &str, params: Option<&[Param]>, left_out: &mut Vec<String>) -> Option<String> {
        let Some((selector, settings)) = text.split_once(':') else { return Some(text.to_owned()) };
        let selector = selector.trim();
        let groups = GroupFlag::all(&self.args.settings.group).ok()?;
        let group = groups.iter().find(|group| group.selector == selector)?;
        let rule = group.rule.as_deref().unwrap_or(&self.args.settings.optimizer);
        if params.is_some_and(|params| !params.iter().any(|param| group.matches(param))) {
            left_out.push(format!("--group {selector}"));
            return None;
        }
        let is_idle = |setting: &&str| {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let is_course = GroupFlag::COURSE.contains(&name);
            let is_of_rule = !is_course && name != "rule";
            (is_course && self.is_find_lr) || (is_of_rule && lacks(rule, name, value).is_some())
        };
        let (idle, kept): (Vec<&str>, Vec<&str>) = settings.split_whitespace().partition(is_idle);
        if idle.is_empty() {
            return Some(text.to_owned());
        }
        let names: Vec<&str> = idle.iter().filter_map(|setting| setting.split('=').next()).collect();
        left_out.push(format!("--group {selector}: {}", names.join(", ")));
        (!kept.is_empty()).then(|| format!("{selector}: {}", kept.join(" ")))
    }
}
