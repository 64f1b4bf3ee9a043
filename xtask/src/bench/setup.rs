//! The virtual environment with PyTorch.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The interpreter of the environment.
pub(super) fn interpreter(root: &Path) -> PathBuf {
    root.join("benches/peers/.venv/bin/python")
}

/// Creates benches/peers/.venv and installs the packages of requirements.txt.
///
/// # Errors
/// If there is no python3, or the installation fails.
pub(super) fn make_environment(root: &Path) -> Result<()> {
    let folder = root.join("benches/peers");
    run(Command::new("python3").args(["-m", "venv"]).arg(folder.join(".venv")))?;
    run(Command::new(interpreter(root))
        .args(["-m", "pip", "install", "-r"])
        .arg(folder.join("requirements.txt")))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
