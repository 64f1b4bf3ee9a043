//! The tables of networks in README.md and docs/PERFORMANCE.md.

use std::fmt::Write;

use bench_protocol::{Model, Pass, Work};

use super::contender::{Contender, Simd};
use super::format::{number, ratio_text};
use super::plan::AIRBENCH_BATCH;
use super::results::{Memory, Results, Task};
use super::stats::Spread;
use super::table::{MEDIANS, WITH_EXTREMES, headline};

/// The networks of a table. Each group has a separate section, so that the larger ones can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The lecture's CNN and the MLPs, which burn and candle train too.
    First,
    /// The larger ones, compared with PyTorch only.
    Larger,
}

impl Group {
    fn has(self, work: &str) -> bool {
        matches!(work.parse(), Ok(Work::Model(..))) == (self == Self::Larger)
    }

    /// The contenders besides PyTorch, and the headings of their columns.
    fn others(self) -> &'static [(Contender, &'static str)] {
        match self {
            Self::First => &[(Contender::Burn, "× burn"), (Contender::Candle, "× candle")],
            Self::Larger => &[],
        }
    }

    /// The text above the table.
    fn introduction(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Larger => {
                "Larger networks, compared with PyTorch as installed, with its fastest f32 mode, and with its fastest \
                 mode of all, bf16 autocast included:\n\n"
            }
        }
    }
}

/// The table of a group in Markdown, with the conditions of the measurement; `None` if no network of it was
/// measured.
pub(super) fn markdown(results: &Results, group: Group) -> Option<String> {
    let mut tasks = results.tasks();
    tasks.retain(|&(work, ..)| group.has(work));
    // Sorted by work, in whatever order the parts of the run arrived.
    tasks.sort_by_key(|&(work, ..)| NETWORKS.iter().position(|network| work == network.to_string()));
    let rows = tasks.into_iter().filter_map(|task| row(results, task, group, true, ratio_text));
    table(results, group, true, WITH_EXTREMES, &rows.collect::<Vec<_>>())
}

/// The works of the short tables, with batch size and number of threads.
const IN_SHORT: [(Work, usize, usize); 11] = [
    (Work::CnnTrain, 64, 2),
    (Work::CnnInfer, 64, 2),
    (Work::MlpTrain, 64, 2),
    (Work::TinyTrain, 1, 1),
    (Work::Model(Model::Airbench94, Pass::Train), AIRBENCH_BATCH, 2),
    (Work::Model(Model::Airbench94, Pass::Train), 2000, 2),
    (Work::Model(Model::Airbench94, Pass::Infer), AIRBENCH_BATCH, 2),
    (Work::Model(Model::ResNet18, Pass::Train), 64, 2),
    (Work::Model(Model::Depthwise, Pass::Train), 64, 2),
    (Work::Model(Model::Transformer, Pass::Train), 16, 2),
    (Work::Model(Model::Transformer, Pass::Infer), 16, 2),
];

/// The main works of a group, medians only, with the conditions of the measurement; `None` if none of them
/// was measured.
pub(super) fn short(results: &Results, group: Group) -> Option<String> {
    let tasks = results.tasks();
    let times = |ratio: Spread| format!("{:.1} ×", ratio.median);
    let rows = IN_SHORT.iter().filter_map(|&(work, size, threads)| {
        let work = work.to_string();
        let is_it = |task: &&Task<'_>| **task == (work.as_str(), size, threads, Simd::Native);
        let task = *tasks.iter().find(is_it).filter(|_| group.has(&work))?;
        row(results, task, group, group == Group::Larger, times)
    });
    table(results, group, group == Group::Larger, MEDIANS, &rows.collect::<Vec<_>>())
}

/// Rows under their header, followed by the conditions of the measurement; `None` without rows.
fn table(
    results: &Results,
    group: Group,
    has_f32: bool,
    shown: &str,
    rows: &[Vec<String>],
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut header = vec!["work", "threads", "Descent, images/s", "× PyTorch"];
    header.extend(has_f32.then_some("× its fastest mode in f32"));
    header.push("× its fastest mode");
    header.extend(group.others().iter().map(|(_, heading)| heading));
    let columns = "--:|".repeat(header.len() - 1);
    let mut out = format!("{}| {} |\n|---|{columns}\n", group.introduction(), header.join(" | "));
    for row in rows {
        _ = writeln!(out, "| {} |", row.join(" | "));
    }
    Some(format!("{out}\n{}\n{}", headline(results, shown), memory(results, group)))
}

