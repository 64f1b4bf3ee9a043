//! Errors of the command line without the control characters, or the length, of the words that they quote.

use std::ffi::OsString;

use clap::Parser;
use foreign_text::{Foreign, in_full, printable};

use crate::cli::Cli;

/// The longest word that an error quotes in full.
const MAX_WORD: usize = 200;

/// The error of these words, if it can be printed as it is; else that of words in which control characters are
/// escaped and long words shortened.
pub fn harmless(error: clap::Error, words: &[OsString]) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    let is_long = error.to_string().chars().count() > 20 * MAX_WORD;
    let shown = |word: &OsString| {
        let text = word.to_string_lossy();
        match text.chars().count() > MAX_WORD && is_long {
            true => with_value(&text, |part| Foreign::new(part).to_string()).into(),
            false if Foreign::new(&text).has_orders() => in_full(&text).into(),
            false => word.clone(),
        }
    };
    let shown: Vec<OsString> = words.iter().map(shown).collect();
    if shown == words {
        return error;
    }
    match Cli::try_parse_from(shown) {
        Err(other) if other.kind() == error.kind() => other,
        _ => {
            let text = printable(&error.to_string());
            clap::Error::raw(error.kind(), shortened(text.trim_start_matches("error: ")) + "\n")
        }
    }
}

/// A message whose long words are shortened.
pub fn shortened(message: &str) -> String {
    let shown = |word: &str| match word.chars().count() > MAX_WORD {
        true => Foreign::new(word).to_string(),
        false => word.to_owned(),
    };
    message.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

/// `--flag=value` with both parts changed, or another word.
fn with_value(word: &str, change: impl Fn(&str) -> String) -> String {
    match word.split_once('=').filter(|_| word.starts_with("--")) {
        Some((flag, value)) => format!("{}={}", change(flag), change(value)),
        None => change(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_cannot_control_a_terminal_nor_fill_it() {
        let long = "9".repeat(100_000);
        let long_flag = format!("--lr={long}");
        let long_group = format!("--group=head: lr={}", "1".repeat(300));
        for (line, expected) in [
            (&["train", "--\u{1b}[2J"][..], r"unexpected argument '--\u{1b}[2J' found"),
            (&["train", "--lr", "\u{1b}[31mx\u{7}"], r"invalid value '\u{1b}[31mx\u{7}' for '--lr <X>'"),
            (&["train", "--net=\u{202e}x"], r"\u{202e}x"),
            (&["train", "--group", "head: \u{9b}2J=1", "--lr", "x"], "invalid value 'x' for '--lr <X>'"),
            (&["\u{1b}]0;x\u{7}"], r"\u{1b}]0;x\u{7}"),
            (&["lecture", "momentum", "--lr", "\u{1b}[2J"], r"invalid value '\u{1b}[2J'"),
            (&["train", "--epochs", &long], "invalid value '9999"),
            (&["train", &long_flag], "invalid value '9999"),
            (&["train", &long], "9999…9999"),
            // A long word that is right stays as it is.
            (&["train", &long_group, "--lr", "x"], "invalid value 'x' for '--lr <X>'"),
        ] {
            let words: Vec<OsString> = ["descent"].iter().chain(line).map(OsString::from).collect();
            let error = harmless(Cli::try_parse_from(&words).unwrap_err(), &words);
            let text = error.render().ansi().to_string();
            let plain: String = text
                .split("\u{1b}[")
                .map(|part| part.split_once('m').map_or(part, |(_, rest)| rest))
                .collect();
            assert!(error.use_stderr() && plain.contains(expected), "{expected}: {plain:?}");
            assert!(
                !plain.chars().any(|c| c.is_control() && c != '\n') && !plain.contains('\u{202e}'),
                "{plain:?}"
            );
            assert!(plain.len() < 5000, "{} bytes", plain.len());
        }
    }
}
