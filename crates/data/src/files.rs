//! Opening and writing files with care.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::Error;

/// Opens a regular file for reading, and nothing else.
pub(crate) fn open_regular(path: &Path) -> Result<File, Error> {
    // Asked before opening, because opening a pipe waits for somebody to write into it.
    let file_type = fs::metadata(path).map_err(Error::io(path))?.file_type();
    if !file_type.is_file() {
        let found = if file_type.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
        return Err(Error::NotAFile { path: path.to_path_buf(), found });
    }
    File::open(path).map_err(Error::io(path))
}

/// Writes a file that is there whole or not at all, whenever the program or the machine stops.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(".new");
    let beside = Path::new(&beside);
    let written = File::create(beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, path)
    });
    written.map_err(|error| {
        // The error that matters is the first one.
        let _ = fs::remove_file(beside);
        Error::io(path)(error)
    })
}
