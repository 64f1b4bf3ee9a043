//! `cargo xtask seeds`: trains a recipe once for each seed and collects the results.

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::program::{descent, root};

/// Train a recipe once for each seed, and record accuracy and time in docs/results/RECIPE/seeds.csv
///
/// A seed that has a row is skipped, and an interrupted run resumes from its checkpoint: run the same command
/// again.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Recipe, one of `descent recipes`
    #[arg(long, value_name = "NAME")]
    pub recipe: String,
    /// Range of seeds, without its end: 0..10 is ten seeds
    #[arg(long, value_name = "FROM..TO", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Data, as for --data of `descent train` [default: datasets/cifar-10-batches-bin]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Output file [default: docs/results/RECIPE/seeds.csv]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Folder for the runs, each in its own folder seed-N [default: runs/RECIPE]
    #[arg(long, value_name = "DIR")]
    pub runs: Option<PathBuf>,
    /// Training program [default: target/release/descent, built if needed]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Further flags for `descent train`, after --
    #[arg(last = true, value_name = "FLAGS")]
    pub flags: Vec<OsString>,
}

/// The default data, relative to the project's folder.
const CIFAR10: &str = "datasets/cifar-10-batches-bin";

/// The columns of the file: one row for each seed.
const HEADER: &str = "seed,accuracy,training_seconds,total_seconds,processor";

/// The outcome of a run, from its result.json.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Outcome {
    seed: u64,
    part: String,
    /// From 0 to 1.
    accuracy: f64,
    training_seconds: f64,
    total_seconds: f64,
    processor: String,
}

impl Outcome {
    /// A line of the file; accuracy in percent.
    fn row(&self) -> String {
        let Self { seed, accuracy, training_seconds, total_seconds, processor, .. } = self;
        let processor = processor.replace('"', "'");
        format!("{seed},{:.2},{training_seconds:.1},{total_seconds:.1},\"{processor}\"\n", 100.0 * accuracy)
    }
}

/// Runs the task.
///
/// # Errors
/// If the program is missing, a run fails or is stopped, or a file cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let root = root()?;
    let program = descent(args.program.as_deref())?;
    let recipe = &args.recipe;
    let out = match &args.out {
        Some(out) => absolute(out)?,
        None => root.join("docs/results").join(recipe).join("seeds.csv"),
    };
    let runs = match &args.runs {
        Some(runs) => absolute(runs)?,
        None => root.join("runs").join(recipe),
    };
    // Without --data, `descent train` would turn to the built-in set where CIFAR-10 is absent.
    let data = match &args.data {
        Some(data) => absolute(data)?,
        None => PathBuf::from(CIFAR10),
    };
    for folder in out.parent().into_iter().chain([runs.as_path()]) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for seed in args.seeds.clone() {
        if rows(&out)?.iter().any(|row| row[0] == seed as f64) {
            println!("seed {seed}: it has a row in {}", out.display());
            continue;
        }
        let folder = runs.join(format!("seed-{seed}"));
        let mut train = Command::new(&program);
        train.current_dir(root).args(["train", "--recipe", recipe, "--seed", &seed.to_string()]);
        train.arg("--data").arg(&data).args(&args.flags).arg("--resume").arg("--out").arg(&folder);
        let status = train.status().with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(
            status.success(),
            "seed {seed}: the run ended with {status}; run the same command again to resume it"
        );
        let outcome = outcome(&folder, seed)?;
        append(&out, &outcome.row())?;
        print!("seed {}", outcome.row());
    }
    println!("{}", summary(&rows(&out)?));
    Ok(())
}

/// `FROM..TO`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    let range: Option<Range<u64>> = range.filter(|range: &Range<u64>| !range.is_empty());
    range.ok_or_else(|| "expected a range such as 0..10, which has the seeds 0 to 9".to_owned())
}

/// The outcome that the run in this folder recorded.
fn outcome(folder: &Path, seed: u64) -> Result<Outcome> {
    let path = folder.join("result.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let outcome: Outcome = serde_json::from_str(&text)
        .with_context(|| format!("{} is not the result of a run", path.display()))?;
    ensure!(
        outcome.seed == seed && outcome.part == "test",
        "{}: expected the result of seed {seed} on a test set, found that of seed {} on the {} set",
        path.display(),
        outcome.seed,
        outcome.part
    );
    Ok(outcome)
}

/// Appends a row, completely or not at all.
fn append(path: &Path, row: &str) -> Result<()> {
    let before = text(path)?;
    atomic_file::write(path, (before + row).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The file, or its header if it does not exist yet.
fn text(path: &Path) -> Result<String> {
    let header = format!("{HEADER}\n");
    match fs::read_to_string(path) {
        Ok(text) if text.starts_with(&header) => Ok(text),
        Ok(_) => bail!("{}: expected a file that begins with {HEADER}", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(header),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Seed, accuracy, training seconds and total seconds of each row.
fn rows(path: &Path) -> Result<Vec<[f64; 4]>> {
    let text = text(path)?;
    let row = |line: &str| {
        let mut fields = line.split(',').map(|field| field.parse().ok());
        let mut next = || fields.next().flatten();
        let row = (|| Some([next()?, next()?, next()?, next()?]))();
        row.with_context(|| format!("{}: {line:?} is not a row", path.display()))
    };
    text.lines().skip(1).map(row).collect()
}

/// The number of seeds, their mean accuracy with its standard error, and their mean times.
fn summary(rows: &[[f64; 4]]) -> String {
    let n = rows.len() as f64;
    let mean = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / n;
    let accuracy = mean(1);
    let squares: f64 = rows.iter().map(|row| (row[1] - accuracy).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    let error = if rows.len() > 1 { format!(", standard error {error:.2}") } else { String::new() };
    format!(
        "{n} seeds: accuracy {accuracy:.2} % on average{error}; {:.1} s of training, {:.1} s in all",
        mean(2),
        mean(3)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_seed_at_least() {
        assert_eq!(seeds("0..10"), Ok(0..10));
        assert_eq!(seeds("7..8"), Ok(7..8));
        for wrong in ["", "5", "3..3", "5..2", "a..b", "0..=9", "-1..2"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_mean_comes_with_its_standard_error() {
        // Deviations of 1, 0 and −1: a variance of 1 among three.
        let rows = [[0.0, 95.0, 10.0, 20.0], [1.0, 94.0, 20.0, 30.0], [2.0, 93.0, 30.0, 40.0]];
        let expected =
            "3 seeds: accuracy 94.00 % on average, standard error 0.58; 20.0 s of training, 30.0 s in all";
        assert_eq!(summary(&rows), expected);
        assert!(summary(&rows[..1]).starts_with("1 seeds: accuracy 95.00 % on average; 10.0 s"));
    }
}
