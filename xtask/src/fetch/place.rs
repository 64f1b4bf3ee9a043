//! The place of a data set: locked against a second fetch, staged beside the target, renamed when complete.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use atomic_file::{beside, sync_folder, target_of};
use data::Published;

/// The name of a folder that is filled within the target's folder, before it has its random name.
const NEW: &str = "new";

/// The folder of one data set, which may not exist yet.
pub(super) struct Place<'a> {
    published: &'a Published,
    root: &'a Path,
    target: PathBuf,
}

impl<'a> Place<'a> {
    /// The folder of `published` in `root`, which is created if needed.
    pub(super) fn new(root: &'a Path, published: &'a Published) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("making the folder {}", root.display()))?;
        let target = root.join(published.folder);
        if fs::metadata(&target).is_ok_and(|metadata| !metadata.is_dir()) {
            bail!("{}: expected a folder, found something else; move it away", target.display());
        }
        Ok(Self { published, root, target })
    }

    /// Whether all files are there with the right checksums.
    pub(super) fn is_whole(&self) -> bool {
        self.published.verify(&self.target).is_ok()
    }

    /// Waits until no other fetch into the root is running, and removes what killed runs left. The process's
    /// end releases the lock.
    pub(super) fn lock(&self) -> Result<Option<File>> {
        // If folders cannot be opened or locked, it works without a lock.
        let folder = File::open(self.root).ok();
        if let Some(folder) = &folder
            && let Err(TryLockError::WouldBlock) = folder.try_lock()
        {
            eprintln!("another fetch is under way; waiting for it");
            folder.lock().with_context(|| format!("locking {}", self.root.display()))?;
        }
        remove_leftovers(self.root, self.published.folder)?;
        if self.target.is_dir() {
            remove_leftovers(&self.target, NEW)?;
        }
        Ok(folder)
    }

    /// The path of an incomplete download.
    pub(super) fn partial_download(&self) -> PathBuf {
        self.root.join(format!(".{}.tar.gz.part", self.published.folder))
    }

    /// The same for one of several files.
    pub(super) fn partial_file(&self, name: &str) -> PathBuf {
        self.root.join(format!(".{}.{name}.part", self.published.folder))
    }

    /// An empty folder on the disk of the target, removed unless it is installed.
    pub(super) fn stage(&self) -> Result<Staging<'_>> {
        let path = beside(&if self.target.is_dir() { self.target.join(NEW) } else { self.target.clone() })?;
        fs::create_dir(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Staging { place: self, path })
    }
}

/// A folder that is filled before it takes its place.
pub(super) struct Staging<'a> {
    place: &'a Place<'a>,
    path: PathBuf,
}

impl Staging<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the files, which are synced, into place: the whole folder at once if there was none, else each
    /// file over its predecessor.
    pub(super) fn install(self) -> Result<()> {
        let Place { published, root, target } = self.place;
        let moved = || format!("moving the files into {}", target.display());
        sync_folder(&self.path).with_context(moved)?;
        if target.is_dir() {
            for file in published.files {
                fs::rename(self.path.join(file.name), target.join(file.name)).with_context(moved)?;
            }
            sync_folder(target).with_context(moved)?;
        } else {
            fs::rename(&self.path, target).with_context(moved)?;
        }
        sync_folder(root).with_context(moved)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // It was moved, or a failure cannot be handled here: the next run removes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders in which killed runs had begun to build `target`.
fn remove_leftovers(folder: &Path, target: &str) -> Result<()> {
    let in_folder = || format!("cleaning up {}", folder.display());
    for entry in fs::read_dir(folder).with_context(in_folder)? {
        let entry = entry.with_context(in_folder)?;
        let is_ours = entry.file_name().to_str().and_then(target_of) == Some(target);
        if is_ours && entry.file_type().with_context(in_folder)?.is_dir() {
            fs::remove_dir_all(entry.path()).with_context(in_folder)?;
        }
    }
    Ok(())
}