/// A network's row, its ratios formatted by `text`; `None` if we did not take part.
fn row(
    results: &Results,
    task: Task<'_>,
    group: Group,
    has_f32: bool,
    text: impl Fn(Spread) -> String,
) -> Option<Vec<String>> {
    let ours = results.find(task, Contender::Descent)?.spread()?;
    let against = |contender| results.ratio(task, contender).map_or_else(dash, &text);
    let fastest = |allowed: fn(Contender) -> bool| {
        let fastest = fastest_pytorch(results, task, allowed);
        fastest.map_or_else(dash, |(mode, ratio)| format!("{}, {mode}", text(ratio)))
    };
    let mut cells = vec![network_name(task)?, task.2.to_string(), number(ours.median)];
    cells.push(against(Contender::PytorchEager));
    cells.extend(has_f32.then(|| fastest(|contender| !contender.is_bf16())));
    cells.push(fastest(|_| true));
    cells.extend(group.others().iter().map(|&(contender, _)| against(contender)));
    Some(cells)
}

/// The cell of a missing measurement.
fn dash() -> String {
    "–".to_owned()
}

/// The memory of a group as a table after an empty line, or nothing if it was not measured: a row for each
/// work, and for each contender its peak and how many times ours that is.
fn memory(results: &Results, group: Group) -> String {
    let watched: Vec<_> = results.memory.iter().filter(|memory| group.has(&memory.work)).collect();
    let took_part = |c: &Contender| watched.iter().any(|memory| memory.contender == *c);
    let contenders: Vec<_> = Contender::ALL.into_iter().filter(took_part).collect();
    let labels: Vec<_> = contenders.iter().map(|contender| contender.label()).collect();
    if contenders.is_empty() {
        return String::new();
    }
    let columns = "--:|".repeat(contenders.len());
    let mut out = format!("\n| peak anonymous memory | {} |\n|---|{columns}\n", labels.join(" | "));
    let key = |memory: &Memory| (memory.work.clone(), memory.size, memory.threads, memory.steps);
    let mut rows: Vec<_> = watched.iter().map(|memory| key(memory)).collect();
    rows.dedup();
    for row in rows {
        let peak = |contender| {
            let of_row = |memory: &&&Memory| memory.contender == contender && key(memory) == row;
            watched.iter().find(of_row).map(|memory| memory.peak_bytes as f64)
        };
        let cell = |&contender: &Contender| match (peak(contender), peak(Contender::Descent)) {
            (Some(theirs), Some(ours)) if contender != Contender::Descent => {
                format!("{:.0} MB, {:.1} ×", (theirs / 1e6).ceil(), theirs / ours)
            }
            (Some(bytes), _) => format!("{:.0} MB", (bytes / 1e6).ceil()),
            (None, _) => dash(),
        };
        let cells: Vec<_> = contenders.iter().map(cell).collect();
        let (work, size, threads, steps) = &row;
        let name = network_name((work, *size, *threads, Simd::Native)).unwrap_or_else(|| work.clone());
        _ = writeln!(out, "| {name}, {steps} steps | {} |", cells.join(" | "));
    }
    out
}

/// The `allowed` mode of PyTorch with the highest median at a task: its name in benches/peers/pytorch.py, and
/// how many times faster we are.
fn fastest_pytorch(
    results: &Results,
    task: Task<'_>,
    allowed: fn(Contender) -> bool,
) -> Option<(&'static str, Spread)> {
    let modes = Contender::ALL.into_iter().filter(|&c| c.pytorch_mode().is_some() && allowed(c));
    let rated = modes.filter_map(|c| Some((results.find(task, c)?.spread()?.median, c)));
    let (_, fastest) = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((fastest.pytorch_mode()?, results.ratio(task, fastest)?))
}

/// The works of the networks' table, in its order.
const NETWORKS: [Work; 13] = [
    Work::CnnTrain,
    Work::CnnInfer,
    Work::CnnEpoch,
    Work::Model(Model::Airbench94, Pass::Train),
    Work::Model(Model::Airbench94, Pass::Infer),
    Work::Model(Model::ResNet18, Pass::Train),
    Work::Model(Model::ResNet18, Pass::Infer),
    Work::Model(Model::Depthwise, Pass::Train),
    Work::Model(Model::Depthwise, Pass::Infer),
    Work::Model(Model::Transformer, Pass::Train),
    Work::Model(Model::Transformer, Pass::Infer),
    Work::MlpTrain,
    Work::TinyTrain,
];

/// Whether a work is the training or the inference of a network.
pub(super) fn is_network(work: Work) -> bool {
    NETWORKS.contains(&work)
}

