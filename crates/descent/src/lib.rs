#![doc = include_str!("../README.md")]

pub mod cli;
pub mod config_file;
pub mod harmless;
pub mod left_out;
pub mod shell;
pub mod signals;

pub mod beginning;
pub mod checkpoint;
mod choice;
pub mod curves;
pub mod eval;
pub mod find_lr;
pub mod flags;
pub mod history;
pub mod idle;
pub mod inputs;
pub mod last_losses;
pub mod limit;
pub mod machine;
pub mod non_finite;
pub mod objective;
pub mod outside;
pub mod predict;
pub mod progress;
pub mod ranks;
pub mod reading;
pub mod recipe;
pub mod recipes;
pub mod report;
pub mod run;
pub mod sizes;
pub mod statistics;
pub mod survey;
pub mod train;

use anyhow::{Error, Result};
use classifier::output::{self, Verbosity, detail};
use tensor::SimdLevel;

use cli::{Cli, Command, check_verbose};
use machine::in_pool;

/// Runs one command of the program.
///
/// # Errors
/// A message of a line or two: what went wrong, where, and what to do.
pub fn run(cli: Cli) -> Result<()> {
    SimdLevel::check_variable().map_err(Error::msg)?;
    output::set_verbosity(match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, false) => Verbosity::Normal,
        (false, true) => Verbosity::Verbose,
    });
    let is_verbose = cli.verbose;
    let command = cli.command();
    if is_verbose {
        check_verbose(&command)?;
    }
    match command {
        Command::Train(args) => ranks::together(&args.session, |ranks| train::train(&args, ranks)),
        Command::Eval(args) => compute(args.threads, || eval::eval(&args)),
        Command::Predict(args) => compute(None, || predict::predict(&args)),
        Command::Data(args) => compute(None, || survey::data(&args)),
        Command::FindLr(args) => compute(args.train.session.threads, || find_lr::find_lr(&args)),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Recipes(args) => recipes::recipes(&args),
        Command::Lecture(args) => compute(None, || lecture::lecture(&args)),
    }
}

/// Runs `work` in a pool of its own, which `--verbose` tells of.
fn compute(threads: Option<usize>, work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    in_pool(threads, || {
        detail(machine::in_use())?;
        work()
    })
}

/// The README's code is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ProjectReadme;

/// The same for the architecture document.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/ARCHITECTURE.md")]
struct Architecture;
