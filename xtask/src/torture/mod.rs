//! `cargo xtask torture`: the long forms of checks that the ordinary tests run in short.

mod checks;

use std::fs::{self, File};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

pub use checks::{CHECKS, Check};

/// Run the long checks: kills, mutations, a soak, Miri, fuzzing
///
/// Each check runs one command, whose output goes to target/torture/NAME.log. Some take minutes; each fuzz
/// target takes an hour. A check whose tools are not installed fails and names them.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Checks to run [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// List the checks and their commands without running them
    #[arg(long)]
    pub list: bool,
}

/// How a check ended.
struct Outcome {
    check: &'static Check,
    /// `None` when it passed.
    failure: Option<String>,
    took: Duration,
}

/// Runs the task.
///
/// # Errors
/// When a given check does not exist, or one did not pass.
pub fn run(args: &Args) -> Result<()> {
    let chosen = choose(&args.names)?;
    if args.list {
        print!("{}", list(&chosen));
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let logs = root.join("target/torture");
    fs::create_dir_all(&logs).with_context(|| format!("making the folder {}", logs.display()))?;
    let mut outcomes = Vec::new();
    for (check_idx, check) in chosen.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", check_idx + 1, chosen.len(), check.name, check.command_line());
        let outcome = run_check(check, &root, &log_path(&logs, check))?;
        eprintln!("      {}", verdict(&outcome));
        outcomes.push(outcome);
    }
    print!("{}", summary(&outcomes));
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some());
    let logs = failed.map(|outcome| log_path(&logs, outcome.check).display().to_string());
    let logs: Vec<String> = logs.collect();
    ensure!(logs.is_empty(), "{} of {} checks failed; see {}", logs.len(), outcomes.len(), logs.join(", "));
    Ok(())
}

/// The checks with these names in the order of the table, or all.
fn choose(names: &[String]) -> Result<Vec<&'static Check>> {
    let known = || CHECKS.iter().map(|check| check.name);
    if let Some(name) = names.iter().find(|name| !known().any(|known| known == name.as_str())) {
        bail!("there is no check {name:?}; there are {}", known().collect::<Vec<_>>().join(", "));
    }
    let is_chosen = |check: &&Check| names.is_empty() || names.iter().any(|name| name == check.name);
    Ok(CHECKS.iter().filter(is_chosen).collect())
}

fn run_check(check: &'static Check, root: &Path, log: &Path) -> Result<Outcome> {
    let file = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    // `cargo` started this task; its compiler must not replace that of a `cargo +nightly`.
    let started = Instant::now();
    let mut child = Command::new("cargo")
        .args(check.cargo.split(' '))
        .envs(check.variables.iter().copied())
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {}", check.command_line()))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stderr().is_terminal() {
            eprint!("\r      {}\r", minutes(started.elapsed()));
        }
        thread::sleep(Duration::from_millis(200));
    };
    let took = started.elapsed();
    let said = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let failure = match (status.success(), check.needs) {
        (true, _) if did_something(&String::from_utf8_lossy(&said)) => None,
        (true, _) => Some("nothing was run".to_owned()),
        (false, Some(needs)) => Some(format!("{status} (it takes {needs})")),
        (false, None) => Some(status.to_string()),
    };
    Ok(Outcome { check, failure, took })
}

/// Whether a test or fuzz target was executed: `cargo test` with a filter that matches nothing succeeds.
fn did_something(log: &str) -> bool {
    let count = |line: &str, before: &str, after: &str| -> Option<u64> {
        line.split_once(before)?.1.split_once(after)?.0.trim().parse().ok()
    };
    log.lines().any(|line| {
        let n_done = count(line, "test result: ok.", "passed").or_else(|| count(line, "Done ", "runs in"));
        n_done.is_some_and(|n_done| n_done > 0)
    })
}

fn verdict(outcome: &Outcome) -> String {
    let took = minutes(outcome.took);
    match &outcome.failure {
        None => format!("passed in {took}"),
        Some(why) => format!("FAILED after {took}: {why}"),
    }
}

fn list(checks: &[&Check]) -> String {
    checks.iter().map(|c| format!("{}\n    {}\n    {}\n", c.name, c.promise, c.command_line())).collect()
}

/// The outcomes as a table for the terminal and for a results file.
fn summary(outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let Outcome { check, failure, took } = outcome;
        let result = if failure.is_none() { "passed" } else { "FAILED" };
        format!("| {} | {} | {result} | {} |\n", check.name, check.promise, minutes(*took))
    };
    let lines: String = outcomes.iter().map(line).collect();
    format!("| check | what it shows | result | time |\n|---|---|---|---|\n{lines}")
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

fn log_path(logs: &Path, check: &Check) -> PathBuf {
    logs.join(check.name).with_extension("log")
}

#[cfg(test)]
mod tests {
    use super::did_something;

    #[test]
    fn a_filter_that_matches_nothing_is_no_success() {
        let result = |n| {
            format!("running {n} tests\n\ntest result: ok. {n} passed; 0 failed; 0 ignored; 1 filtered out")
        };
        assert!(!did_something(&result(0)));
        assert!(did_something(&result(1)));
        assert!(did_something(&[result(0), result(12), result(0)].join("\n")));
        assert!(!did_something("test result: FAILED. 3 passed; 1 failed; 0 ignored"));
        assert!(did_something("Done 1780627 runs in 3601 second(s)"));
        assert!(!did_something("Done 0 runs in 1 second(s)"));
        assert!(!did_something(""));
    }
}
