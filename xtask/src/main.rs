//! The chores of the project: `cargo xtask <chore>`.

use std::process::ExitCode;

use clap::Parser;
use xtask::{bench, fetch, torture};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Chore {
    FetchCifar(fetch::Args),
    Bench(bench::Args),
    Torture(torture::Args),
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::FetchCifar(args) => fetch::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Torture(args) => torture::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
