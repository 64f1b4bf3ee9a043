#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The suffix of the name of a file being written.
const SUFFIX: &str = ".half-written";
/// The maximum length, in bytes, of the target's name in the temporary name, so that it fits the usual 255.
const MAX_NAME_LEN: usize = 200;

/// Atomically writes `bytes` to the file at `path`: completely or not at all.
///
/// An existing file is replaced. Its permissions are kept, but not its owner and other attributes. An
/// existing link is also replaced, not followed.
///
/// # Errors
/// When `path` is a folder, a pipe or a device, or when the file cannot be written, renamed or synced. The
/// previous file at `path` is then unchanged, and no temporary file is left. Only if the last step fails,
/// syncing the folder, is the new file in place; it might not survive a power failure.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// The same for a file that is too large to be in memory twice: `content` writes it piece by piece.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("atomic-file-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("squares.txt");
/// atomic_file::write_with(&path, |file| (1..4).try_for_each(|i| writeln!(file, "{}", i * i)))?;
/// assert_eq!(std::fs::read(&path)?, b"1\n4\n9\n");
/// # std::fs::remove_dir_all(&folder)
/// # }
/// ```
///
/// # Errors
/// As [`write()`], and when `content` returns an error.
pub fn write_with(
    path: impl AsRef<Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let path = path.as_ref();
    let permissions = permissions_at(path)?;
    let beside = beside(path)?;
    let mut file = create(&beside, permissions.as_ref())?;
    let replace = || {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        let mut buffered = BufWriter::new(&mut file);
        content(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.sync_all()?;
        // Some systems cannot rename an open file.
        drop(file);
        fs::rename(&beside, path)
    };
    if let Err(error) = replace() {
        // Report only the first error.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// A temporary path in the same folder as `path`, for a file to be renamed to `path`. No file exists there,
/// and the name cannot be guessed.
///
/// # Errors
/// When `path` has no file name.
pub fn beside(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(ErrorKind::InvalidInput, "the path has no file name");
    let name = path.file_name().ok_or_else(no_name)?.to_string_lossy();
    // `RandomState` takes its keys from the system's randomness, and without them the hash cannot be
    // predicted.
    let random = RandomState::new().hash_one(name.as_ref());
    let is_end = |&end: &usize| name.is_char_boundary(end);
    let repeated = &name[..(0..=MAX_NAME_LEN.min(name.len())).rev().find(is_end).unwrap_or(0)];
    Ok(path.with_file_name(format!(".{repeated}.{random:016x}{SUFFIX}")))
}

/// The target name of the temporary file `name`, if `name` has the form that [`beside`] returns. An unusually
/// long target name is truncated.
pub fn target_of(name: &str) -> Option<&str> {
    let (target, random) = name.strip_prefix('.')?.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    let is_random =
        random.len() == 16 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_random.then_some(target)
}

/// Removes from `folder` the temporary files left by killed processes, if the name of their target satisfies
/// `is_ours`. Call this only as the owner of these files, while no other process writes them.
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

/// Makes a rename in a folder survive a power failure. On systems other than Unix a folder cannot be synced
/// and need not be.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The permissions of the file to be replaced, if there is one.
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

/// Creates a file that is readable only by users who may read the one it replaces.
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
