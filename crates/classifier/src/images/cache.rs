//! A cache of decoded images beside their files, so that these are decoded only once.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Error, Result, ensure};
use atomic_file::target_of;
use data::{ImageFolder, ImageShape, Picture};
use foreign_text::shown_path;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::watch::{Interrupted, Watch};

/// The folder of the decoded images, within the folder of the data.
pub const CACHE_DIR: &str = ".descent-cache";

/// The ending of a cache file.
const ENDING: &str = "images";

/// The beginning of a cache file; another layout has another number.
const MAGIC: &[u8; 16] = b"descent images 1";

/// The largest file that is read whole, to compare it with others.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A decoded image file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFile {
    /// Its path, relative to the folder of the data.
    pub path: String,
    /// Rows of the image in the file, after rotation upright.
    pub height: usize,
    /// Columns of the image in the file.
    pub width: usize,
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// The SHA-256 of the file, used to find duplicates.
    pub sha256: String,
}

/// An image file that cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrokenFile {
    /// Its path, relative to the folder of the data.
    pub path: String,
    /// Its class.
    pub label: u32,
    /// The problem, with the file's path.
    pub problem: String,
}

/// The images of a folder in one size, and the files that could not be read.
pub(super) struct Decoded {
    pub(super) labels: Vec<u32>,
    pub(super) files: Vec<ImageFile>,
    pub(super) broken: Vec<BrokenFile>,
    /// C × H × W, one image after the other.
    pub(super) pixels: Vec<u8>,
    /// The work done, unless the cache was read.
    pub(super) note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// What it depends on: shape, paths, lengths and times of the files.
    key: String,
    labels: Vec<u32>,
    files: Vec<ImageFile>,
    broken: Vec<BrokenFile>,
    /// The SHA-256 of the pixels.
    sha256: String,
}

/// The images of `folder` as `shape`: from the cache in `root` if it is up to date with the files; else
/// decoded, and cached as `part`. If the system refuses to read a file, nothing is cached: it may allow it
/// the next time, and the file looks the same.
///
/// # Errors
/// When a file no longer exists; [`Interrupted`] when `watch` ends the decoding.
pub(super) fn decoded(
    folder: &ImageFolder,
    root: &Path,
    part: &str,
    shape: ImageShape,
    watch: Option<&dyn Watch>,
) -> Result<Decoded> {
    let key = key(folder, root, shape)?;
    let ImageShape { height, width, channels } = shape;
    let name = format!("{part}-{height}x{width}x{channels}.{ENDING}");
    let path = root.join(CACHE_DIR).join(name);
    remove_leftovers(&root.join(CACHE_DIR));
    if let Some(found) = read(&path, &key, shape, folder.class_names().len()) {
        return Ok(found);
    }
    let (mut decoded, refused) = decode(folder, root, shape, watch)?;
    let what = format!("{} images decoded to {height} × {width}", decoded.labels.len());
    if let Some(refused) = refused {
        decoded.note = Some(format!("{what}, and not kept: {refused}"));
        return Ok(decoded);
    }
    decoded.note = Some(match write(&path, key, &decoded) {
        Ok(n_bytes) => format!("{what} and kept in {} ({})", shown_path(&path), size_in_words(n_bytes)),
        Err(error) => format!("{what}, and not kept: {}: {error}", shown_path(&path)),
    });
    Ok(decoded)
}

/// Removes the cached images of the data in `root`, and returns their size in bytes; `None` if there are
/// none.
///
/// # Errors
/// When they cannot be removed, or other files are among them.
pub fn clear_cache(root: &Path) -> Result<Option<u64>> {
    let dir = root.join(CACHE_DIR);
    let named = || shown_path(&dir);
    match fs::symlink_metadata(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => ensure!(found.with_context(named)?.is_dir(), "{}: expected a folder", named()),
    }
    let mut n_bytes = 0;
    for entry in fs::read_dir(&dir).with_context(named)? {
        let path = entry.with_context(named)?.path();
        ensure!(
            is_of_the_cache(&path),
            "{} is not a file of the cache; move it elsewhere",
            shown_path(&path)
        );
        n_bytes += fs::metadata(&path).with_context(|| shown_path(&path))?.len();
        fs::remove_file(&path).with_context(|| shown_path(&path))?;
    }
    fs::remove_dir(&dir).with_context(named)?;
    Ok(Some(n_bytes))
}

