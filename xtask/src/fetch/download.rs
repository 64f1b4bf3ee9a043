//! A download that resumes after an interruption, and always ends.
//!
//! No metadata from the server is stored: the checksums tell whether the pieces fit together.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow, ensure};
use foreign_text::printable;
use indicatif::ProgressBar;
use md5::{Digest, Md5};
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::limits::Limits;
use super::watch::{Watch, agent};

/// A file that is being downloaded, kept from one run to the next.
#[derive(Debug)]
pub(super) struct Partial {
    url: String,
    path: PathBuf,
    file: File,
    len: u64,
}

/// Why an attempt ended without the whole file.
enum Stop {
    /// Another attempt may help.
    Broken(Error),
    /// Another attempt would not help; the bytes so far may be of use to a later run.
    Refused(Error),
    /// The bytes so far are useless, or cannot be stored.
    Lost(Error),
}

impl Partial {
    /// The download that an earlier run left at `path`, or an empty one, to be completed from `url`.
    ///
    /// # Errors
    /// When the file cannot be opened or created, or is a link.
    pub(super) fn open(path: PathBuf, url: &str) -> Result<Self> {
        let file = open_own(&path)?;
        let len = file.metadata().with_context(|| at(&path))?.len();
        Ok(Self { url: url.into(), path, file, len })
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Downloads what is missing. Returns whether the file was put together from more than one response.
    ///
    /// # Errors
    /// When the server refuses, sends something else, or makes no progress in any attempt. The received bytes
    /// are kept for the next run, unless they could not be written.
    pub(super) fn complete(&mut self, limits: &Limits, bar: &ProgressBar) -> Result<bool> {
        let watch = Arc::new(Watch::new(limits));
        let agent = agent(&self.url, limits, watch.clone());
        let mut pieced = self.len > 0;
        let mut most = self.len;
        let mut pauses = limits.pauses.iter();
        loop {
            match self.attempt(&agent, &watch, limits.max_bytes, bar) {
                Ok(()) => break,
                Err(Stop::Refused(error)) => return Err(self.keep(error)),
                Err(Stop::Lost(error)) => {
                    // The first error is the one that matters.
                    let _ = remove(&self.path);
                    return Err(error);
                }
                Err(Stop::Broken(error)) => {
                    // Only bytes beyond the previous maximum count, or a server could break off forever.
                    if self.len >= most + limits.min_bytes {
                        pauses = limits.pauses.iter();
                    }
                    most = most.max(self.len);
                    let Some(&pause) = pauses.next() else {
                        return Err(self.keep(error.context(format!("gave up on {}", self.url))));
                    };
                    let reason = printable(&format!("{error:#}"));
                    bar.suspend(|| eprintln!("{reason}; trying again in {pause:?}"));
                    (limits.wait)(pause);
                    pieced |= self.len > 0;
                }
            }
        }
        bar.finish_and_clear();
        self.file.sync_all().with_context(|| at(&self.path))?;
        Ok(pieced)
    }

    /// Checks whether the file has this MD5 checksum (hexadecimal).
    ///
    /// # Errors
    /// When it does not, or cannot be read.
    pub(super) fn check_md5(&mut self, expected: &str) -> Result<()> {
        let mut hasher = Md5::new();
        let mut buffer = vec![0; 1 << 16];
        self.file.seek(SeekFrom::Start(0)).with_context(|| at(&self.path))?;
        loop {
            match self.file.read(&mut buffer).with_context(|| at(&self.path))? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(found == expected, "the archive has the MD5 checksum {found}, expected {expected}");
        Ok(())
    }

    /// Discards the bytes received so far.
    ///
    /// # Errors
    /// When the file cannot be truncated.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).with_context(|| at(&self.path))?;
        self.len = 0;
        Ok(())
    }

    /// Removes the file.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn discard(self) -> Result<()> {
        remove(&self.path)
    }

    /// Ends the download for this run.
    fn keep(&self, error: Error) -> Error {
        if self.len > 0 {
            return error.context("what came is kept for the next run");
        }
        // The first error is the one that matters.
        let _ = remove(&self.path);
        error
    }

