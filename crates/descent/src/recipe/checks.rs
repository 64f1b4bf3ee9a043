//! What a run's length and network do not allow: errors before the first step.

use anyhow::{Context, Error, Result, ensure};
use autograd::Params;
use optim::schedule::Schedule;

use super::{Length, steps};
use crate::cli::Settings;
use crate::flags::freezes;

/// Checks that the network has what is frozen late, by `--freeze-after` or a group, and something else.
pub(super) fn check_freezes(
    settings: &Settings,
    params: &Params,
    freezes: &[(u64, Vec<String>)],
) -> Result<()> {
    if freezes.is_empty() {
        return Ok(());
    }
    let mut frozen = params.clone();
    for path in freezes.iter().flat_map(|(_, paths)| paths) {
        frozen.freeze(path).context("--freeze-after")?;
    }
    let flag = if settings.freeze_after.is_empty() { "--group: freeze_after" } else { "--freeze-after" };
    ensure!(
        frozen.n_trainable() > 0,
        "{flag}: nothing is left to train at the end; leave out a part of the network"
    );
    Ok(())
}

/// Checks that what the flags plan for the course of a run happens before its end. Not for a recipe, which may be meant
/// for longer runs, nor for a run that is resumed, which may be past it.
///
/// # Errors
/// When the run ends first.
pub fn check_reach(settings: &Settings, length: Length) -> Result<()> {
    if settings.recipe.is_some() {
        return Ok(());
    }
    let Length { n_steps, steps_per_epoch, .. } = length;
    let end = format!("the run ends before it, after {} ({steps_per_epoch} per epoch)", steps(n_steps));
    if let Some(k) = settings.lookahead {
        ensure!(k as u64 <= n_steps, "--lookahead {k}: {end}");
    }
    for (epochs, _) in freezes(&settings.freeze_after).map_err(Error::msg).context("--freeze-after")? {
        ensure!(length.step_after(epochs) < n_steps, "--freeze-after {epochs}: {end}");
    }
    let (warmup_steps, _) = settings.schedule_flags.warmup(&settings.schedule, steps_per_epoch);
    ensure!(
        warmup_steps <= n_steps,
        "--warmup {}: the warm-up takes {}, but the run ends after {n_steps} ({steps_per_epoch} per epoch)",
        settings.schedule_flags.warmup.unwrap_or(0.0),
        steps(warmup_steps)
    );
    Ok(())
}

/// Checks that a schedule has a learning rate at both ends of the run. Between them none is larger than there, or than
/// the one that its flag gives.
pub(super) fn check_rates(flag: &str, schedule: &dyn Schedule, length: Length) -> Result<()> {
    for step in [0, length.n_steps.saturating_sub(1)] {
        let lr = schedule.lr(step);
        ensure!(
            lr <= f32::MAX.into(),
            "{flag}: the learning rate of step {} would be {lr:e}, expected at most 3.4e38",
            step + 1
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::tests::{LENGTH, network, settings};
    use super::*;

    #[test]
    fn what_lies_beyond_the_end_of_a_run_is_refused() {
        for (flags, expected) in [
            (&["--lookahead=21"][..], "--lookahead 21: the run ends before it, after 20 steps (5 per epoch)"),
            (
                &["--freeze-after=4=0"],
                "--freeze-after 4: the run ends before it, after 20 steps (5 per epoch)",
            ),
            (
                &["--warmup=5"],
                "--warmup 5: the warm-up takes 25 steps, but the run ends after 20 (5 per epoch)",
            ),
            (&["--lookahead=20", "--freeze-after=3=0", "--warmup=4"], ""),
        ] {
            let error = check_reach(&settings(flags), LENGTH).err();
            let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
            assert_eq!(error, expected, "{flags:?}");
        }
    }

    #[test]
    fn a_learning_rate_that_no_step_can_take_is_refused_before_the_first() {
        for (flags, expected) in [
            (
                &["--schedule=one-cycle", "--div-factor=1e-320"][..],
                "--schedule: the learning rate of step 1 would be inf",
            ),
            (
                &["--schedule=one-cycle", "--final-div-factor=1e-320"],
                "the learning rate of step 20 would be ",
            ),
            (&["--schedule=exponential", "--gamma=3e38"], "the learning rate of step 20 would be "),
            (&["--schedule=step", "--step-size=1", "--gamma=1e30"], "the learning rate of step 20 would be "),
            (
                &["--group=filters: schedule=exponential lr=1", "--gamma=3e38", "--schedule=exponential"],
                "would be ",
            ),
        ] {
            let error = Recipe::new(&settings(flags), &network(), LENGTH, 1e-3).err();
            let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected), "{flags:?}: {error:?}");
        }
    }
}
