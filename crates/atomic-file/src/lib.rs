#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the name of a file that is being written ends with.
const SUFFIX: &str = ".half-written";
/// Longest part of a target's name, in bytes, that the temporary name repeats: both fit the usual 255.
const MAX_NAME_LEN: usize = 200;

/// Puts `bytes` into the file at `path`, whole or not at all.
///
/// A file that is there is replaced and its permissions are kept, but not its owner and its other attributes. A link
/// that is there is replaced too, and not followed.
///
/// # Errors
/// When `path` is a folder, a pipe or a device, or when the file cannot be written, renamed or synced. What was at
/// `path` stands then, and nothing is left beside it. Only if the last act fails, syncing the folder, the new file
/// stands and might not outlast a loss of power.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    let permissions = permissions_at(path)?;
    let beside = beside(path)?;
    let mut file = create(&beside, permissions.as_ref())?;
    let replace = || {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        // Some systems do not rename a file that is open.
        drop(file);
        fs::rename(&beside, path)
    };
    if let Err(error) = replace() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// A path in the same folder as `path` that is to become `path`: no file is there, and nobody can guess it.
///
/// # Errors
/// When `path` has no file name.
pub fn beside(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(ErrorKind::InvalidInput, "the path has no file name");
    let name = path.file_name().ok_or_else(no_name)?.to_string_lossy();
    // `RandomState` draws its keys from the system's randomness, and what it hashes cannot be told without them.
    let random = RandomState::new().hash_one(name.as_ref());
    let is_end = |&end: &usize| name.is_char_boundary(end);
    let repeated = &name[..(0..=MAX_NAME_LEN.min(name.len())).rev().find(is_end).unwrap_or(0)];
    Ok(path.with_file_name(format!(".{repeated}.{random:016x}{SUFFIX}")))
}

/// The name of the file that the one called `name` was to become, if its name is one that [`beside`] gives. Of a longer
/// name than usual it is the beginning.
pub fn target_of(name: &str) -> Option<&str> {
    let (target, random) = name.strip_prefix('.')?.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    let is_random =
        random.len() == 16 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_random.then_some(target)
}

/// Removes from `folder` the files that killed processes left when they were about to write a file whose name is one
/// of ours. Only for the owner of these files, while no other process writes them.
///
/// # Errors
/// When the folder cannot be read or a file cannot be removed.
pub fn remove_leftovers(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_left_over = entry.file_name().to_str().and_then(target_of).is_some_and(&is_ours);
        if is_left_over && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes a renaming in a folder outlast a loss of power. Elsewhere than on Unix a folder cannot be synced, and need
/// not be.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The permissions of the file that is to be replaced, if there is one.
fn permissions_at(path: &Path) -> io::Result<Option<Permissions>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.permissions())),
        Ok(metadata) if metadata.is_symlink() => Ok(None),
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new file that nobody may read who might not read the one it replaces.
fn create(path: &Path, permissions: Option<&Permissions>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(permissions) = permissions {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(permissions.mode() & 0o777);
    }
    #[cfg(not(unix))]
    let _ = permissions;
    options.open(path)
}
