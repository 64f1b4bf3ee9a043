//! `cargo xtask scaling`: times training on several processes, fits a model of the cost to the times, and
//! predicts those of many machines.

mod model;
mod networks;
mod report;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::program::{descent_with_mpi, root};
use networks::{NETWORKS, Network, RANKS, SHARDS, Timed};
use report::Report;

/// Time training on 1 to 16 processes, and put the times and a prediction for many machines into
/// docs/many-machines.md
///
/// Needs mpirun, and a machine that does nothing else: a few minutes on two cores.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only write the document again, from the times in docs/results/scaling/steps.csv
    #[arg(long)]
    pub redraw: bool,
    /// Time only these rows of steps.csv again, named by their first cells: airbench94 for all of its rows,
    /// airbench94,1,2 for one process of two threads
    #[arg(long, value_name = "NETWORK[,PROCESSES[,THREADS]]", conflicts_with = "redraw")]
    pub only: Vec<String>,
    /// Training program, built with the feature mpi [default: target/release/descent, built if needed]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

const EPOCHS: usize = 5;

const DOCUMENT: &str = "docs/many-machines.md";
const RESULTS: &str = "docs/results/scaling";
const HEADER: &str = "network,processes,threads,cores,seconds_per_step,sums_per_step,bytes_per_step";
const MARKS: [&str; 2] = ["<!-- scaling:begin -->\n", "<!-- scaling:end -->"];

/// Runs the task.
///
/// # Errors
/// If mpirun is missing, a run fails, or a file cannot be read or written.
pub fn run(args: &Args) -> Result<()> {
    let root = root()?;
    let folder = root.join(RESULTS);
    let file = folder.join("steps.csv");
    if !args.redraw {
        let program = absolute(descent_with_mpi(args.program.as_deref())?)?;
        let rows = measure(&program, &args.only, || read(&file))?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write(&file, &csv(&rows))?;
    }
    let report = Report::new(&read(&file)?)?;
    if let Some(sentence) = report.unseen() {
        println!("{sentence}");
    }
    write(&folder.join("processes.svg"), &report.processes()?)?;
    write(&folder.join("machines.svg"), &report.machines()?)?;
    let path = root.join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    write(&path, &with_section(&document, &report.markdown())?)
}

