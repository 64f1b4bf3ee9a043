//! The `descent` program: see `descent --help`.

use std::process::ExitCode;

use classifier::output::{self, ClosedPipe, message, warn};
use descent::config_file::parse;
use descent::signals::{self, Stopped};

fn main() -> ExitCode {
    signals::fail_at_the_size_limit();
    let words = parse(std::env::args_os(), |name| std::env::var_os(name));
    if let Err(error) = &words
        && let Some(error) = error.downcast_ref::<clap::Error>()
    {
        return tell_of_the_words(error);
    }
    match words.and_then(descent::run) {
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

/// Prints what clap says of the command line: an error, or the help that was asked for.
fn tell_of_the_words(error: &clap::Error) -> ExitCode {
    match error.use_stderr() {
        true => output::error_in_colors(&error.render().ansi().to_string()),
        // A closed pipe is no error.
        false => drop(error.print()),
    }
    ExitCode::from(error.exit_code() as u8)
}
