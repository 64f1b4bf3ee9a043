//! What became slower between two runs.

use std::fmt::Write;

use super::contender::{Contender, Simd};
use super::format::{number, unit};
use super::results::{Measurement, Results, Task};
use super::stats::Spread;

/// A change smaller than this is noise on any machine.
const NOTABLE: f64 = 0.03;

/// One task of ours in both files.
struct Change<'a> {
    task: Task<'a>,
    /// After over before; below one is slower.
    factor: f64,
    /// True if no round of one run is within the other's range.
    is_clear: bool,
}

/// Reports what became slower or faster, and what is new or gone.
///
/// If both runs measured PyTorch too, our ratio to it is compared, which cancels changes in the machine's
/// speed. Otherwise images per second are compared, and the report says so.
pub(super) fn report(before: &Results, after: &Results) -> String {
    let mut out = String::new();
    if before.machine != after.machine {
        _ = writeln!(out, "Two machines: {} and {}.", before.machine.cpu, after.machine.cpu);
    }
    let (relative, plain): (Vec<_>, Vec<_>) =
        before.tasks().into_iter().filter_map(|task| change(before, after, task)).partition(|(_, r)| *r);
    for (changes, by) in [
        (relative, "by the ratio to PyTorch in the same run"),
        (plain, "by rates, which drift with the machine"),
    ] {
        let mut changes: Vec<_> = changes.into_iter().map(|(change, _)| change).collect();
        changes.sort_by(|a, b| a.factor.total_cmp(&b.factor));
        list(&mut out, by, &changes);
    }
    let ours = |results: &Results, task| results.find(task, Contender::Descent).is_some();
    for task in before.tasks().into_iter().filter(|&task| ours(before, task) && !ours(after, task)) {
        _ = writeln!(out, "no longer measured: {}", name(task));
    }
    for task in after.tasks().into_iter().filter(|&task| ours(after, task) && !ours(before, task)) {
        _ = writeln!(out, "new: {}", name(task));
    }
    out
}

/// A ratio whose whole interval is below this is a loss.
const NO_SLOWER: f64 = 0.97;

/// The table of a run beside an earlier driver: how many times faster we are now, with the 95 % interval of
/// the median over the rounds, and which rows are entirely below [`NO_SLOWER`].
pub(super) fn interleaved(results: &Results) -> String {
    let mut out = format!(
        "{}, {} cores ({}), {}; at {}; {} data; ratios of {} interleaved rounds, now over before.\n\n\
         | work | size | threads | instructions | before | now | now / before | 95 % interval |\n\
         |---|--:|--:|---|--:|--:|--:|--:|\n",
        results.machine.cpu,
        results.machine.cores,
        results.machine.simd.join(", "),
        results.date,
        results.revision,
        results.data,
        results.run.rounds
    );
    let mut slower = Vec::new();
    for task in results.tasks() {
        let rates = |contender| results.find(task, contender).map(Measurement::rates);
        let (Some(now), Some(before)) = (rates(Contender::Descent), rates(Contender::DescentBefore)) else {
            continue;
        };
        let ratios: Vec<_> = now.iter().zip(&before).map(|(now, before)| now / before).collect();
        let (work, size, threads, simd) = task;
        let (scale, unit) = unit(work, size);
        let median = |rates: &[f64]| Spread::of(rates).map_or_else(String::new, |s| number(s.median * scale));
        let Some(interval) = Spread::confidence(&ratios) else { continue };
        _ = writeln!(
            out,
            "| {work} | {size} | {threads} | {simd} | {} {unit} | {} {unit} | {:.3} | {:.3}–{:.3} |",
            median(&before),
            median(&now),
            interval.median,
            interval.min,
            interval.max
        );
        if interval.max < NO_SLOWER {
            slower.push(name(task));
        }
    }
    match slower.len() {
        0 => _ = writeln!(out, "\nNo interval lies wholly below {NO_SLOWER}."),
        _ => _ = writeln!(out, "\nWholly below {NO_SLOWER}: {}.", slower.join("; ")),
    }
    out
}

