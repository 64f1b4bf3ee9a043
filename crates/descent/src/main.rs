//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use clap::Parser;
use classifier::output::{message, warn};
use descent::signals::{self, Stopped};

fn main() -> ExitCode {
    signals::fail_at_the_size_limit();
    match descent::run(descent::cli::Cli::parse()) {
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