/// Whether the file is one of decoded images, or what a process left that was killed while it wrote one.
fn is_of_the_cache(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let target = target_of(name).unwrap_or(name);
    Path::new(target).extension().is_some_and(|ending| ending == ENDING)
}

/// Removes what killed processes left in the folder of the cache, as far as that is possible. A file that was
/// written to within the hour may belong to a process that is still at it.
fn remove_leftovers(dir: &Path) {
    const IN_USE: Duration = Duration::from_secs(3600);
    let is_left_over = |entry: &DirEntry| {
        let is_half_written = entry.file_name().to_str().is_some_and(|name| target_of(name).is_some());
        let is_old =
            |found: Metadata| found.modified()?.elapsed().map_err(io::Error::other).map(|age| age > IN_USE);
        is_half_written
            && is_of_the_cache(&entry.path())
            && entry.metadata().and_then(is_old).unwrap_or(false)
    };
    if !fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir()) {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(is_left_over) {
        // One that cannot be removed does no harm.
        let _ = fs::remove_file(entry.path());
    }
}

/// A human-readable number of bytes.
pub fn size_in_words(n_bytes: u64) -> String {
    match n_bytes {
        0..100_000 => format!("{:.1} kB", n_bytes as f64 / 1e3),
        _ => format!("{:.1} MB", n_bytes as f64 / 1e6),
    }
}

/// A key of everything that the decoded images depend on.
fn key(folder: &ImageFolder, root: &Path, shape: ImageShape) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut number = |number: u64| hasher.update(number.to_le_bytes());
    [shape.height, shape.width, shape.channels].into_iter().for_each(|side| number(side as u64));
    for (path, label) in folder.images() {
        let metadata = fs::metadata(path).with_context(|| shown_path(path))?;
        let time = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let relative = path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes();
        let mut number = |number: u64| hasher.update(number.to_le_bytes());
        number((*label).into());
        number(metadata.len());
        number(time.map_or(0, |time| time.as_nanos() as u64));
        number(relative.len() as u64);
        hasher.update(relative);
    }
    Ok(hex(&hasher.finalize()))
}

