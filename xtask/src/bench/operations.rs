//! The tables of docs/PERFORMANCE.md: convolutions, optimizers and tensor operations compared with PyTorch's.

use std::fmt::Write;

use bench_protocol::{ConvPass, ConvSize, Probe, Rule, TensorOp, Work};

use super::contender::{Contender, Simd};
use super::format::{number, plural, ratio_text, unit};
use super::results::Results;

/// The batch size of the measured convolutions: an eighth of the network's batch.
pub(super) const CONV_BATCH: usize = 250;

/// The three passes in the order of the tables.
pub(super) const PASSES: [ConvPass; 3] =
    [ConvPass::Forward, ConvPass::InputGradient, ConvPass::WeightGradient];

/// The measured update rules.
pub(super) const RULES: [Rule; 3] = [Rule::Sgd, Rule::Adam, Rule::AdamW];

/// The measured numbers of parameters: the lecture's CNN, and more than any cache holds.
pub(super) const PARAMETERS: [usize; 2] = [620_362, 25_000_000];

/// The tensor operations measured on one thread, with their numbers of elements (for a product, the side of
/// the matrices).
pub(super) const TENSOR_OPS: [(TensorOp, usize); 5] = [
    (TensorOp::Add, 1 << 20),
    (TensorOp::Exp, 1 << 20),
    (TensorOp::Sum, 1 << 20),
    (TensorOp::Transpose, 1 << 20),
    (TensorOp::Matmul, 512),
];

/// The bytes copied to measure the copy bandwidth.
pub(super) const COPY_BYTES: usize = 64 << 20;

/// How many times faster than PyTorch channels_last each pass of the airbench network's convolutions is;
/// `None` if none was measured.
pub(super) fn convolutions(results: &Results) -> Option<String> {
    let mut sizes = ConvSize::AIRBENCH.to_vec();
    sizes.dedup();
    let pairs = sizes.iter().flat_map(|&size| threads_of(results).into_iter().map(move |n| (size, n)));
    let rows: String = pairs.filter_map(|(size, threads)| convolution_row(results, size, threads)).collect();
    let header = "| image, channels | threads | GFLOP/s | forward | input gradient | weight gradient |\n\
                  |---|--:|--:|--:|--:|--:|\n";
    let mut sums = String::new();
    for (threads, contender, ratio) in airbench_sums(results) {
        let label = contender.label();
        _ = writeln!(sums, "- {ratio:.2} × {label} on {threads} {}", plural(threads));
    }
    let sums = if sums.is_empty() { sums } else { format!("\nThe whole network, all passes:\n\n{sums}") };
    (!rows.is_empty()).then(|| format!("{header}{rows}{sums}"))
}

fn convolution_row(results: &Results, size: ConvSize, threads: usize) -> Option<String> {
    let mut cells = Vec::new();
    let mut seconds = 0.0;
    for pass in PASSES {
        let work = Work::Conv(pass, size);
        seconds += 1.0 / rate(results, work, CONV_BATCH, threads, Contender::Descent)?;
        cells.push(against(results, work, CONV_BATCH, threads, Contender::PytorchChannelsLast));
    }
    // All passes have the same number of operations.
    let gflops = 3.0 * size.flops() as f64 / seconds / 1e9;
    let ConvSize { side, in_channels, out_channels } = size;
    let name = format!("{side} × {side}, {in_channels} → {out_channels}");
    Some(format!("| {name} | {threads} | {} | {} |\n", number(gflops), cells.join(" | ")))
}

/// For each number of threads, how many times faster we are over the whole airbench network: the times per
/// image of all six convolutions and three passes, summed. Only if all were measured.
pub(super) fn airbench_sums(results: &Results) -> Vec<(usize, Contender, f64)> {
    let sum = |threads, contender| -> Option<f64> {
        let works = ConvSize::AIRBENCH.iter().flat_map(|&size| PASSES.map(|pass| Work::Conv(pass, size)));
        works.map(|work| Some(1.0 / rate(results, work, CONV_BATCH, threads, contender)?)).sum()
    };
    let peers = [Contender::PytorchEager, Contender::PytorchChannelsLast];
    let pairs = threads_of(results).into_iter().flat_map(|threads| peers.map(|peer| (threads, peer)));
    pairs.filter_map(|(t, peer)| Some((t, peer, sum(t, peer)? / sum(t, Contender::Descent)?))).collect()
}

