//! Memory-mapped files.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::Error;
use crate::files::open_regular;

/// A regular file whose bytes are read through a memory map.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    file: File,
    map: Mmap,
}

impl MappedFile {
    /// Maps the file at `path`, which must be a regular file.
    ///
    /// # Safety
    /// The file must not change while it is mapped.
    pub(crate) unsafe fn open(path: &Path) -> Result<Self, Error> {
        let file = open_regular(path)?;
        // SAFETY: the map is read-only and private to this struct, every byte is a valid `u8`, and the caller
        // ensures that the file does not change.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), file, map })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Returns an error if the file is shorter than when it was opened.
    pub(crate) fn check_len(&self) -> Result<(), Error> {
        let found = self.file.metadata().map_err(Error::io(&self.path))?.len();
        let expected = self.map.len() as u64;
        if found < expected {
            return Err(Error::CutShort { path: self.path.clone(), expected, found });
        }
        Ok(())
    }
}
