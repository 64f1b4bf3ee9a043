//! What shells and manuals take from the command line's definition, and what the program says of itself.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use classifier::output::raw;
use tensor::{SIMD_VARIABLE, SimdLevel};

use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// `descent completions SHELL`: the script that completes its commands and flags.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut <Cli as CommandFactory>::command(), "descent", &mut script);
    raw(&String::from_utf8(script).context("the script is no text")?)
}

/// `descent man [COMMAND]`: the page of the program or of a command, in roff.
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
            ensure!(found.is_some(), "there is no such command, but {}", names.join(", "));
            found.expect("it was found")
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("the page cannot be made")?;
    raw(&String::from_utf8(page).context("the page is no text")?)
}

/// The version, with what the program has found of the processor.
pub fn long_version() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        format!("{}\nprocessor  {}\nthreads    {}", env!("CARGO_PKG_VERSION"), processor(), n_threads())
    })
}

/// The processor's family, and the instruction sets that the kernels have for it.
pub fn processor() -> String {
    let available: Vec<&str> = SimdLevel::available().into_iter().rev().map(SimdLevel::name).collect();
    let used = match SimdLevel::check_variable() {
        Ok(()) => SimdLevel::current().name(),
        Err(_) => available[0],
    };
    format!("{}, {used} (of {}; {SIMD_VARIABLE} chooses)", std::env::consts::ARCH, available.join(", "))
}

/// What the processor calls itself, or its family where it cannot be asked.
pub fn name_of_processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = known.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// As many threads as the machine runs at once.
pub fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
