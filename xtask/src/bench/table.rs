//! Results as text for the terminal.

use std::fmt::Write;

use super::contender::{Contender, Simd};
use super::format::{number, plural, ratio_text, unit};
use super::operations::airbench_sums;
use super::results::{Machine, Measurement, Results, Task};
use super::stats::Spread;

/// The whole run as text for the terminal.
pub(super) fn text(results: &Results) -> String {
    let mut out = format!("{}\n\n", headline(results, WITH_EXTREMES));
    for task in results.tasks() {
        out += &task_text(results, task);
    }
    for (threads, contender, ratio) in airbench_sums(results) {
        _ = writeln!(
            out,
            "all convolutions of the airbench network, three passes, {threads} {}: {ratio:.2} × {}",
            plural(threads),
            contender.label()
        );
    }
    for memory in &results.memory {
        let mebibytes = |bytes| bytes as f64 / f64::from(1 << 20);
        _ = writeln!(
            out,
            "memory of {} steps of {} {}, {:38} {:6.1} MiB, of which {:.1} before the first",
            memory.steps,
            memory.work,
            memory.size,
            memory.contender.label(),
            mebibytes(memory.peak_bytes),
            mebibytes(memory.start_bytes),
        );
    }
    out
}

/// One task: a line for each contender, its rate and how many times faster we are.
pub(super) fn task_text(results: &Results, task: Task<'_>) -> String {
    let (work, size, threads, simd) = task;
    let (scale, unit) = unit(work, size);
    let instructions = if simd == Simd::Native { String::new() } else { format!(", {simd}") };
    let mut out = format!("{work} {size}, {threads} {}{instructions}\n", plural(threads));
    for measurement in results.measurements.iter().filter(|m| m.task() == task) {
        let Some(Spread { median, min, max }) = measurement.spread() else { continue };
        let [median, min, max] = [median, min, max].map(|rate| number(rate * scale));
        let rate = format!("{median} {unit} ({min}–{max})");
        _ = write!(out, "  {:38} {rate:36}", measurement.contender.label());
        if measurement.contender != Contender::Descent
            && let Some(ratio) = results.ratio(task, measurement.contender)
        {
            _ = write!(out, " {}", ratio_text(ratio));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    if let Some(peak) = results.amx_peak.iter().filter(|m| m.task() == task).find_map(Measurement::spread) {
        _ = writeln!(out, "  {}", amx_text(peak));
    }
    out
}

/// The AMX throughput during some rounds.
fn amx_text(Spread { median, min, max }: Spread) -> String {
    let [median, min, max] = [median, min, max].map(|rate| rate / 1e6);
    format!("AMX beside these rounds: {median:.2} TFLOP/s in bf16 ({min:.2}–{max:.2})")
}

/// What a table shows of the rounds.
pub(super) const MEDIANS: &str = "medians";
pub(super) const WITH_EXTREMES: &str = "medians (and extremes)";

/// The machine, the versions and the kind of the run in two sentences, and the AMX throughput; `shown` is what
/// stands below or above it of the rounds.
pub(super) fn headline(results: &Results, shown: &str) -> String {
    let versions = &results.versions;
    let version = |contender: Contender, name: &str| versions.get(&contender).map(|v| format!("{name} {v}"));
    let peers = [
        version(Contender::PytorchEager, "PyTorch"),
        version(Contender::Burn, "burn"),
        version(Contender::Candle, "candle"),
        version(Contender::Ndarray, "ndarray"),
    ];
    let peers: Vec<_> = peers.into_iter().flatten().collect();
    let beside = if peers.is_empty() { String::new() } else { format!("; {}", peers.join(", ")) };
    let amx: Vec<_> = results.amx_peak.iter().flat_map(Measurement::rates).collect();
    let amx = Spread::of(&amx).map_or_else(String::new, |peak| format!(" {}.", amx_text(peak)));
    let Machine { cpu, cores, simd, .. } = &results.machine;
    format!(
        "{cpu}, {cores} cores ({}), {}; {} data; {shown} of {} interleaved rounds{beside}.{amx}",
        simd.join(", "),
        results.date,
        results.data,
        results.run.rounds
    )
}

#[cfg(test)]
mod tests {
    use super::super::networks::{Group, short};
    use super::super::results::{Round, tests::sample};
    use super::*;

    #[test]
    fn a_ratio_stands_beside_its_peer() {
        let text = text(&sample([400.0, 320.0, 360.0]));
        assert!(text.contains("Descent                                360 images/s (320–400)\n"), "{text}");
        assert!(text.contains("100 images/s (80.0–120)              4.00 × (3.00–4.00)\n"), "{text}");
    }

    #[test]
    fn what_amx_could_do_stands_beside_the_rounds() {
        let mut results = sample([400.0; 3]);
        // 100,000 million operations in 50 ms, then in 200.
        let rounds = [0.05, 0.05, 0.2].map(|seconds| Round { items: 100_000, seconds });
        let measured = results.measurements[0].clone();
        results.amx_peak.push(Measurement { rounds: rounds.into(), ..measured });
        let peak = "AMX beside these rounds: 2.00 TFLOP/s in bf16 (0.50–2.00)";
        assert!(text(&results).contains(peak), "{}", text(&results));
        assert!(short(&results, Group::First).is_some_and(|table| table.contains(peak)));
    }
}
