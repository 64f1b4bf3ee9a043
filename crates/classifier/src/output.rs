//! The program's output: its verbosity, its width, and closed pipes.
//!
//! Progress ([`say`], [`detail`], [`event`]) is of no use to a closed pipe, and is dropped; requested output
//! ([`answer`], [`say_json`]) ends the program without an error. A full disk is an error either way.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use foreign_text::printable;
use serde_json::Value;

/// How much the program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing at all: another process prints for this one.
    Silent,
    /// Warnings, errors, and requested output.
    Quiet,
    /// Also progress.
    Normal,
    /// Also details.
    Verbose,
}

static VERBOSITY: AtomicU8 = AtomicU8::new(Verbosity::Normal as u8);

/// Sets the verbosity of the whole program.
pub fn set_verbosity(verbosity: Verbosity) {
    VERBOSITY.store(verbosity as u8, Ordering::Relaxed);
}

/// Lowers the verbosity to this level at most.
pub fn limit_verbosity(verbosity: Verbosity) {
    VERBOSITY.fetch_min(verbosity as u8, Ordering::Relaxed);
}

/// Whether progress is printed.
pub fn tells_progress() -> bool {
    tells(Verbosity::Normal)
}

fn tells(least: Verbosity) -> bool {
    VERBOSITY.load(Ordering::Relaxed) >= least as u8
}

/// The reader of standard output is gone: not an error, but nothing is left to do.
#[derive(Clone, Copy, Debug)]
pub struct ClosedPipe;

impl Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ClosedPipe {}

/// Prints a line of progress, unless the program is quiet; long lines are wrapped at the width of a terminal.
///
/// # Errors
/// When standard output cannot be written.
pub fn say(line: impl Display) -> Result<()> {
    if tells(Verbosity::Normal) { dropped_by_a_closed_pipe(put(&line.to_string())) } else { Ok(()) }
}

/// Prints a line of detail, if the program is verbose.
///
/// # Errors
/// When standard output cannot be written.
pub fn detail(line: impl Display) -> Result<()> {
    if tells(Verbosity::Verbose) { dropped_by_a_closed_pipe(put(&line.to_string())) } else { Ok(()) }
}

/// Prints a line of requested output.
///
/// # Errors
/// When standard output cannot be written; [`ClosedPipe`] when its reader is gone.
pub fn answer(line: impl Display) -> Result<()> {
    ended_by_a_closed_pipe(put(&line.to_string()))
}

/// Prints a requested JSON value as one line of ASCII, so that no character in it can control a terminal.
///
/// # Errors
/// As [`answer`].
pub fn say_json(value: &Value) -> Result<()> {
    ended_by_a_closed_pipe(put_raw(&ascii_json(value)))
}

/// Prints a JSON value about progress as one line of ASCII.
///
/// # Errors
/// As [`say`].
pub fn event(value: &Value) -> Result<()> {
    if tells(Verbosity::Quiet) { dropped_by_a_closed_pipe(put_raw(&ascii_json(value))) } else { Ok(()) }
}

/// Prints text made for other programs, unchanged.
///
/// # Errors
/// As [`answer`].
pub fn raw(text: &str) -> Result<()> {
    ended_by_a_closed_pipe(write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()))
}

/// Prints a line on standard error if possible; a failure cannot be reported anywhere.
pub fn warn(line: impl Display) {
    if !tells(Verbosity::Quiet) {
        return;
    }
    let width = width_of(&io::stderr());
    let _ = writeln!(io::stderr(), "{}", wrapped(&printable(&line.to_string()), width));
}

/// Prints an error in the colours that clap uses for wrong flags: on a terminal, unless NO_COLOR is set.
pub fn error(line: impl Display) {
    if !tells(Verbosity::Quiet) {
        return;
    }
    let text = wrapped(&printable(&format!("error: {line}")), width_of(&io::stderr()));
    let rest = text.strip_prefix("error:").unwrap_or(&text);
    let _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#}{rest}");
}

