//! Shell completions and manual pages from the command line's definition, and the program's version.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use classifier::output::raw;
use tensor::{SIMD_VARIABLE, SimdLevel};

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

/// The version, with the detected processor.
pub fn long_version() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        format!("{}\nprocessor  {}\nthreads    {}", env!("CARGO_PKG_VERSION"), processor(), n_threads())
    })
}

/// The processor's family, and the instruction sets that the kernels use on it.
pub fn processor() -> String {
    let available: Vec<&str> = SimdLevel::available().into_iter().rev().map(SimdLevel::name).collect();
    let used = match SimdLevel::check_variable() {
        Ok(()) => SimdLevel::current().name(),
        Err(_) => available[0],
    };
    format!("{}, {used} (of {}; {SIMD_VARIABLE} chooses)", std::env::consts::ARCH, available.join(", "))
}

/// The processor's name, or its family if the name is not available.
pub fn name_of_processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = known.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// The number of hardware threads.
pub fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
