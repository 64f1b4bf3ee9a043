//! The program `descent` for the tasks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The project's folder.
///
/// # Errors
/// Never, if this crate is inside it.
pub(crate) fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")
}

/// The given program, or target/release/descent, built if needed.
///
/// # Errors
/// If the given program does not exist, or none was given and it does not build.
pub(crate) fn descent(given: Option<&Path>) -> Result<PathBuf> {
    built(given, &[])
}

/// The same with the feature `mpi`.
///
/// # Errors
/// As [`descent`].
pub(crate) fn descent_with_mpi(given: Option<&Path>) -> Result<PathBuf> {
    built(given, &["--features", "mpi"])
}

fn built(given: Option<&Path>, flags: &[&str]) -> Result<PathBuf> {
    if let Some(given) = given {
        return fs::canonicalize(given).with_context(|| format!("no {}", given.display()));
    }
    let root = root()?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "-p", "descent"]).args(flags).current_dir(root);
    ensure!(cargo.status().context("cannot run cargo")?.success(), "descent was not built");
    Ok(root.join("target/release/descent"))
}