/// The update rules compared with PyTorch's implementations; `None` if none was measured.
pub(super) fn optimizers(results: &Results) -> Option<String> {
    let threads = threads_of(results);
    let sizes = RULES.iter().flat_map(|&rule| PARAMETERS.map(|size| (rule, size)));
    let tasks = sizes.flat_map(|(rule, size)| threads.iter().map(move |&n| (rule, size, n)));
    let rows: String =
        tasks.filter_map(|(rule, size, threads)| optimizer_row(results, rule, size, threads)).collect();
    let header = "| rule | parameters | threads | M parameters/s | GB/s | of a copy's | × PyTorch | × foreach | × fused |\n\
                  |---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    (!rows.is_empty()).then(|| format!("{header}{rows}"))
}

fn optimizer_row(results: &Results, rule: Rule, size: usize, threads: usize) -> Option<String> {
    let work = Work::Optimizer(rule);
    let ours = rate(results, work, size, threads, Contender::Descent)?;
    let copy = rate(results, Work::Probe(Probe::Copy), COPY_BYTES, threads, Contender::Descent);
    let moved = ours * traffic(rule);
    // A copied byte is read and written.
    let share = copy.map_or_else(|| "–".to_owned(), |copy| format!("{:.0} %", 50.0 * moved / copy));
    let name = match rule {
        Rule::Sgd => "SGD, momentum 0.9",
        Rule::Adam => "Adam",
        Rule::AdamW => "AdamW",
    };
    let peers = [Contender::PytorchEager, Contender::PytorchForeach, Contender::PytorchFused];
    let ratios = peers.map(|peer| against(results, work, size, threads, peer)).join(" | ");
    let [size, ours, moved] = [size as f64, ours / 1e6, moved / 1e9].map(number);
    Some(format!("| {name} | {size} | {threads} | {ours} | {moved} | {share} | {ratios} |\n"))
}

/// Bytes that the update of a parameter reads and writes: weight, gradient and state in, weight and state
/// out.
fn traffic(rule: Rule) -> f64 {
    let n_slots = match rule {
        Rule::Sgd => 1,
        Rule::Adam | Rule::AdamW => 2,
    };
    f64::from((3 + 2 * n_slots) * 4)
}

/// Common tensor operations, compared with PyTorch's and ndarray's; `None` if none was measured.
pub(super) fn tensor_ops(results: &Results) -> Option<String> {
    let rows: String = TENSOR_OPS.iter().filter_map(|&(op, size)| tensor_row(results, op, size)).collect();
    let header = "| operation | rate | × PyTorch | × ndarray |\n|---|--:|--:|--:|\n";
    (!rows.is_empty()).then(|| format!("{header}{rows}"))
}

fn tensor_row(results: &Results, op: TensorOp, size: usize) -> Option<String> {
    let work = Work::Tensor(op);
    let (scale, unit) = unit(&work.to_string(), size);
    let rate = number(rate(results, work, size, 1, Contender::Descent)? * scale);
    let peers = [Contender::PytorchEager, Contender::Ndarray];
    let ratios = peers.map(|peer| against(results, work, size, 1, peer)).join(" | ");
    let elements = number(size as f64);
    let name = match op {
        TensorOp::Add => format!("a + b, {elements} elements"),
        TensorOp::Exp => format!("exp(a), {elements} elements"),
        TensorOp::Sum => format!("sum of {elements} elements"),
        TensorOp::Transpose => format!("copy of the transpose of a square matrix of {elements} elements"),
        TensorOp::Matmul => format!("product of two {size} × {size} matrices"),
    };
    Some(format!("| {name} | {rate} {unit} | {ratios} |\n"))
}

