//! Shell completions and manual pages from the command line's definition.

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use classifier::output::raw;

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
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot render the manual page")?;
    raw(&String::from_utf8(page).context("the manual page is not UTF-8")?)
}
