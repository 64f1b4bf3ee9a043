//! The checkpoints of a run: which there are, which stay, and that nobody else writes there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nn::weights::write_atomically;

use super::Checkpoint;

/// The folder of a run, and in it the folder of its checkpoints.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    /// Held open for its lock, which the system lifts when the process ends, in whatever way.
    lock: Option<File>,
    /// Checkpoints that were found damaged; they are neither counted nor deleted.
    bad: Vec<PathBuf>,
}

impl Folder {
    /// The folder `out`; nothing is read or written yet.
    pub fn new(out: &Path) -> Self {
        Self { out: out.to_owned(), lock: None, bad: Vec::new() }
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        &self.out
    }

    /// Where the checkpoint of a step lies.
    pub fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:010}.safetensors"))
    }

    fn checkpoints(&self) -> PathBuf {
        self.out.join("checkpoints")
    }

    /// The newest checkpoint that is whole, if there is one. Each newer one that is not is handed to `warn`,
    /// as an error that names it.
    ///
    /// # Errors
    /// When the folder cannot be read, or there are checkpoints and none is whole.
    pub fn newest_good(&mut self, mut warn: impl FnMut(&anyhow::Error)) -> Result<Option<Checkpoint>> {
        for (_, path) in self.list()?.into_iter().rev() {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => {
                    warn(&error);
                    self.bad.push(path);
                }
            }
        }
        ensure!(
            self.bad.is_empty(),
            "{}: no checkpoint is whole; move them away to start anew",
            self.out.display()
        );
        Ok(None)
    }

    /// Makes the folders, keeps other processes out of them as long as `self` lives, and removes what a
    /// killed process left half-written. Unless the run is `resumed`, there must be no checkpoints yet.
    ///
    /// # Errors
    /// When the folder cannot be written, another process trains into it, or it holds another run.
    pub fn prepare(&mut self, resumed: bool) -> Result<()> {
        let out = self.out.display();
        let hint = || format!("cannot write into {out} (choose another folder with --out)");
        fs::create_dir_all(self.checkpoints()).with_context(hint)?;
        // A file system without locks must do without.
        if let Ok(folder) = File::open(&self.out) {
            match folder.try_lock() {
                Err(TryLockError::WouldBlock) => bail!("another process is training into {out}"),
                Err(TryLockError::Error(_)) => {}
                Ok(()) => self.lock = Some(folder),
            }
        }
        for folder in [self.out.clone(), self.checkpoints()] {
            remove_half_written(&folder).with_context(hint)?;
        }
        ensure!(
            resumed || self.list()?.is_empty(),
            "{out} holds the checkpoints of an earlier run: go on with it (--resume), or choose another folder \
             with --out"
        );
        Ok(())
    }

    /// Writes a checkpoint, and removes those that are older than the newest `keep` and not the best.
    ///
    /// # Errors
    /// When it cannot be written; the older ones stand then.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<()> {
        let step = checkpoint.state.step;
        write_atomically(self.checkpoint_path(step), &checkpoint.encode())?;
        let mut older = self.list()?;
        older.retain(|(found, path)| *found <= step && !self.bad.contains(path));
        for (found, path) in older.iter().rev().skip(keep) {
            if checkpoint.state.best_step != Some(*found) {
                fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// All checkpoints with their steps, the oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.checkpoints();
        let named = || format!("cannot read {}", folder.display());
        let mut found = Vec::new();
        if !folder.exists() {
            return Ok(found);
        }
        for entry in fs::read_dir(&folder).with_context(named)? {
            let path = entry.with_context(named)?.path();
            let step = path.file_name().and_then(|name| {
                let digits = name.to_str()?.strip_prefix("step-")?.strip_suffix(".safetensors")?;
                digits.parse().ok()
            });
            found.extend(step.map(|step| (step, path)));
        }
        found.sort();
        Ok(found)
    }
}

/// Removes the temporary files of writers that were killed: `.NAME.PID.tmp` of weights and text,
/// `.NAME.PID-N.part` of figures. The folder is locked, so no living process writes there.
fn remove_half_written(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_left_over = entry.file_name().to_str().is_some_and(is_half_written);
        if is_left_over && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_half_written(name: &str) -> bool {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let Some((rest, extension)) = name.strip_prefix('.').and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    let Some((_, writer)) = rest.rsplit_once('.') else { return false };
    match extension {
        "tmp" => is_number(writer),
        "part" => writer.split_once('-').is_some_and(|(pid, n)| is_number(pid) && is_number(n)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_half_written;

    #[test]
    fn only_the_names_of_our_writers_are_taken_for_left_overs() {
        for name in [".model.safetensors.123.tmp", ".loss.svg.123-4.part"] {
            assert!(is_half_written(name), "{name}");
        }
        for name in ["model.safetensors", ".model.tmp", "model.1.tmp", ".a.b.tmp", ".a.1.part", ".", ".1.tmp"]
        {
            assert!(!is_half_written(name), "{name}");
        }
    }
}
