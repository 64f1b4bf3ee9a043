//! Flags that have no effect beside the others.

use anyhow::{Error, bail};
use classifier::Net;
use optim::schedule::schedule_named;

use crate::beginning::NOTHING_WHITENS;
use crate::choice::{Choice, is_lack};
use crate::cli::{DROPOUT, LOOKAHEAD_DECAY, Settings};
use crate::flags::GroupFlag;

/// The flags that have no effect beside the others, each with what it needs.
pub fn idle_flags(settings: &Settings) -> Vec<(&'static str, Error)> {
    let groups = GroupFlag::all(&settings.group).unwrap_or_default();
    let of_groups = groups.iter().filter_map(|group| group.schedule.as_deref());
    let needs = |is_met: bool, what: String| if is_met { Ok(()) } else { bail!(what) };
    let is_nesterov = settings.rule.given().contains(&("nesterov", "true".to_owned()));
    let is_dampened = settings.rule.dampening.is_some_and(|dampening| dampening != 0.0);
    let checks = [
        (
            "nesterov",
            needs(
                !is_nesterov || settings.momentum != Some(0.0),
                "--nesterov needs a --momentum above 0".into(),
            ),
        ),
        (
            "dampening",
            needs(
                !is_dampened || settings.momentum.is_some_and(|momentum| momentum > 0.0),
                "--dampening needs a --momentum above 0".into(),
            ),
        ),
        ("tta_share", settings.views.check()),
        ("crop_border", settings.augmentation.check_effect()),
        ("warmup_start", settings.schedule_flags.check_effect(of_groups.chain([settings.schedule.as_str()]))),
        (
            "dropout",
            needs(
                settings.dropout == DROPOUT || settings.net == Net::Lecture,
                format!(
                    "--dropout {}: the network {} has none; --net lecture has",
                    settings.dropout, settings.net
                ),
            ),
        ),
        (
            "lookahead_decay",
            needs(
                settings.lookahead_decay == LOOKAHEAD_DECAY || settings.lookahead.is_some(),
                "--lookahead-decay needs --lookahead: without it there is no slow average".into(),
            ),
        ),
        (
            "limit_by",
            needs(
                settings.limit_by.is_none() || settings.limit.is_some(),
                "--limit-by needs --limit: without it all images are taken".into(),
            ),
        ),
        (
            "whiten",
            needs(
                settings.whiten.is_none() || matches!(settings.net, Net::Airbench { .. }),
                NOTHING_WHITENS.into(),
            ),
        ),
    ];
    let failed = checks.into_iter().filter_map(|(flag, check)| Some((flag, check.err()?)));
    failed.chain(without_hyperparameter(settings)).collect()
}

/// The flags whose hyperparameter neither the run's rule nor its schedule has, each with those that it has.
fn without_hyperparameter(settings: &Settings) -> Vec<(&'static str, Error)> {
    let flags = settings.schedule_flags.given(&settings.schedule, 1);
    let of_schedule = flags.into_iter().filter_map(|(flag, name, values)| {
        let refused = schedule_named(&settings.schedule, 0.0, 100, &[(name, &values)]).err()?;
        is_lack(&refused).then(|| (flag, Error::new(refused).context("--schedule")))
    });
    Choice::idle(settings).into_iter().chain(of_schedule).collect()
}
