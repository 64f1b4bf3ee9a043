//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use clap::Parser;
use classifier::output::{self, ClosedPipe, message, warn};
use descent::config_file;
use descent::signals::{self, Stopped};

fn main() -> ExitCode {
    signals::fail_at_the_size_limit();
    let result = config_file::expanded(std::env::args_os())
        .and_then(|words| descent::run(descent::cli::Cli::parse_from(words)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ClosedPipe>() => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Stopped>() {
            Some(stopped) => {
                warn(stopped);
                stopped.exit_code().into()
            }
            None => {
                // One line: the error and its context.
                output::error(message(&error));
                ExitCode::FAILURE
            }
        },
    }
}
