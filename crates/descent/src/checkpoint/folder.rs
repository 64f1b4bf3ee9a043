//! The checkpoints of a run: finding, keeping and deleting them, with a lock against other processes.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use atomic_file::remove_leftovers;
use foreign_text::shown_path;

use super::Checkpoint;
use crate::shell::quoted;

/// The files of a run besides its checkpoints.
const FILES: [&str; 10] = [
    "config.json",
    "model.safetensors",
    "history.csv",
    "result.json",
    "loss.svg",
    "loss.png",
    "accuracy.svg",
    "accuracy.png",
    "confusion.svg",
    "confusion.png",
];

/// The folder of a run, with the folder of its checkpoints.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    /// Whether the folder must be a new one, with a name like `out`.
    is_new: bool,
    /// Held open for its lock, which the system releases however the process ends.
    lock: Option<File>,
    /// Checkpoints found to be damaged; they are neither counted nor deleted.
    bad: Vec<PathBuf>,
}

impl Folder {
    /// The folder `out`; nothing is read or written yet.
    pub fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), is_new: false, lock: None, bad: Vec::new() }
    }

    /// A folder that no other run uses: `out`, or `out-2`, `out-3`, … if that is taken by the time it is
    /// [prepared](Self::prepare).
    pub fn new_like(out: &Path) -> Self {
        Self { is_new: true, ..Self::new(out) }
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        &self.out
    }

    /// The path of a step's checkpoint.
    pub fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:010}.safetensors"))
    }

    fn checkpoints(&self) -> PathBuf {
        self.out.join("checkpoints")
    }

    /// The newest good checkpoint, if there is one: it is intact, and all its values are finite. Each newer
    /// one that is not good is passed to `warn`, as an error that names it.
    ///
    /// # Errors
    /// When the folder cannot be read, or there are checkpoints and none is good.
    pub fn newest_good(&mut self, mut warn: impl FnMut(&anyhow::Error)) -> Result<Option<Checkpoint>> {
        for (_, path) in self.list()?.into_iter().rev() {
            let read = Checkpoint::read(&path).and_then(|checkpoint| {
                checkpoint.tensors.check_finite().with_context(|| shown_path(&path))?;
                Ok(checkpoint)
            });
            match read {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => {
                    warn(&error);
                    self.bad.push(path);
                }
            }
        }
        ensure!(
            self.bad.is_empty(),
            "{}: none of the checkpoints is intact and finite; move them away to start afresh",
            shown_path(&self.out)
        );
        Ok(None)
    }

    /// Creates the folders, keeps other processes out of them as long as `self` lives, and removes
    /// half-written files of a killed process. Unless the run is `resumed`, there must be no checkpoints yet.
    ///
    /// # Errors
    /// When the folder cannot be written, another process trains into it, or it holds another run.
    pub fn prepare(&mut self, resumed: bool) -> Result<()> {
        if self.is_new {
            self.out = create_new(&self.out)?;
            self.is_new = false;
        }
        let out = shown_path(&self.out);
        let hint = || cannot_write_into(&self.out);
        fs::create_dir_all(self.checkpoints()).with_context(hint)?;
        // File systems without locks go without one.
        if let Ok(folder) = File::open(&self.out) {
            match folder.try_lock() {
                Err(TryLockError::WouldBlock) => bail!("another process is training into {out}"),
                Err(TryLockError::Error(_)) => {}
                Ok(()) => self.lock = Some(folder),
            }
        }
        // No live process writes the run's files: the folder is locked.
        remove_leftovers(&self.out, |name| FILES.contains(&name)).with_context(hint)?;
        remove_leftovers(&self.checkpoints(), |name| step_of(name).is_some()).with_context(hint)?;
        ensure!(
            resumed || self.list()?.is_empty(),
            "{out} holds the checkpoints of an earlier run: resume it (descent train --out {} --resume), or choose \
             another folder with --out",
            quoted(&self.out)
        );
        Ok(())
    }

    /// Writes a checkpoint, and removes older ones, except the newest `keep` and the best.
    ///
    /// # Errors
    /// When it cannot be written; the older ones are then kept.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<()> {
        let step = checkpoint.state.step;
        let path = self.checkpoint_path(step);
        atomic_file::write(&path, &checkpoint.encode())
            .with_context(|| format!("cannot write {}", shown_path(&path)))?;
        let mut older = self.list()?;
        older.retain(|(found, path)| *found <= step && !self.bad.contains(path));
        for (found, path) in older.iter().rev().skip(keep) {
            if checkpoint.state.best_step != Some(*found) {
                fs::remove_file(path).with_context(|| format!("cannot remove {}", shown_path(path)))?;
            }
        }
        Ok(())
    }

    /// All checkpoints with their steps, the oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.checkpoints();
        let named = || format!("cannot read {}", shown_path(&folder));
        let mut found = Vec::new();
        if !folder.exists() {
            return Ok(found);
        }
        for entry in fs::read_dir(&folder).with_context(named)? {
            let path = entry.with_context(named)?.path();
            let step = path.file_name().and_then(|name| step_of(name.to_str()?));
            found.extend(step.map(|step| (step, path)));
        }
        found.sort();
        Ok(found)
    }
}

/// Creates a new folder: `out`, else the first free one of `out-2`, `out-3`, …. Two processes that do so at
/// once get different folders.
fn create_new(out: &Path) -> Result<PathBuf> {
    let hint = || cannot_write_into(out);
    fs::create_dir_all(out.parent().unwrap_or(Path::new(""))).with_context(hint)?;
    for number in 1_u64.. {
        let mut name = out.as_os_str().to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        match fs::create_dir(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.with_context(hint).map(|()| name.into()),
        }
    }
    unreachable!("there are not so many folders")
}

fn cannot_write_into(out: &Path) -> String {
    format!("cannot write into {} (choose another folder with --out)", shown_path(out))
}

/// The step in the name of a checkpoint.
fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_nobody_else_is_found() {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("runs/2026-01-31");
        let paths = [(); 3].map(|()| {
            let mut folder = Folder::new_like(&out);
            folder.prepare(false).unwrap();
            folder.path().to_owned()
        });
        assert_eq!(paths, ["", "-2", "-3"].map(|end| PathBuf::from(format!("{}{end}", out.display()))));
    }
}
