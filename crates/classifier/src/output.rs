//! What the program prints; a full disk or a closed pipe is an error, not a panic.

use std::fmt::Display;
use std::io::Write;

use anyhow::{Context, Result};
use foreign_text::printable;

/// Prints a line.
///
/// # Errors
/// When standard output cannot be written.
pub fn say(line: impl Display) -> Result<()> {
    writeln!(std::io::stdout(), "{}", printable(&line.to_string())).context("cannot write to standard output")
}

/// Prints a line on standard error if possible: there is nowhere else to report that it is not.
pub fn warn(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", printable(&line.to_string()));
}

/// An error with its causes, on one line. A cause that the text before it ends with is not repeated.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        match text.is_empty() {
            true => text = cause,
            false if text.ends_with(&cause) => {}
            false => text += &format!(": {cause}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::message;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no space").context("cannot write x: no space").context("the run");
        assert_eq!(message(&error), "the run: cannot write x: no space");
    }
}
