//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use clap::Parser;
use lab::output::{message, warn};
use lab::signals::{self, Stopped};

fn main() -> ExitCode {
    signals::explain_truncated_maps();
    signals::fail_at_the_size_limit();
    match lab::run(lab::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Stopped>() {
            Some(stopped) => {
                warn(stopped);
                stopped.exit_code().into()
            }
            None => {
                // One line: what went wrong, and what it was about.
                warn(format_args!("error: {}", message(&error)));
                ExitCode::FAILURE
            }
        },
    }
}
