//! The tasks of the project: `cargo xtask <task>`.

use std::process::ExitCode;

use clap::Parser;
use foreign_text::printable;
use xtask::{bench, doc, fetch, pictures, torture};

/// The project's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Task {
    FetchCifar(fetch::Args),
    Bench(bench::Args),
    Torture(torture::Args),
    Doc(doc::Args),
    Pictures(pictures::Args),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::FetchCifar(args) => fetch::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Torture(args) => torture::run(&args),
        Task::Doc(args) => doc::run(&args),
        Task::Pictures(args) => pictures::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
