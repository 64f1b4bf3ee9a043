//! The flags of `train` that have no meaning in `find-lr`.

use clap::Parser;
use serde_json::Value;

use super::{Cli, Command, TrainArgs};
use crate::flags::{ScheduleFlags, by_name};

/// Flags of `train` without meaning in `find-lr`, besides those of the schedule: the test decides the length
/// and the learning rate of each step, it evaluates and saves no network, it ends where the loss does, and it
/// is one process.
const WITHOUT_MEANING: [&str; 20] = [
    "epochs",
    "max_steps",
    "lr",
    "schedule",
    "lookahead",
    "lookahead_decay",
    "freeze_after",
    "resize_until",
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Flags that change the losses of the test, or how it is run.
    const WITH_MEANING: &str = "from to steps recipe config net batch-size optimizer momentum group weight-decay \
        dropout augment flip crop crop-border brightness contrast saturation rotate cutout erase freeze hardest \
        normalize whiten drop-last label-smoothing reduction val shards seed limit limit-by class-weights mixup cutmix \
        accumulate clip-norm no-fusion data labels label-column skip-broken image-size gray json weights threads \
        out quiet verbose help version";

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