/// The change of one task, and whether it compares ratios.
fn change<'a>(before: &Results, after: &Results, task: Task<'a>) -> Option<(Change<'a>, bool)> {
    let ratio = |results: &Results| results.ratio(task, Contender::PytorchEager);
    let rate = |results: &Results| results.find(task, Contender::Descent)?.spread();
    let (pair, is_relative) = match (ratio(before), ratio(after)) {
        (Some(a), Some(b)) => ((a, b), true),
        _ => ((rate(before)?, rate(after)?), false),
    };
    let (a, b): (Spread, Spread) = pair;
    Some((Change { task, factor: b.median / a.median, is_clear: a.is_apart_from(&b) }, is_relative))
}

fn list(out: &mut String, by: &str, changes: &[Change<'_>]) {
    if changes.is_empty() {
        return;
    }
    let notable = |change: &&Change<'_>| (change.factor - 1.0).abs() > NOTABLE;
    let n_slower = changes.iter().filter(notable).filter(|c| c.factor < 1.0).count();
    _ = writeln!(out, "{n_slower} of {} slower, {by}:", changes.len());
    for change in changes.iter().filter(notable) {
        let word = if change.factor < 1.0 { "slower" } else { "faster" };
        let doubt = if change.is_clear { "" } else { " (the spreads overlap)" };
        let percent = (change.factor - 1.0) * 100.0;
        _ = writeln!(out, "  {word:6} {percent:+6.1} %  {}{doubt}", name(change.task));
    }
}

fn name((work, size, threads, simd): Task<'_>) -> String {
    let instructions = if simd == Simd::Native { String::new() } else { format!(", {simd}") };
    format!("{work} {size}, {threads} threads{instructions}")
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn a_slower_task_is_named_with_its_doubt() {
        let before = sample([400.0, 320.0, 480.0]);
        let report = report(&before, &sample([300.0, 240.0, 360.0]));
        assert_eq!(
            report,
            "1 of 1 slower, by the ratio to PyTorch in the same run:\n  slower  -25.0 %  cnn-train 64, 2 threads\n"
        );
        let doubtful = super::report(&before, &sample([380.0, 320.0, 430.0]));
        assert!(doubtful.contains("slower   -5.0 %") && doubtful.contains("overlap"), "{doubtful}");
    }

    #[test]
    fn an_interval_wholly_below_is_named() {
        let run = |ours: f64| {
            let mut results = sample([ours; 3]);
            for measurement in &mut results.measurements {
                measurement.rounds = measurement.rounds.repeat(3);
            }
            results.measurements[1].contender = Contender::DescentBefore;
            interleaved(&results)
        };
        // Before: 100, 80 and 120 images per second in turn.
        let slower = run(70.0);
        let row = "| cnn-train | 64 | 2 | native | 100 images/s | 70.0 images/s | 0.700 | 0.583–0.875 |";
        assert!(slower.contains(row), "{slower}");
        assert!(slower.ends_with("Wholly below 0.97: cnn-train 64, 2 threads.\n"), "{slower}");
        assert!(run(100.0).ends_with("No interval lies wholly below 0.97.\n"));
    }

    #[test]
    fn a_slow_machine_is_no_slow_program() {
        let before = sample([400.0, 320.0, 480.0]);
        let mut after = before.clone();
        for round in after.measurements.iter_mut().flat_map(|m| &mut m.rounds) {
            round.seconds *= 1.5;
        }
        assert!(report(&before, &after).starts_with("0 of 1 slower"));
    }

    #[test]
    fn without_pytorch_rates_are_compared_and_what_is_gone_is_said() {
        let before = sample([400.0, 320.0, 480.0]);
        let mut alone = before.clone();
        alone.measurements.truncate(1);
        assert!(report(&before, &alone).starts_with("0 of 1 slower, by rates"));
        let mut empty = before.clone();
        empty.measurements.clear();
        assert_eq!(report(&before, &empty), "no longer measured: cnn-train 64, 2 threads\n");
        assert_eq!(report(&empty, &before), "new: cnn-train 64, 2 threads\n");
    }
}
