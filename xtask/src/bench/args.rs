//! The flags of `cargo xtask bench`.

use std::path::PathBuf;

/// Measure training, inference and kernels, alone or against other frameworks.
///
/// By default only our own driver is measured, on every work of the plan. Results are written as JSON with
/// every raw round.
#[derive(clap::Args)]
pub struct Args {
    /// Also measure PyTorch, burn, candle and ndarray, in alternating rounds.
    #[arg(long)]
    pub(super) peers: bool,
    /// Create benches/peers/.venv and install PyTorch into it.
    #[arg(long)]
    pub(super) setup: bool,
    /// Measure the main works only, in short rounds.
    #[arg(long)]
    pub(super) quick: bool,
    /// Measure only works whose name contains this, such as `cnn-train` or `optimizer`.
    #[arg(long, value_name = "WORK")]
    pub(super) only: Option<String>,
    /// Measure only with N threads, instead of with one and with all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) threads: Option<u32>,
    /// Skip PyTorch's compiled modes, which take longer to compile than the rest of a short run.
    #[arg(long)]
    pub(super) no_compile: bool,
    /// Skip PyTorch's modes in bf16, which take ten times as long on a processor without instructions for it.
    #[arg(long)]
    pub(super) no_bf16: bool,
    /// Rounds per driver.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Measure our driver beside an earlier build of it (`benches`' program `ours`), in alternating rounds,
    /// and write a table with the 95 % interval of every ratio beside the results.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "peers")]
    pub(super) before: Option<PathBuf>,
    /// Interpreter that has PyTorch, instead of the one of `--setup` [env: DESCENT_PYTHON].
    #[arg(long, value_name = "PATH")]
    pub(super) python: Option<PathBuf>,
    /// Folder of data_batch_1.bin [default: datasets/cifar-10-batches-bin, else synthetic images].
    #[arg(long, value_name = "FOLDER")]
    pub(super) cifar: Option<PathBuf>,
    /// Output file [default: benches/results/DATE-CPU.json].
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Add the results to an existing file, to measure a long plan in parts with --only.
    #[arg(long, conflicts_with_all = ["readme", "compare"])]
    pub(super) add: bool,
    /// Report what became slower between two results files; measures nothing.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["peers", "setup", "readme", "before"])]
    pub(super) compare: Option<Vec<PathBuf>>,
    /// Write the tables and the chart of a results file into README.md and docs/PERFORMANCE.md; measures
    /// nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["peers", "setup", "before"])]
    pub(super) readme: Option<PathBuf>,
}