/// The row's name of a task.
fn network_name((work, size, _, simd): Task<'_>) -> Option<String> {
    let name = match work.parse().ok()? {
        Work::CnnTrain => format!("CNN, training step, batch {size}"),
        Work::CnnInfer => format!("CNN, inference, batch {size}"),
        Work::CnnEpoch => "CNN, epoch with loading".to_owned(),
        Work::MlpTrain => format!("MLP 784-512-512-10, training step, batch {size}"),
        Work::TinyTrain => format!("MLP with 1,001 parameters, training step, batch {size}"),
        Work::Model(model, pass) => {
            let name = match model {
                Model::Airbench94 => "airbench94",
                Model::ResNet18 => "ResNet-18",
                Model::Depthwise => "depthwise-separable network",
                Model::Transformer => "character transformer (sequences)",
            };
            let pass = if pass == Pass::Train { "training step" } else { "inference" };
            format!("{name}, {pass}, batch {size}")
        }
        _ => return None,
    };
    Some(if simd == Simd::Native { name } else { format!("{name}, {simd}") })
}

#[cfg(test)]
mod tests {
    use super::super::results::{Measurement, Round, tests::sample};
    use super::*;

    #[test]
    fn the_fastest_mode_is_that_of_all_and_is_named() {
        let mut results = sample([400.0; 3]);
        let modes = [(Contender::PytorchFused, 125.0), (Contender::PytorchBf16, 200.0)];
        let eager = results.measurements[1].clone();
        results.measurements.extend(modes.map(|(contender, rate)| Measurement {
            contender,
            rounds: vec![Round { items: 1, seconds: 1.0 / rate }; 3],
            ..eager.clone()
        }));
        let row = "| CNN, training step, batch 64 | 2 | 400 | 4.0 × | 2.0 ×, bf16 | – | – |";
        assert!(short(&results, Group::First).is_some_and(|table| table.contains(row)));
        let cells = "| 3.20 × (3.20–3.20), fused | 2.00 × (2.00–2.00), bf16 | – | – |";
        assert!(markdown(&results, Group::First).is_some_and(|table| table.contains(cells)));

        // The same for a larger network: a separate table, without the contenders that do not have it.
        assert_eq!(short(&results, Group::Larger), None);
        for measurement in &mut results.measurements {
            (measurement.work, measurement.size) = ("airbench94-train".to_owned(), 500);
        }
        assert_eq!(short(&results, Group::First), None);
        let row = "| airbench94, training step, batch 500 | 2 | 400 | 4.0 × | 3.2 ×, fused | 2.0 ×, bf16 |\n";
        assert!(short(&results, Group::Larger).is_some_and(|table| table.contains(row)));
    }

    #[test]
    fn memory_has_a_row_for_each_work_of_the_group() {
        let mut results = sample([400.0; 3]);
        let ours = results.memory[0].clone();
        let airbench = |contender, megabytes: u64| Memory {
            contender,
            work: "airbench94-train".to_owned(),
            size: 500,
            steps: 3,
            peak_bytes: megabytes * 1_000_000,
            ..ours.clone()
        };
        results.memory.extend([airbench(Contender::Descent, 400), airbench(Contender::PytorchEager, 1500)]);
        let first = "\n| peak anonymous memory | Descent |\n|---|--:|\n\
                     | CNN, training step, batch 64, 100 steps | 53 MB |\n";
        assert_eq!(memory(&results, Group::First), first);
        let larger = "\n| peak anonymous memory | Descent | PyTorch |\n|---|--:|--:|\n\
                      | airbench94, training step, batch 500, 3 steps | 400 MB | 1500 MB, 3.8 × |\n";
        assert_eq!(memory(&results, Group::Larger), larger);
    }

    #[test]
    fn the_short_table_has_medians_alone() {
        let table = short(&sample([400.0, 320.0, 360.0]), Group::First).expect("a network was measured");
        let row = "| CNN, training step, batch 64 | 2 | 360 | 4.0 × | 4.0 ×, eager | – | – |";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("; medians of 3 interleaved rounds"), "{table}");
    }

    #[test]
    fn the_table_has_a_row_for_each_network() {
        let table = markdown(&sample([400.0, 320.0, 360.0]), Group::First).expect("a network was measured");
        let row = "| CNN, training step, batch 64 | 2 | 360 | 4.00 × (3.00–4.00) | 4.00 × (3.00–4.00), eager \
                   | 4.00 × (3.00–4.00), eager | – | – |";
        assert!(table.contains(row), "{table}");
        for part in ["PyTorch 2.15.0", "synthetic data", "2 cores (avx512f)", "| 53 MB |"] {
            assert!(table.contains(part), "no {part} in {table}");
        }
    }
}