fn read(file: &Path) -> Result<Vec<Timed>> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read {} (made without --redraw and --only)", file.display()))?;
    parse(&text).with_context(|| format!("{}", file.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    atomic_file::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// A run to time.
#[derive(Clone, Copy)]
struct Plan {
    network: &'static Network,
    ranks: usize,
    /// Of each process.
    threads: usize,
}

impl Plan {
    /// Each network on each number of processes with one thread each, and on one process with all cores.
    fn all(cores: usize) -> Vec<Self> {
        let runs = || RANKS.map(|ranks| (ranks, 1)).into_iter().chain([(1, cores)]);
        let of = |network| runs().map(move |(ranks, threads)| Self { network, ranks, threads });
        NETWORKS.iter().flat_map(of).collect()
    }

    /// The first cells of its row.
    fn name(self) -> String {
        format!("{},{},{}", self.network.name, self.ranks, self.threads)
    }

    /// Whether `only` begins its name, or there is no `only`.
    fn is_wanted(self, only: &[String]) -> bool {
        let name = format!("{},", self.name());
        only.is_empty() || only.iter().any(|only| name.starts_with(&format!("{only},")))
    }

    fn is_of(self, row: &Timed) -> bool {
        (self.network.name, self.ranks, self.threads) == (&*row.network, row.ranks, row.threads)
    }
}

/// Times all runs, or `only` some: the rows of the others are those `before`.
fn measure(
    program: &Path,
    only: &[String],
    before: impl FnOnce() -> Result<Vec<Timed>>,
) -> Result<Vec<Timed>> {
    let version = Command::new("mpirun").arg("--version").output();
    let version = version.context("no mpirun (Debian: apt install openmpi-bin libopenmpi-dev)")?;
    let is_open_mpi = String::from_utf8_lossy(&version.stdout).contains("Open MPI");
    let cores = available_parallelism()?.get();
    let plans = Plan::all(cores);
    for only in only {
        let is_known = plans.iter().any(|plan| plan.is_wanted(std::slice::from_ref(only)));
        let names = || plans.iter().map(|plan| plan.name()).collect::<Vec<_>>().join("; ");
        ensure!(is_known, "--only {only:?}: expected the beginning of one of these: {}", names());
    }
    let before = if only.is_empty() { Vec::new() } else { before()? };
    let mut rows = Vec::new();
    for plan in plans {
        let Plan { network, ranks, threads } = plan;
        if plan.is_wanted(only) {
            let mut command = match ranks {
                1 => Command::new(program),
                _ => Command::new("mpirun"),
            };
            if ranks > 1 {
                if is_open_mpi {
                    // More processes than cores, and in a container as root.
                    command.args(["--oversubscribe", "--allow-run-as-root"]);
                }
                command.args(["-n", &ranks.to_string()]).arg(program);
            }
            let row = time(command, network, ranks, threads, cores)
                .with_context(|| format!("{} on {ranks} processes", network.name))?;
            println!("{} on {ranks} processes of {threads} threads: {:.4} s", row.network, row.seconds);
            rows.push(row);
        } else {
            let row = before.iter().find(|row| plan.is_of(row));
            rows.push(
                row.with_context(|| format!("no row {} yet: name it with --only too", plan.name()))?.clone(),
            );
        }
    }
    Ok(rows)
}

fn time(
    mut command: Command,
    network: &Network,
    ranks: usize,
    threads: usize,
    cores: usize,
) -> Result<Timed> {
    // Where there is no CIFAR-10, the built-in set is found.
    let folder = tempfile::tempdir().context("cannot make a folder to run in")?;
    let Network { name, batch_size, steps_per_epoch, flags } = network;
    command.current_dir(&folder).arg("train").args(*flags);
    for (flag, number) in [
        ("--epochs", EPOCHS),
        ("--limit", batch_size * steps_per_epoch),
        ("--shards", SHARDS),
        ("--threads", threads),
    ] {
        command.args([flag, &number.to_string()]);
    }
    // In an epoch nothing but steps is exchanged.
    command.args(["--val", "0", "--watch-test=false", "--json", "--out", "out"]);
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let epochs = epochs(&said)?;
    // The first epoch warms up.
    let mut seconds: Vec<f64> = epochs.iter().skip(1).map(|epoch| epoch.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let last = epochs.last().with_context(|| format!("no epochs in {said:?}"))?;
    let exchanged = match ranks {
        1 => Exchanged::default(),
        _ => last.communication.with_context(|| format!("no communication in the last epoch of {said:?}"))?,
    };
    let n_steps = *steps_per_epoch as f64;
    Ok(Timed {
        network: (*name).to_owned(),
        ranks,
        threads,
        cores,
        seconds: seconds[seconds.len() / 2] / n_steps,
        sums: exchanged.sums / n_steps,
        bytes: exchanged.bytes / n_steps,
    })
}

/// What `descent train --json` says of an epoch.
#[derive(Debug, PartialEq, Deserialize)]
struct Epoch {
    /// Of training.
    seconds: f64,
    /// None on one rank.
    communication: Option<Exchanged>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
struct Exchanged {
    sums: f64,
    bytes: f64,
}

/// The epochs among the objects that the program prints, one on each line.
fn epochs(said: &str) -> Result<Vec<Epoch>> {
    let mut epochs = Vec::new();
    for line in said.lines() {
        let object: Value =
            serde_json::from_str(line).with_context(|| format!("{line:?} is not a JSON object"))?;
        if object["event"] == "epoch" {
            epochs.push(serde_json::from_value(object).with_context(|| format!("an odd epoch: {line}"))?);
        }
    }
    Ok(epochs)
}

fn csv(rows: &[Timed]) -> String {
    let mut text = format!("{HEADER}\n");
    for Timed { network, ranks, threads, cores, seconds, sums, bytes } in rows {
        writeln!(text, "{network},{ranks},{threads},{cores},{seconds:.6},{sums:.1},{bytes:.0}")
            .expect("a string takes all");
    }
    text
}

fn parse(text: &str) -> Result<Vec<Timed>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(HEADER), "expected a file that begins with {HEADER}");
    let row = |line: &str| -> Option<Timed> {
        let fields: Vec<&str> = line.split(',').collect();
        let [network, ranks, threads, cores, seconds, sums, bytes] = fields[..] else { return None };
        let number = |text: &str| text.parse().ok().filter(|number: &f64| *number >= 0.0);
        Some(Timed {
            network: network.to_owned(),
            ranks: ranks.parse().ok()?,
            threads: threads.parse().ok()?,
            cores: cores.parse().ok()?,
            seconds: number(seconds)?,
            sums: number(sums)?,
            bytes: number(bytes)?,
        })
    };
    lines.map(|line| row(line).with_context(|| format!("{line:?} is not a row"))).collect()
}

/// The document with this text between the marks.
fn with_section(document: &str, text: &str) -> Result<String> {
    let find = |mark: &str| document.find(mark).with_context(|| format!("{DOCUMENT} has no {}", mark.trim()));
    let (begin, end) = (find(MARKS[0])? + MARKS[0].len(), find(MARKS[1])?);
    ensure!(begin <= end, "{DOCUMENT}: {} comes after {}", MARKS[0].trim(), MARKS[1]);
    Ok(format!("{}{text}{}", &document[..begin], &document[end..]))
}

#[cfg(test)]
mod tests {
    use super::model::{Cost, crowding, depth, in_turn, largest_share, overlapped};
    use super::report::digits;
    use super::*;

    /// Runs whose times are those of the model with this cost.
    fn rows(cost: Cost) -> Vec<Timed> {
        let row = |network: &Network, ranks: usize, threads, seconds| {
            let (sums, bytes) = (10.0, 2.0 * 2.5e6);
            let network = network.name.to_owned();
            Timed { network, ranks, threads, cores: 2, seconds, sums, bytes }
        };
        let mut rows = Vec::new();
        for (network, whole) in NETWORKS.iter().zip([0.01, 6.0]) {
            rows.push(row(network, 1, 1, whole));
            rows.push(row(network, 1, 2, whole / 2.0));
            for ranks in [2, 4, 8, 16] {
                let crowding = crowding(ranks, 2);
                let communication = cost.seconds(in_turn(ranks, 10.0, 2.5e6)) * crowding;
                let repeated = cost.repeated * whole * (crowding - 0.5);
                rows.push(row(network, ranks, 1, whole / 2.0 + repeated + communication));
            }
        }
        rows
    }

    #[test]
    fn the_fit_finds_the_cost_that_the_times_have() {
        for (latency, per_byte, repeated) in
            [(2e-5, 3e-10, 0.05), (0.0, 1e-9, 0.01), (1e-3, 0.0, 0.1), (2e-5, 3e-10, 0.0)]
        {
            let report = Report::new(&rows(Cost { latency, per_byte, repeated })).unwrap();
            let found = report.cost;
            assert!((found.repeated - repeated).abs() < 1e-9, "{found:?}");
            assert!((found.latency - latency).abs() < 1e-6 * latency + 1e-12, "{found:?}");
            assert!((found.per_byte - per_byte).abs() < 1e-6 * per_byte + 1e-15, "{found:?}");
        }
    }

    #[test]
    fn what_the_times_do_not_show_is_told_and_times_that_cannot_be_are_refused() {
        let cost = Cost { latency: 2e-5, per_byte: 3e-10, repeated: 0.02 };
        let seen = Report::new(&rows(cost)).unwrap();
        assert!(seen.unseen().is_none() && !seen.markdown().contains("inexact"));
        // Less for many messages, as if each took a negative time.
        let mut inexact = rows(Cost { latency: 0.0, per_byte: 3e-10, repeated: 0.02 });
        inexact.iter_mut().filter(|row| row.ranks == 16).for_each(|row| row.seconds *= 0.98);
        let unseen = Report::new(&inexact).unwrap();
        let sentence = "The times are too inexact to show the cost of a message, which is taken as 0.";
        assert_eq!(unseen.unseen().unwrap(), sentence);
        let before_the_table = format!("steps.csv)).\n{sentence}\n\n| seconds per step; processes: | 1 |");
        assert!(unseen.markdown().contains(&before_the_table));

        let mut disturbed = rows(cost);
        let alone = disturbed.iter_mut().find(|row| row.network == "airbench94" && row.threads == 1).unwrap();
        alone.seconds *= 1.1;
        let error = Report::new(&disturbed).err().unwrap().to_string();
        assert!(error.starts_with("airbench94: a step on 2 processes takes 3.06"), "{error}");
        assert!(error.contains("according to the run on one thread (6.600 s)"), "{error}");
        assert!(error.ends_with(r#"--only "airbench94,1,1" --only "airbench94,2,1""#), "{error}");

        let mut moved = rows(cost);
        moved[3].cores = 4;
        let error = Report::new(&moved).err().unwrap().to_string();
        assert!(error.starts_with("runs on machines of 2 and of 4 cores"), "{error}");
    }

    #[test]
    fn rows_are_named_by_their_first_cells() {
        let wanted = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&only| only.into()).collect();
            let plans = Plan::all(2).into_iter().filter(|plan| plan.is_wanted(&only));
            plans.map(Plan::name).collect::<Vec<_>>()
        };
        assert_eq!(wanted(&[]).len(), 12);
        assert_eq!(wanted(&["airbench94"]).len(), 6);
        assert_eq!(wanted(&["airbench94,1"]), ["airbench94,1,1", "airbench94,1,2"]);
        let two = ["the lecture's CNN,16,1", "airbench94,1,2"];
        assert_eq!(wanted(&two), two);
        assert!(wanted(&["airbench", "airbench94,3", ""]).is_empty());
        let error =
            measure(Path::new("no"), &["airbench".into()], || Ok(Vec::new())).unwrap_err().to_string();
        assert!(error.contains("no mpirun") || error.contains("the lecture's CNN,1,1; "), "{error}");
        let is_timed = |row: &Timed| Plan::all(2).iter().filter(|plan| plan.is_of(row)).count() == 1;
        assert!(rows(Cost { latency: 0.0, per_byte: 0.0, repeated: 0.0 }).iter().all(is_timed));
    }

    #[test]
    fn prediction_and_shares_are_those_of_the_tree() {
        assert_eq!([1, 2, 3, 4, 5, 64].map(depth), [0, 1, 2, 2, 3, 6]);
        assert_eq!(largest_share(64, 16, 16), 1.0 / 16.0);
        // Three shards on two processes: two and one.
        assert_eq!(largest_share(24, 3, 2), 16.0 / 24.0);
        let here = Cost { latency: 1e-5, per_byte: 1e-10, repeated: 0.1 };
        let report = Report::new(&rows(here)).unwrap();
        let [computing, communication] = report.subjects[0].predicted(4, 1, here, false);
        // A quarter, and a tenth of the other three quarters.
        assert!((computing - 0.005 * (0.25 + 0.075)).abs() < 1e-12);
        // Forty messages of sums, five of agreement; a half and a quarter of 2.5 MB, up and down, at 8 ns a byte
        // and 0.1 ns for adding and copying it.
        assert!((communication - (45.0 * 30e-6 + 1.5 * 2.5e6 * 8.1e-9)).abs() < 1e-12, "{communication}");
        assert_eq!([2, 8].map(|ranks| in_turn(ranks, 1.0, 8.0)), [[4.0, 8.0], [16.0, 14.0]]);
        assert_eq!(in_turn(3, 1.0, 8.0), [8.0, 32.0], "whole, on two levels");
        assert_eq!(report.subjects[0].predicted(4, 1, here, true)[0], 0.005);
        assert_eq!(overlapped(3.0, 1.0), 3.0);
        assert_eq!(overlapped(3.0, 5.0), 6.0);
    }

    #[test]
    fn rows_are_read_as_they_were_written_and_a_missing_one_is_named() {
        let mut written = rows(Cost { latency: 0.0, per_byte: 0.0, repeated: 0.0 });
        assert_eq!(parse(&csv(&written)).unwrap(), written);
        written.remove(3);
        let error = Report::new(&written).err().unwrap().to_string();
        assert_eq!(error, "the lecture's CNN: no run on 4 processes");
        assert!(parse("network\n").is_err() && parse(&format!("{HEADER}\nx,1\n")).is_err());
        let said = concat!(
            r#"{"event": "start", "out": "out"}"#,
            "\n",
            r#"{"event": "epoch", "seconds": 0.5, "communication": null}"#,
            "\n",
            r#"{"event": "epoch", "seconds": 1, "communication": {"sums": 40, "bytes": 12500, "seconds": 0.1}}"#,
        );
        let [alone, joined] = &epochs(said).unwrap()[..] else { panic!("not two epochs") };
        assert_eq!(*alone, Epoch { seconds: 0.5, communication: None });
        let communication = Some(Exchanged { sums: 40.0, bytes: 12500.0 });
        assert_eq!(*joined, Epoch { seconds: 1.0, communication });
        assert!(epochs("epoch 1/2").is_err() && epochs(r#"{"event": "epoch"}"#).is_err());
    }

    #[test]
    fn the_document_has_a_place_for_the_tables() {
        let document = fs::read_to_string(root().unwrap().join(DOCUMENT)).unwrap();
        let report = Report::new(&rows(Cost { latency: 1e-5, per_byte: 1e-10, repeated: 0.1 })).unwrap();
        let text = with_section(&document, &report.markdown()).unwrap();
        assert!(text.contains("| airbench94, measured/model | 1.00 | 1.00 |") && text.contains("| 64 |"));
        assert_eq!(with_section(&text, &report.markdown()).unwrap(), text);
        assert!(report.processes().unwrap().contains("measured"));
        assert!(report.machines().unwrap().contains("100 Gbit/s"));
        assert!(with_section("", "").is_err());
        assert_eq!([0.001_234, 0.5, 12.0].map(digits), ["0.0012", "0.50", "12"]);
    }
}
