//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    lab::signals::explain_truncated_maps();
    match lab::run(lab::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: what went wrong, and what it was about.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
