//! The project's tasks: `cargo xtask <task>`.

use std::process::ExitCode;

use clap::Parser;
use data::published;
use foreign_text::printable;
use xtask::{bench, doc, fetch, minutes, pictures, scaling, seeds, torture};

/// The project's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Task {
    FetchCifar(fetch::Args),
    /// Download MNIST, check it, and put it into datasets/mnist
    FetchMnist(fetch::FilesArgs),
    /// Download Fashion-MNIST, check it, and put it into datasets/fashion-mnist
    FetchFashionMnist(fetch::FilesArgs),
    Bench(bench::Args),
    Torture(torture::Args),
    Doc(doc::Args),
    Pictures(pictures::Args),
    Seeds(seeds::Args),
    Minutes(minutes::Args),
    Scaling(scaling::Args),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::FetchCifar(args) => fetch::run(&args),
        Task::FetchMnist(args) => fetch::run_files(&args, &published::MNIST),
        Task::FetchFashionMnist(args) => fetch::run_files(&args, &published::FASHION_MNIST),
        Task::Bench(args) => bench::run(&args),
        Task::Torture(args) => torture::run(&args),
        Task::Doc(args) => doc::run(&args),
        Task::Pictures(args) => pictures::run(&args),
        Task::Seeds(args) => seeds::run(&args),
        Task::Minutes(args) => minutes::run(&args),
        Task::Scaling(args) => scaling::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