/// The decoded images, and the first problem that is the system's and not the file's.
fn decode(
    folder: &ImageFolder,
    root: &Path,
    shape: ImageShape,
    watch: Option<&dyn Watch>,
) -> Result<(Decoded, Option<String>)> {
    let n_images = folder.images().len();
    let mut pixels = vec![0; n_images * shape.len()];
    let (n_done, is_ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let goes_on = || {
        let n_done = n_done.fetch_add(1, Ordering::Relaxed);
        if watch.is_some_and(|watch| !watch.decodes(n_done, n_images)) {
            is_ended.store(true, Ordering::Relaxed);
        }
        !is_ended.load(Ordering::Relaxed)
    };
    let decode_one = |((path, label), planes): (&(PathBuf, u32), &mut [u8])| {
        if !goes_on() {
            return None;
        }
        Some(decode_file(path, *label, root, shape, planes))
    };
    let found = folder.images().par_iter().zip(pixels.par_chunks_mut(shape.len())).map(decode_one);
    let found: Option<Vec<_>> = found.collect();
    let found = found.ok_or_else(|| Error::new(Interrupted))?;
    let mut decoded =
        Decoded { labels: Vec::new(), files: Vec::new(), broken: Vec::new(), pixels: Vec::new(), note: None };
    let mut refused = None;
    for (at, (found, (_, label))) in found.into_iter().zip(folder.images()).enumerate() {
        match found {
            Ok(file) => {
                // Writes never get ahead of reads.
                let start = decoded.files.len() * shape.len();
                pixels.copy_within(at * shape.len()..(at + 1) * shape.len(), start);
                decoded.files.push(file);
                decoded.labels.push(*label);
            }
            Err((broken, is_of_the_system)) => {
                if is_of_the_system && refused.is_none() {
                    refused = Some(broken.problem.clone());
                }
                decoded.broken.push(broken);
            }
        }
    }
    pixels.truncate(decoded.files.len() * shape.len());
    Ok((Decoded { pixels, ..decoded }, refused))
}

/// Decodes a file into `planes`; or tells what is wrong with it, and whether the system said so.
fn decode_file(
    path: &Path,
    label: u32,
    root: &Path,
    shape: ImageShape,
    planes: &mut [u8],
) -> Result<ImageFile, (BrokenFile, bool)> {
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    match open(path) {
        Ok((picture, sha256)) => {
            planes.copy_from_slice(&picture.to_shape(shape));
            let ImageShape { height, width, channels } = picture.shape();
            Ok(ImageFile { path: relative, height, width, channels, sha256 })
        }
        Err(error) => {
            let broken = BrokenFile { path: relative, label, problem: error.to_string() };
            Err((broken, is_of_the_system(&error)))
        }
    }
}

/// Whether the system reported the error; those of a decoder, such as an early end, have no number.
fn is_of_the_system(error: &data::Error) -> bool {
    matches!(error, data::Error::Io { source, .. } if source.raw_os_error().is_some())
}

/// The image, and the SHA-256 of its file.
fn open(path: &Path) -> Result<(Picture, String), data::Error> {
    let is_small = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE_BYTES);
    if !is_small {
        return Picture::open(path).map(|picture| (picture, String::new()));
    }
    let bytes = fs::read(path).map_err(|source| data::Error::Io { path: path.to_path_buf(), source })?;
    Ok((Picture::from_bytes(path, &bytes)?, hex(&Sha256::digest(&bytes))))
}

/// The cached images, if they were made from the same files and are complete.
fn read(path: &Path, key: &str, shape: ImageShape, n_classes: usize) -> Option<Decoded> {
    // A pipe would be waited for.
    fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut bytes = fs::read(path).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (header_len, rest) = rest.split_first_chunk()?;
    let header_len = usize::try_from(u64::from_le_bytes(*header_len)).ok()?;
    let (header, pixels) = rest.split_at_checked(header_len)?;
    let Header { key: found, labels, files, broken, sha256 } = serde_json::from_slice(header).ok()?;
    let is_whole = found == key
        && labels.len() == files.len()
        && labels.iter().all(|&label| (label as usize) < n_classes)
        && pixels.len() == files.len() * shape.len()
        && sha256 == hex(&Sha256::digest(pixels));
    if !is_whole {
        return None;
    }
    bytes.drain(..MAGIC.len() + 8 + header_len);
    Some(Decoded { labels, files, broken, pixels: bytes, note: None })
}

/// Writes the cache; returns the number of bytes.
fn write(path: &Path, key: String, decoded: &Decoded) -> io::Result<u64> {
    let Decoded { labels, files, broken, pixels, .. } = decoded;
    let header = Header {
        key,
        labels: labels.clone(),
        files: files.clone(),
        broken: broken.clone(),
        sha256: hex(&Sha256::digest(pixels)),
    };
    let header = serde_json::to_vec(&header).expect("names and numbers are JSON");
    let bytes = [MAGIC, &(header.len() as u64).to_le_bytes()[..], &header, pixels].concat();
    let dir = path.parent().expect("a folder");
    // A link would lead the file elsewhere.
    if fs::symlink_metadata(dir).is_ok_and(|found| !found.is_dir()) {
        return Err(io::Error::other("its folder is something else"));
    }
    fs::create_dir_all(dir)?;
    atomic_file::write(path, &bytes)?;
    Ok(bytes.len() as u64)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