/// The measured numbers of threads, each once, in order.
fn threads_of(results: &Results) -> Vec<usize> {
    let mut threads: Vec<_> = results.measurements.iter().map(|m| m.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// The median rate of a contender at a work, with all instructions.
fn rate(results: &Results, work: Work, size: usize, threads: usize, contender: Contender) -> Option<f64> {
    let measurement = results.find((&work.to_string(), size, threads, Simd::Native), contender)?;
    Some(measurement.spread()?.median)
}

/// How many times faster than `peer` we are, or a dash if it was not measured.
fn against(results: &Results, work: Work, size: usize, threads: usize, peer: Contender) -> String {
    let ratio = results.ratio((&work.to_string(), size, threads, Simd::Native), peer);
    ratio.map_or_else(|| "–".to_owned(), ratio_text)
}

#[cfg(test)]
mod tests {
    use super::super::results::{Measurement, Round, tests::sample};
    use super::*;

    fn with(measured: &[(Work, usize, Contender, f64)]) -> Results {
        let mut results = sample([1.0; 3]);
        let rows = measured.iter().map(|&(work, size, contender, rate)| Measurement {
            work: work.to_string(),
            size,
            threads: 1,
            simd: Simd::Native,
            contender,
            rounds: vec![Round { items: 1, seconds: 1.0 / rate }],
        });
        results.measurements.extend(rows);
        results
    }

    #[test]
    fn what_was_not_measured_has_no_table() {
        assert_eq!(optimizers(&sample([1.0; 3])), None);
        assert_eq!(convolutions(&sample([1.0; 3])), None);
        assert_eq!(tensor_ops(&sample([1.0; 3])), None);
    }

    #[test]
    fn an_update_is_held_against_a_copy_of_as_many_bytes() {
        // Adam moves 28 bytes per parameter; 14 copied bytes are the same traffic.
        let table = optimizers(&with(&[
            (Work::Optimizer(Rule::Adam), 25_000_000, Contender::Descent, 1e9),
            (Work::Optimizer(Rule::Adam), 25_000_000, Contender::PytorchFused, 8e8),
            (Work::Probe(Probe::Copy), COPY_BYTES, Contender::Descent, 28e9),
        ]));
        let row = "| Adam | 25,000,000 | 1 | 1,000 | 28.0 | 50 % | – | – | 1.25 × (1.25–1.25) |";
        assert!(table.as_ref().is_some_and(|table| table.contains(row)), "{table:?}");
    }

    #[test]
    fn a_tensor_operation_stands_beside_both_libraries() {
        let work = Work::Tensor(TensorOp::Matmul);
        let contenders =
            [(Contender::Descent, 512.0), (Contender::PytorchEager, 256.0), (Contender::Ndarray, 128.0)];
        let table = tensor_ops(&with(&contenders.map(|(contender, rate)| (work, 512, contender, rate))));
        // A row of the result takes 512 · 512 multiplications and additions.
        let row =
            "| product of two 512 × 512 matrices | 0.3 GFLOP/s | 2.00 × (2.00–2.00) | 4.00 × (4.00–4.00) |\n";
        assert!(table.as_ref().is_some_and(|table| table.ends_with(row)), "{table:?}");
    }

    #[test]
    fn a_convolution_has_a_row_of_its_passes() {
        let size = ConvSize::AIRBENCH[0];
        let of = |contender, rate| PASSES.map(|pass| (Work::Conv(pass, size), CONV_BATCH, contender, rate));
        let (ours, theirs) = (of(Contender::Descent, 2e4), of(Contender::PytorchChannelsLast, 1e4));
        let table = convolutions(&with(&[ours, theirs].concat()));
        let twice = "2.00 × (2.00–2.00)";
        let row = format!("| 31 × 31, 24 → 64 | 1 | 531 | {twice} | {twice} | {twice} |\n");
        assert!(table.as_ref().is_some_and(|table| table.ends_with(&row)), "{table:?}");
    }

    #[test]
    fn the_airbench_sum_wants_all_and_weighs_by_time() {
        let mut results = sample([1.0; 3]);
        assert!(airbench_sums(&results).is_empty());
        for (idx, size) in ConvSize::AIRBENCH.into_iter().enumerate() {
            for pass in PASSES {
                for (contender, rate) in [(Contender::Descent, 2.0), (Contender::PytorchChannelsLast, 1.0)] {
                    results.measurements.push(Measurement {
                        work: Work::Conv(pass, size).to_string(),
                        size: CONV_BATCH,
                        threads: 1,
                        simd: Simd::Native,
                        contender,
                        // Ours only matches theirs at the first, which takes half of their whole time.
                        rounds: vec![Round { items: 1, seconds: if idx == 0 { 5.0 } else { 1.0 / rate } }],
                    });
                }
            }
        }
        let sums = airbench_sums(&results);
        assert_eq!(sums, [(1, Contender::PytorchChannelsLast, 30.0 / 22.5)]);
    }
}
