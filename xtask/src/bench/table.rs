//! Results as text: for the terminal, and as the tables of networks in README.md and docs/PERFORMANCE.md.

use std::fmt::Write;

use bench_protocol::{Probe, TensorOp, Work};

use super::contender::{Contender, Simd};
use super::operations::airbench_sums;
use super::results::{Results, Task};
use super::stats::Spread;

/// The whole run for the terminal.
pub(super) fn text(results: &Results) -> String {
    let mut out = format!("{}\n\n", headline(results));
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
            "memory of {} steps of {} {}, {:33} {:6.1} MiB, of which {:.1} before the first",
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
        _ = write!(out, "  {:33} {rate:36}", measurement.contender.label());
        if measurement.contender != Contender::Descent
            && let Some(ratio) = results.ratio(task, measurement.contender)
        {
            _ = write!(out, " {}", ratio_text(ratio));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

/// The table of the networks in Markdown, with what it was measured on; `None` where no network was.
pub(super) fn markdown(results: &Results) -> Option<String> {
    let header =
        ["work", "threads", "Descent, images/s", "× PyTorch", "× its fastest mode", "× burn", "× candle"];
    let mut out = format!("| {} |\n|---|--:|--:|--:|--:|--:|--:|\n", header.join(" | "));
    let n_header = out.len();
    let mut tasks = results.tasks();
    // Work by work, however the parts of the run came in.
    tasks.sort_by_key(|&(work, ..)| NETWORKS.iter().position(|network| work == network.to_string()));
    for task in tasks {
        let Some(name) = network_name(task) else { continue };
        let Some(ours) = results.find(task, Contender::Descent).and_then(|m| m.spread()) else { continue };
        let against = |contender| results.ratio(task, contender).map_or_else(|| "–".to_owned(), ratio_text);
        let cells = [
            name,
            task.2.to_string(),
            number(ours.median),
            against(Contender::PytorchEager),
            fastest_pytorch(results, task).map_or_else(|| "–".to_owned(), against),
            against(Contender::Burn),
            against(Contender::Candle),
        ];
        _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if out.len() == n_header {
        return None;
    }
    _ = writeln!(out, "\n{}", headline(results));
    let peaks = results
        .memory
        .iter()
        .map(|m| format!("{} {:.0} MB", m.contender.label(), (m.peak_bytes as f64 / 1e6).ceil()));
    let peaks: Vec<_> = peaks.collect();
    if !peaks.is_empty() {
        _ = writeln!(out, "Peak anonymous memory of 100 training steps: {}.", peaks.join(", "));
    }
    Some(out)
}

/// The works of the short table: what is trained and evaluated by default, and by how many threads.
const IN_SHORT: [(Work, usize, usize); 4] =
    [(Work::CnnTrain, 64, 2), (Work::CnnInfer, 64, 2), (Work::MlpTrain, 64, 2), (Work::TinyTrain, 1, 1)];

/// Four works and medians alone, with what they were measured on; `None` where none of them was.
pub(super) fn short(results: &Results) -> Option<String> {
    let header = ["work", "threads", "Descent, images/s", "× PyTorch", "× burn", "× candle"];
    let mut out = format!("| {} |\n|---|--:|--:|--:|--:|--:|\n", header.join(" | "));
    let n_header = out.len();
    let tasks = results.tasks();
    for (work, size, threads) in IN_SHORT {
        let work = work.to_string();
        let is_it = |task: &&Task<'_>| **task == (work.as_str(), size, threads, Simd::Native);
        let Some(&task) = tasks.iter().find(is_it) else { continue };
        let Some(name) = network_name(task) else { continue };
        let Some(ours) = results.find(task, Contender::Descent).and_then(|m| m.spread()) else { continue };
        let against = |contender| {
            results.ratio(task, contender).map_or_else(|| "–".to_owned(), |r| format!("{:.1} ×", r.median))
        };
        let cells = [
            name,
            threads.to_string(),
            number(ours.median),
            against(Contender::PytorchEager),
            against(Contender::Burn),
            against(Contender::Candle),
        ];
        _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    (out.len() > n_header).then(|| format!("{out}\n{}\n", headline(results)))
}

/// The machine, the versions and the kind of the run in two sentences.
fn headline(results: &Results) -> String {
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
    format!(
        "{}, {} cores, {}; {} data; medians (and extremes) of {} interleaved rounds{beside}.",
        results.machine.cpu, results.machine.cores, results.date, results.data, results.run.rounds
    )
}

/// The mode of PyTorch with the highest median at a task.
fn fastest_pytorch(results: &Results, task: Task<'_>) -> Option<Contender> {
    let modes = Contender::ALL.into_iter().filter(|c| c.pytorch_mode().is_some());
    let rated = modes.filter_map(|c| Some((results.find(task, c)?.spread()?.median, c)));
    rated.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, contender)| contender)
}

/// The works of the networks' table, in its order.
const NETWORKS: [Work; 5] = [Work::CnnTrain, Work::CnnInfer, Work::CnnEpoch, Work::MlpTrain, Work::TinyTrain];

/// The row's name for them.
fn network_name((work, size, _, simd): Task<'_>) -> Option<String> {
    let name = match work.parse().ok()? {
        Work::CnnTrain => format!("CNN, training step, batch {size}"),
        Work::CnnInfer => format!("CNN, inference, batch {size}"),
        Work::CnnEpoch => "CNN, epoch with loading".to_owned(),
        Work::MlpTrain => format!("MLP 784-512-512-10, training step, batch {size}"),
        Work::TinyTrain => format!("MLP with 1,001 parameters, training step, batch {size}"),
        _ => return None,
    };
    Some(if simd == Simd::Native { name } else { format!("{name}, {simd}") })
}

/// What an item counts for, and in which unit.
pub(super) fn unit(work: &str, size: usize) -> (f64, &'static str) {
    match work.parse() {
        Ok(Work::Conv(_, shape)) => (shape.flops() as f64 / 1e9, "GFLOP/s"),
        Ok(Work::Tensor(TensorOp::Matmul)) => (2.0 * (size as f64).powi(2) / 1e9, "GFLOP/s"),
        Ok(Work::Optimizer(_)) => (1e-6, "M parameters/s"),
        Ok(Work::Tensor(_)) => (1e-6, "M elements/s"),
        Ok(Work::Probe(Probe::Fma)) => (1e-3, "GFLOP/s"),
        Ok(Work::Probe(Probe::Copy)) => (1e-9, "GB/s"),
        _ => (1.0, "images/s"),
    }
}

pub(super) fn ratio_text(Spread { median, min, max }: Spread) -> String {
    format!("{median:.2} × ({min:.2}–{max:.2})")
}

/// Three or more digits, groups of three.
pub(super) fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn plural(threads: usize) -> &'static str {
    if threads == 1 { "thread" } else { "threads" }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [1.25, 99.94, 123.4, 1234.5, 1_234_567.0].map(number),
            ["1.2", "99.9", "123", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn a_ratio_stands_beside_its_peer() {
        let text = text(&sample([400.0, 320.0, 360.0]));
        assert!(text.contains("Descent                           360 images/s (320–400)\n"), "{text}");
        assert!(text.contains("100 images/s (80.0–120)              4.00 × (3.00–4.00)\n"), "{text}");
    }

    #[test]
    fn the_short_table_has_medians_alone() {
        let table = short(&sample([400.0, 320.0, 360.0])).expect("a network was measured");
        assert!(table.contains("| CNN, training step, batch 64 | 2 | 360 | 4.0 × | – | – |"), "{table}");
    }

    #[test]
    fn the_table_has_a_row_for_each_network() {
        let table = markdown(&sample([400.0, 320.0, 360.0])).expect("a network was measured");
        let row =
            "| CNN, training step, batch 64 | 2 | 360 | 4.00 × (3.00–4.00) | 4.00 × (3.00–4.00) | – | – |";
        assert!(table.contains(row), "{table}");
        assert!(
            table.contains("PyTorch 2.15.0")
                && table.contains("synthetic data")
                && table.contains("Descent 53 MB")
        );
    }
}
