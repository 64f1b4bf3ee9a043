//! Opening files with care.

use std::fs::{self, File};
use std::path::Path;

use crate::Error;

/// Opens a regular file for reading; anything else is an error.
pub(crate) fn open_regular(path: &Path) -> Result<File, Error> {
    // Checked before opening, because opening a pipe waits for a writer.
    let file_type = fs::metadata(path).map_err(Error::io(path))?.file_type();
    if !file_type.is_file() {
        let found = if file_type.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
        return Err(Error::NotAFile { path: path.to_path_buf(), found });
    }
    File::open(path).map_err(Error::io(path))
}
