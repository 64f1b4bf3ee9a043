//! The flags of `train` that have no meaning in `find-lr`, and where `--verbose` has none.

use anyhow::{Result, bail, ensure};
use clap::Parser;
use serde_json::Value;

use super::{Cli, Command, TrainArgs};
use crate::flags::{ScheduleFlags, by_name};

/// Flags of `train` without meaning in `find-lr`, besides those of the schedule: the test decides the length
/// and the learning rate of each step, it evaluates and saves no network, it ends where the loss does, and it
/// is one process.
const WITHOUT_MEANING: [&str; 21] = [
    "epochs",
    "max_steps",
    "lr",
    "schedule",
    "lookahead",
    "lookahead_decay",
    "freeze_after",
    "resize_until",
    "hardest_until",
    "tta",
    "tta_share",
    "patience",
    "ema",
    "watch_test",
    "rank_timeout",
    "checkpoint_every",
    "keep",
    "resume",
    "resume_with",
    "on_nan",
    "detect_anomaly",
];

/// Whether a flag of `train`, by its name with underscores, has no meaning in `find-lr`.
pub fn has_no_meaning(name: &str) -> bool {
    WITHOUT_MEANING.contains(&name) || by_name(&ScheduleFlags::default()).contains_key(name)
}

/// The flags without meaning that were given, by their names with underscores.
pub fn given_without_meaning(train: &TrainArgs) -> Vec<String> {
    let Command::Train(usual) = Cli::parse_from(["descent", "train"]).command() else {
        unreachable!("the line says train")
    };
    let usual = by_name(&*usual);
    let is_given = |(name, value): &(String, Value)| usual.get(name) != Some(value);
    let given = by_name(train).into_iter().filter(is_given).map(|(name, _)| name);
    given.filter(|name| has_no_meaning(name)).collect()
}

/// Checks that there is more to print.
///
/// # Errors
/// When `--verbose` would have no effect on the command.
pub fn check_verbose(command: &Command) -> Result<()> {
    let says_little = |name: &str| bail!("--verbose: {name} has no more to print; leave it out");
    let json = match command {
        Command::Completions(_) => return says_little("completions"),
        Command::Man(_) => return says_little("man"),
        Command::Recipes(_) => return says_little("recipes"),
        Command::Lecture(args) if args.list => return says_little("lecture --list"),
        Command::Lecture(_) => false,
        Command::Train(args) => args.session.json,
        Command::FindLr(args) => args.train.session.json,
        Command::Eval(args) => args.json,
        Command::Predict(args) => args.json,
        Command::Data(args) => args.json,
    };
    ensure!(!json, "--verbose prints more text, but --json prints none: leave out one of the two");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Flags that change the losses of the test, or how it is run.
    const WITH_MEANING: &str = "from to steps recipe config net batch-size optimizer momentum group weight-decay \
        dropout augment flip crop crop-border brightness contrast saturation rotate cutout erase freeze hardest \
        hardest-by normalize whiten drop-last label-smoothing reduction val shards seed limit limit-by class-weights mixup cutmix \
        accumulate clip-norm no-fusion data labels label-column skip-broken image-size gray json weights threads \
        out quiet verbose help version";

    #[test]
    fn where_nothing_more_can_be_printed_verbose_is_refused() {
        for (line, expected) in [
            ("completions bash", "--verbose: completions has no more to print; leave it out"),
            ("man", "--verbose: man has no more to print; leave it out"),
            ("recipes", "--verbose: recipes has no more to print; leave it out"),
            ("lecture --list", "--verbose: lecture --list has no more to print; leave it out"),
            ("train --json", "--verbose prints more text, but --json prints none: leave out one of the two"),
            ("find-lr --json", "--verbose prints more text"),
            ("eval --model x --json", "--verbose prints more text"),
            ("predict x --model x --json", "--verbose prints more text"),
            ("data x --json", "--verbose prints more text"),
            ("train", ""),
            ("find-lr", ""),
            ("eval --model x", ""),
            ("predict x --model x", ""),
            ("data x", ""),
            ("lecture", ""),
        ] {
            let command = Cli::parse_from(["descent"].into_iter().chain(line.split(' '))).command();
            let said = check_verbose(&command).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{line}: {said}");
        }
    }

    /// A new flag of `train` is used in `find-lr`, or it is refused there.
    #[test]
    fn every_flag_has_a_meaning_or_is_refused() {
        let of_rules = by_name(&crate::flags::RuleFlags::default());
        let cli = <Cli as CommandFactory>::command();
        for arg in cli.find_subcommand("find-lr").unwrap().get_arguments() {
            let (id, flag) = (arg.get_id().as_str(), arg.get_long().unwrap());
            let is_used =
                WITH_MEANING.split_whitespace().any(|used| used == flag) || of_rules.contains_key(id);
            assert!(is_used != has_no_meaning(id), "--{flag}");
            assert_eq!(arg.is_hide_set(), has_no_meaning(id), "--{flag}");
        }
    }
}
