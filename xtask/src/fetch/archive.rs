//! Extracts the published files from a `.tar.gz` and nothing else.
//!
//! An archive from a mirror is untrusted. Members are written under names from the table of published files,
//! never from the archive; anything that could reach outside the destination stops the unpacking.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use data::Published;
use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

/// The bytes that an archive may unpack to beyond the published files: room for a licence, class names,
/// padding.
const SPARE_BYTES: u64 = 16 << 20;
/// The published archives have fewer than ten members.
const MAX_MEMBERS: usize = 1_000;

/// Unpacks the published files from `archive` into the existing folder `dest`, each synced to the disk.
///
/// Unrequested folders and files are skipped. Memory use does not depend on the archive.
///
/// # Errors
/// When the archive is invalid or truncated, lacks a file, has one twice or of another length, or has a
/// member that no published archive has: an absolute name, `..`, a link, a device; when it unpacks to much
/// more than it should; when a file cannot be written. `dest` then holds an incomplete set.
pub fn unpack(archive: impl Read, published: &Published, dest: &Path) -> Result<()> {
    let mut archive = BufReader::with_capacity(1 << 16, archive);
    check_magic(archive.fill_buf()?)?;
    let max_bytes = published.files.iter().map(|file| file.len).sum::<u64>() + SPARE_BYTES;
    let mut tar = Archive::new(Capped { inner: MultiGzDecoder::new(archive), max_bytes, n_left: max_bytes });
    let mut found = vec![false; published.files.len()];
    // Raw: headers with long names are treated as ordinary members and are not read into memory.
    let mut name = String::new();
    for (member_idx, member) in tar.entries()?.raw(true).enumerate() {
        ensure!(member_idx < MAX_MEMBERS, "the archive has more than {MAX_MEMBERS} members");
        let mut member = member.with_context(|| format!("reading the archive behind its member {name:?}"))?;
        name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let kind = member.header().entry_type();
        let Some(file_idx) = wanted(&name, kind, published)? else { continue };
        ensure!(!found[file_idx], "the archive has the member {name:?} twice");
        found[file_idx] = true;
        let file = &published.files[file_idx];
        let len = member.size();
        ensure!(len == file.len, "the archive's member {name:?} has {len} bytes, expected {}", file.len);
        let written = write_synced(&mut member, &dest.join(file.name));
        let n_written = written.with_context(|| format!("unpacking the member {name:?}"))?;
        ensure!(n_written == len, "the archive ends within the member {name:?}");
    }
    let missing = published.files.iter().zip(&found).filter(|(_, found)| !**found);
    let missing: Vec<_> = missing.map(|(file, _)| file.name).collect();
    ensure!(missing.is_empty(), "the archive lacks {} in {}/", missing.join(", "), published.folder);
    Ok(())
}

/// The index of the published file that the member is, if any.
fn wanted(name: &str, kind: EntryType, published: &Published) -> Result<Option<usize>> {
    // PAX and GNU headers that describe the next member; none is needed here.
    if kind.is_pax_global_extensions() || kind.is_pax_local_extensions() || kind.is_gnu_longname() {
        return Ok(None);
    }
    ensure!(kind.is_file() || kind.is_dir(), "the archive's member {name:?} is neither a file nor a folder");
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::CurDir => {}
            _ => bail!("the archive's member {name:?} has a name that leads outside the folder"),
        }
    }
    let [folder, file_name] = &parts[..] else { return Ok(None) };
    if kind.is_dir() || folder != published.folder {
        return Ok(None);
    }
    Ok(published.files.iter().position(|file| file.name == file_name))
}

fn check_magic(start: &[u8]) -> Result<()> {
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(());
    }
    ensure!(!start.is_empty(), "the archive is empty");
    let shown = String::from_utf8_lossy(&start[..start.len().min(24)]).into_owned();
    bail!("expected a .tar.gz archive, found something that starts with {shown:?}")
}

fn write_synced(member: &mut impl Read, path: &Path) -> io::Result<u64> {
    let mut file = File::create_new(path)?;
    let n_written = io::copy(member, &mut file)?;
    file.sync_all()?;
    Ok(n_written)
}

/// A reader that ends with an error after `max_bytes`, so that a small archive cannot fill a disk.
struct Capped<R> {
    inner: R,
    max_bytes: u64,
    n_left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_left == 0 {
            let message = format!("the archive unpacks to more than {} MB", self.max_bytes / 1_000_000);
            return Err(io::Error::other(message));
        }
        let n_asked = buffer.len().min(usize::try_from(self.n_left).unwrap_or(usize::MAX));
        let n_read = self.inner.read(&mut buffer[..n_asked])?;
        self.n_left -= n_read as u64;
        Ok(n_read)
    }
}
