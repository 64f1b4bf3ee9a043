//! For shells: completions and manual pages from the command line's definition, and words quoted for a command.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use classifier::output::raw;
use foreign_text::shown_path;

use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// `descent completions SHELL`: prints the script that completes its commands and flags.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut <Cli as CommandFactory>::command(), "descent", &mut script);
    raw(&String::from_utf8(script).context("the script is not UTF-8")?)
}

/// `descent man [COMMAND]`: prints the page of the program or of a command, in roff.
///
/// # Errors
/// When there is no such command, or standard output cannot be written.
pub fn man(args: &ManArgs) -> Result<()> {
    let mut program = <Cli as CommandFactory>::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
            ensure!(found.is_some(), "unknown command; expected one of {}", names.join(", "));
            found.expect("it was found")
        }
    };
    // clap_mangen would fill the lines of examples like a paragraph.
    let examples = command.get_after_help().map(|help| examples(&help.to_string())).unwrap_or_default();
    let command = command.after_help(None::<&'static str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot render the manual page")?;
    let page = String::from_utf8(page).context("the manual page is not UTF-8")?;
    let at = page.find(".SH VERSION").unwrap_or(page.len());
    raw(&format!("{}{examples}{}", &page[..at], &page[at..]))
}

/// The section of a manual page with the examples at the end of a help text, line by line.
fn examples(help: &str) -> String {
    let (title, lines) = match help.split_once('\n') {
        Some((first, rest)) if first.starts_with("Example") => ("EXAMPLES", rest),
        _ => ("NOTES", help),
    };
    let lines: String = lines
        .lines()
        .map(|line| {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            // A control line begins with one of these.
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            format!("{guard}{line}\n")
        })
        .collect();
    format!(".SH {title}\n.nf\n{lines}.fi\n")
}

/// A path as a word of a command line that can be copied into a shell.
pub fn quoted(path: &Path) -> String {
    let text = shown_path(path);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c) || !c.is_ascii();
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (path, expected) in [
            ("runs/2026-01-31", "runs/2026-01-31"),
            ("my runs", "'my runs'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }

    #[test]
    fn examples_keep_their_lines() {
        let section = examples("Examples:\n  descent a-b \\\n.x\n");
        assert_eq!(section, ".SH EXAMPLES\n.nf\n  descent a\\-b \\e\n\\&.x\n.fi\n");
    }
}