    fn attempt(
        &mut self,
        agent: &Agent,
        watch: &Watch,
        max_bytes: u64,
        bar: &ProgressBar,
    ) -> Result<(), Stop> {
        let mut request = agent.get(&self.url);
        if self.len > 0 {
            request = request.header("Range", format!("bytes={}-", self.len));
        }
        watch.begin();
        let mut response = request.call().map_err(|error| Stop::of_request(error, &self.url))?;
        if self.len > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // Nothing is missing, or the server's file has changed.
            return Ok(());
        }
        self.accept(&response)?;
        watch.begin_body();
        let end = response.body().content_length().map(|n_bytes| self.len.saturating_add(n_bytes));
        if let Some(end) = end.filter(|&end| end > max_bytes) {
            let long = anyhow!("{} offers {end} bytes, more than any archive has", self.url);
            return Err(Stop::Refused(long));
        }
        bar.set_position(self.len);
        bar.set_length(end.unwrap_or(max_bytes));
        self.append(response.body_mut().with_config().limit(u64::MAX).reader(), watch, max_bytes, bar)?;
        match end {
            Some(end) if self.len < end => {
                Err(Stop::Broken(anyhow!("{} broke off after {} of {end} bytes", self.url, self.len)))
            }
            _ => Ok(()),
        }
    }

    /// Checks the head of a response; if it is accepted, its body belongs at the end of the file.
    fn accept(&mut self, response: &Response<Body>) -> Result<(), Stop> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let is_page = header(CONTENT_TYPE).is_some_and(|kind| kind.trim_start().starts_with("text/html"));
        match response.status() {
            status if !status.is_success() => Err(Stop::of_status(status, &self.url)),
            _ if is_page => {
                let page = anyhow!("{} answered with a web page, expected the archive", self.url);
                Err(Stop::Refused(page))
            }
            StatusCode::PARTIAL_CONTENT => {
                if self.len > 0 && header(CONTENT_RANGE).and_then(first_byte) == Some(self.len) {
                    return Ok(());
                }
                self.restart()?;
                Err(Stop::Broken(anyhow!("{} sent a part of the file that was not requested", self.url)))
            }
            _ => Ok(self.restart()?),
        }
    }

    fn append(
        &mut self,
        mut body: impl Read,
        watch: &Watch,
        max_bytes: u64,
        bar: &ProgressBar,
    ) -> Result<(), Stop> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n_read = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n_read) => n_read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    let context = format!("{} broke off after {} bytes", self.url, self.len);
                    return Err(Stop::Broken(Error::new(error).context(context)));
                }
            };
            self.file.write_all(&buffer[..n_read]).with_context(|| format!("writing {}", at(&self.path)))?;
            self.len += n_read as u64;
            watch.deliver(n_read as u64);
            bar.set_position(self.len);
            if self.len > max_bytes {
                return Err(Stop::Lost(anyhow!("{} sends more bytes than any archive has", self.url)));
            }
        }
    }
}

impl Stop {
    fn of_request(error: ureq::Error, url: &str) -> Self {
        use ureq::Error as E;
        let may_pass = matches!(
            error,
            E::Io(_)
                | E::Timeout(_)
                | E::HostNotFound
                | E::ConnectionFailed
                | E::Protocol(_)
                | E::ConnectProxyFailed(_)
        );
        let error = Error::new(error).context(format!("asking {url}"));
        if may_pass { Self::Broken(error) } else { Self::Refused(error) }
    }

    fn of_status(status: StatusCode, url: &str) -> Self {
        let may_pass = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let error = anyhow!("{url} answered {status}, expected the archive");
        if may_pass { Self::Broken(error) } else { Self::Refused(error) }
    }
}

/// Errors from here, and not from the server, come from the disk.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

/// The first byte in `bytes first-last/whole`.
fn first_byte(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// Opens a file that an earlier run may have made, to read and to append, or creates it. Its name can be
/// guessed, so another user of the folder may have put a link there: links are not followed.
fn open_own(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).append(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made.with_context(|| at(path)),
    }
    let found = fs::symlink_metadata(path).with_context(|| at(path))?;
    ensure!(
        found.is_file(),
        "{}: expected a download that broke off, found something else; move it away",
        at(path)
    );
    // Opening for appending changes nothing, so the check can be made on the opened file.
    let file = options.open(path).with_context(|| at(path))?;
    let opened = file.metadata().with_context(|| at(path))?;
    ensure!(is_the_only_name(&found, &opened), "{}: it is a link to another file; move it away", at(path));
    Ok(file)
}

/// Whether the opened file is the one found under its name, and has no other name.
#[cfg(unix)]
fn is_the_only_name(found: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino(), 1) == (opened.dev(), opened.ino(), opened.nlink())
}

#[cfg(not(unix))]
fn is_the_only_name(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| at(path)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> String {
    path.display().to_string()
}
