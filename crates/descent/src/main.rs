//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use classifier::output::{self, ClosedPipe, message, warn};
use descent::config_file::parse;
use descent::signals::{self, Stopped};

fn main() -> ExitCode {
    signals::fail_at_the_size_limit();
    let result = parse(std::env::args_os()).and_then(descent::run);
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
