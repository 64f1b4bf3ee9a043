//! `cargo xtask bench`: our speed, compared with other frameworks on the same cores at the same time.

mod chart;
mod compare;
mod contender;
mod documents;
mod driver;
mod machine;
mod measure;
mod memory;
mod networks;
mod operations;
mod plan;
pub mod results;
mod setup;
mod stats;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use chart::svg as chart_svg;
pub use documents::{SECTIONS, Section};
use results::Results;

/// Measure training, inference and kernels, alone or against other frameworks.
///
/// By default only our own driver is measured, on every work of the plan. Results are written as JSON with
/// every raw round.
#[derive(clap::Args)]
pub struct Args {
    /// Also measure PyTorch, burn, candle and ndarray, in alternating rounds.
    #[arg(long)]
    peers: bool,
    /// Create benches/peers/.venv and install PyTorch into it.
    #[arg(long)]
    setup: bool,
    /// Measure the main works only, in short rounds.
    #[arg(long)]
    quick: bool,
    /// Measure only works whose name contains this, such as `cnn-train` or `optimizer`.
    #[arg(long, value_name = "WORK")]
    only: Option<String>,
    /// Measure only with N threads, instead of with one and with all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Skip PyTorch's compiled modes, which take longer to compile than the rest of a short run.
    #[arg(long)]
    no_compile: bool,
    /// Skip PyTorch's modes in bf16, which take ten times as long on a processor without instructions for it.
    #[arg(long)]
    no_bf16: bool,
    /// Rounds per driver.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure our driver beside an earlier build of it (`benches`' program `ours`), in alternating rounds,
    /// and write a table with the 95 % interval of every ratio beside the results.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "peers")]
    before: Option<PathBuf>,
    /// Interpreter that has PyTorch, instead of the one of `--setup` [env: DESCENT_PYTHON].
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Folder of data_batch_1.bin [default: datasets/cifar-10-batches-bin, else synthetic images].
    #[arg(long, value_name = "FOLDER")]
    cifar: Option<PathBuf>,
    /// Output file [default: benches/results/DATE-CPU.json].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Add the results to an existing file, to measure a long plan in parts with --only.
    #[arg(long, conflicts_with_all = ["readme", "compare"])]
    add: bool,
    /// Report what became slower between two results files; measures nothing.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["peers", "setup", "readme", "before"])]
    compare: Option<Vec<PathBuf>>,
    /// Write the tables and the chart of a results file into README.md and docs/PERFORMANCE.md; measures
    /// nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["peers", "setup", "before"])]
    readme: Option<PathBuf>,
}

/// Runs what the arguments ask for.
///
/// # Errors
/// If a driver cannot be built or fails, drivers disagree about the work, or a file cannot be read or written.
pub fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    if let Some([before, after]) = args.compare.as_deref() {
        print!("{}", compare::report(&Results::read(before)?, &Results::read(after)?));
        return Ok(());
    }
    if let Some(file) = &args.readme {
        return documents::update(root, file);
    }
    if args.setup {
        setup::make_environment(root)?;
        if !args.peers {
            return Ok(());
        }
    }
    ensure!(
        args.before.is_none() || args.rounds >= 6,
        "--rounds {}: an interval of 95 % takes at least 6 rounds",
        args.rounds
    );
    let (mut results, images) = measure::prepare(root, args)?;
    let path = args.out.clone().unwrap_or_else(|| root.join(results.default_path()));
    let cannot_add = || format!("cannot add to {}", path.display());
    let earlier = if args.add && path.exists() { Some(Results::read(&path)?) } else { None };
    if let Some(earlier) = &earlier {
        // Before the minutes of measuring, whose results would be lost.
        earlier.check_origin(&results).with_context(cannot_add)?;
    }
    measure::measure(root, args, images, &mut results)?;
    print!("\n{}", table::text(&results));
    if let Some(earlier) = earlier {
        results = earlier.with(results).with_context(cannot_add)?;
    }
    results.write(&path)?;
    if args.before.is_some() {
        let table = path.with_extension("md");
        atomic_file::write(&table, compare::interleaved(&results).as_bytes())
            .with_context(|| format!("cannot write {}", table.display()))?;
        println!("\nwritten: {} and {}", path.display(), table.display());
    } else {
        let and_chart =
            if chart::write(&results, &path.with_extension("svg"))? { " and its chart" } else { "" };
        println!("\nwritten: {}{and_chart}", path.display());
    }
    Ok(())
}
