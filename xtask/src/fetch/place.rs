//! Where a data set is put: locked against a second fetch, staged beside, renamed when whole.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data::Published;

/// The folder of one data set, which may not be there yet.
pub(super) struct Place<'a> {
    published: &'a Published,
    root: &'a Path,
    target: PathBuf,
}

impl<'a> Place<'a> {
    /// The folder of `published` in `root`, which is made if need be.
    pub(super) fn new(root: &'a Path, published: &'a Published) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("making the folder {}", root.display()))?;
        let target = root.join(published.folder);
        if fs::metadata(&target).is_ok_and(|metadata| !metadata.is_dir()) {
            bail!("{}: expected a folder, found something else; move it away", target.display());
        }
        Ok(Self { published, root, target })
    }

    /// Whether all files are there with the right sums.
    pub(super) fn is_whole(&self) -> bool {
        self.published.verify(&self.target).is_ok()
    }

    /// Waits until no other fetch of this data set is under way. The lock goes with the process.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.hidden("lock");
        let at_path = || format!("locking {}", path.display());
        let file = File::options().create(true).append(true).open(&path).with_context(at_path)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => eprintln!("another fetch is under way; waiting for it"),
            Err(TryLockError::Error(error)) => return Err(error).with_context(at_path),
        }
        file.lock().with_context(at_path)?;
        Ok(file)
    }

    /// Where a download is kept until it is whole.
    pub(super) fn partial_download(&self) -> PathBuf {
        self.hidden("tar.gz.part")
    }

    /// An empty folder on the disk of the target, removed unless it is installed.
    pub(super) fn stage(&self) -> Result<Staging<'_>> {
        let path = if self.target.is_dir() { self.target.join(".new") } else { self.hidden("new") };
        remove_dir(&path)?;
        fs::create_dir(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Staging { place: self, path })
    }

    fn hidden(&self, extension: &str) -> PathBuf {
        self.root.join(format!(".{}.{extension}", self.published.folder))
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

    /// Moves the files, which are synced, into place: the whole folder at once where there was none, else
    /// each file over its predecessor.
    pub(super) fn install(self) -> Result<()> {
        let Place { published, root, target } = self.place;
        let moved = || format!("moving the files into {}", target.display());
        sync_dir(&self.path).with_context(moved)?;
        if target.is_dir() {
            for file in published.files {
                fs::rename(self.path.join(file.name), target.join(file.name)).with_context(moved)?;
            }
            sync_dir(target).with_context(moved)?;
        } else {
            fs::rename(&self.path, target).with_context(moved)?;
        }
        sync_dir(root).with_context(moved)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // Nothing can be done here about a failure; the next run removes it first.
        let _ = remove_dir(&self.path);
    }
}

fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Makes a rename in the folder last through a loss of power.
fn sync_dir(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