/// Prints a message that has its own colours on standard error, wrapped like an [`error`]: on a terminal in
/// colour, unless NO_COLOR is set.
pub fn error_in_colors(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", wrapped(text.trim_end(), width_of(&io::stderr())));
}

/// The style of an error in `clap::builder::styling::Styles::styled`.
const ERROR: Style = AnsiColor::Red.on_default().bold();

fn put(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", wrapped(&printable(line), width()))
}

fn put_raw(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn dropped_by_a_closed_pipe(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

fn ended_by_a_closed_pipe(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// The columns of the terminal on standard output; unlimited without a terminal.
pub fn width() -> usize {
    width_of(&io::stdout())
}

#[cfg(unix)]
fn width_of(stream: &impl std::os::fd::AsFd) -> usize {
    terminal_size::terminal_size_of(stream).map_or(usize::MAX, |(width, _)| usize::from(width.0))
}

#[cfg(not(unix))]
fn width_of<T>(_: &T) -> usize {
    terminal_size::terminal_size().map_or(usize::MAX, |(width, _)| usize::from(width.0))
}

/// The text with its lines wrapped between words at this width; continuation lines are indented by two. A
/// longer word stays whole.
pub fn wrapped(text: &str, width: usize) -> String {
    text.lines().map(|line| wrapped_line(line, width.max(20))).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let n_blanks = line.chars().take_while(|c| *c == ' ').count();
    let mut out = " ".repeat(n_blanks);
    let (mut n_chars, mut is_first) = (n_blanks, true);
    for word in line.split_whitespace() {
        let len = columns(word);
        if !is_first && n_chars + 1 + len > width {
            out += "\n";
            out += &" ".repeat(n_blanks + 2);
            n_chars = n_blanks + 2;
        } else if !is_first {
            out.push(' ');
            n_chars += 1;
        }
        out += word;
        n_chars += len;
        is_first = false;
    }
    out
}

/// The characters of a text, without sequences that set a colour.
fn columns(text: &str) -> usize {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().map_or(0, |part| part.chars().count());
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count())).sum::<usize>()
}

/// A human-readable loss: an enormous one with an exponent.
pub fn loss(loss: f64) -> String {
    if loss.abs() < 1e6 || !loss.is_finite() { format!("{loss:.4}") } else { format!("{loss:.3e}") }
}

/// The text cut to this many characters, ending in … if it was longer.
pub fn cut(text: &str, n_chars: usize) -> String {
    if text.chars().count() <= n_chars {
        return text.to_owned();
    }
    text.chars().take(n_chars.saturating_sub(1)).chain(['…']).collect()
}

fn ascii_json(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() {
            line.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line += &format!("\\u{unit:04x}"));
        }
    }
    line
}

/// An error with its causes, on one line. A cause that ends the text before it is not repeated.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no space").context("cannot write x: no space").context("the run");
        assert_eq!(message(&error), "the run: cannot write x: no space");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = "a short line\n  one two three four five six\naverylongwordthatdoesnotfitanywhere x";
        let expected =
            "a short line\n  one two three four\n    five six\naverylongwordthatdoesnotfitanywhere\n  x";
        assert_eq!(wrapped(text, 20), expected);
        assert_eq!(wrapped(text, usize::MAX), text);
        assert_eq!((cut("abcdef", 4), cut("abcd", 4)), ("abc…".into(), "abcd".into()));
        let colored = "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m twelve letters";
        assert_eq!((columns(colored), wrapped(colored, 21)), (21, colored.to_owned()));
        assert_eq!(wrapped(colored, 20), colored.replace(" letters", "\n  letters"));
    }

    #[test]
    fn json_is_ascii_and_reads_back_the_same() {
        let value = json!({ "file": "caf\u{e9} \u{202e}\u{1f600}\n\u{1b}[2J" });
        let line = ascii_json(&value);
        assert!(line.is_ascii() && !line.contains(['\n', '\u{1b}']), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
