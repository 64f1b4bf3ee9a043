#![doc = include_str!("../README.md")]

pub mod cli;
pub mod signals;

pub mod checkpoint;
pub mod history;
pub mod non_finite;
pub mod predict;
pub mod progress;
pub mod recipe;
pub mod report;
pub mod run;
pub mod train;

use anyhow::{Context, Error, Result};
use classifier::{Evaluation, Images, model, output};
use data::Loader;
use tensor::SimdLevel;

use cli::{Cli, Command, EvalArgs};

/// Runs one command of the program.
///
/// # Errors
/// With a message of a line or two: what went wrong, where, and what to do.
pub fn run(cli: Cli) -> Result<()> {
    SimdLevel::check_variable().map_err(Error::msg)?;
    match cli.command() {
        Command::Train(args) => in_pool(args.session.threads, || train::train(&args)),
        Command::Eval(args) => in_pool(args.threads, || eval(&args)),
        Command::Predict(args) => predict::predict(&args),
        Command::Lecture(args) => in_pool(None, || lecture::lecture(&args)),
    }
}

/// Runs all of `work` on a pool of its own, so that no step has to enter one.
fn in_pool(threads: Option<usize>, work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    builder.build().context("cannot start the threads")?.install(work)
}

/// Prints the accuracy of saved weights on the test set; an error where an answer was NaN or infinite.
fn eval(args: &EvalArgs) -> Result<()> {
    let (net, mut params, about) = model::load(&args.model)?;
    let images = Images::open(args.data.as_deref())?;
    about.check_classes(&images.test, images.name)?;
    let mut loader = Loader::new(&images.test, args.batch_size).normalize(&about.normalize());
    let mut tape = autograd::Tape::new();
    let evaluation = Evaluation::run(&net, &mut params, &mut tape, &mut loader, about.classes.len())?;
    output::say(format_args!("accuracy {:.2} %", evaluation.score().accuracy))?;
    evaluation.check_finite()
}

/// The README's code is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ProjectReadme;

/// So is that of the map.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/ARCHITECTURE.md")]
struct Architecture;
