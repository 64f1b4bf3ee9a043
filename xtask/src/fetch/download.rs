//! A download that goes on where it broke off, and always ends.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, ensure};
use indicatif::ProgressBar;
use md5::{Digest, Md5};
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::limits::{Limits, agent};
use super::note::{Note, parse_content_range, validator};

/// A file that is being downloaded, kept across runs with a note of what it is a part of.
#[derive(Debug)]
pub(super) struct Partial {
    url: String,
    path: PathBuf,
    note_path: PathBuf,
    file: File,
    len: u64,
    note: Note,
}

/// Why an attempt ended without the whole file.
enum Stop {
    /// Another attempt may help.
    Broken(Error),
    /// None will; what came so far may be of use another day.
    Refused(Error),
    /// What came so far is of no use, or there is no place for it.
    Lost(Error),
}

impl Partial {
    /// What an earlier run left at `path` of a download from `url`, or nothing yet.
    ///
    /// # Errors
    /// When the file cannot be opened or made.
    pub(super) fn open(path: PathBuf, url: &str) -> Result<Self> {
        let mut note_path = path.clone().into_os_string();
        note_path.push(".from");
        let note_path = PathBuf::from(note_path);
        let file =
            File::options().create(true).read(true).append(true).open(&path).with_context(|| at(&path))?;
        let len = file.metadata().with_context(|| at(&path))?.len();
        let note = fs::read_to_string(&note_path).ok().and_then(|text| Note::parse(&text, url));
        let mut partial = Self { url: url.into(), path, note_path, file, len, note: Note::default() };
        match note {
            Some(note) if note.total.is_none_or(|total| len <= total) => partial.note = note,
            _ => partial.restart()?,
        }
        Ok(partial)
    }

    /// Where the bytes lie.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Downloads what is missing. Whether the file was put together from more than one answer.
    ///
    /// # Errors
    /// When the server refuses, answers with something else, or brings nothing more in all attempts. What
    /// came is kept for the next run, unless it could not be written.
    pub(super) fn complete(&mut self, limits: &Limits, bar: &ProgressBar) -> Result<bool> {
        let agent = agent(&self.url, limits);
        let mut pieced = self.len > 0;
        let mut most = self.len;
        let mut pauses = limits.pauses.iter();
        while self.len == 0 || self.note.total != Some(self.len) {
            match self.attempt(&agent, limits, bar) {
                Ok(()) => break,
                Err(Stop::Refused(error)) => return Err(error),
                Err(Stop::Lost(error)) => {
                    // The error that matters is the first one.
                    let _ = self.remove_files();
                    return Err(error);
                }
                Err(Stop::Broken(error)) => {
                    // Only what was never reached before counts, or a server could break off for ever.
                    if self.len >= most + limits.min_bytes {
                        pauses = limits.pauses.iter();
                    }
                    most = most.max(self.len);
                    let Some(&pause) = pauses.next() else {
                        return Err(self.give_up(error));
                    };
                    bar.suspend(|| eprintln!("{error:#}; trying again in {pause:?}"));
                    (limits.wait)(pause);
                    pieced |= self.len > 0;
                }
            }
        }
        bar.finish_and_clear();
        self.file.sync_all().with_context(|| at(&self.path))?;
        Ok(pieced)
    }

    /// Whether the file has this MD5 sum (hexadecimal).
    ///
    /// # Errors
    /// When it has another, or cannot be read.
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
        ensure!(found == expected, "the archive has the MD5 sum {found}, expected {expected}");
        Ok(())
    }

    /// Forgets what came so far.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.begin(Note::default())
    }

    /// Removes the file and its note.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn discard(self) -> Result<()> {
        self.remove_files()
    }

    fn remove_files(&self) -> Result<()> {
        remove(&self.note_path)?;
        remove(&self.path)
    }

    fn give_up(&self, error: Error) -> Error {
        if self.len > 0 {
            return error.context(format!("gave up on {}; what came is kept for the next run", self.url));
        }
        // The error that matters is the first one.
        let _ = self.remove_files();
        error.context(format!("gave up on {}", self.url))
    }

    /// Cuts the file to nothing, then notes what comes next. A run that is killed in between finds no note.
    fn begin(&mut self, note: Note) -> Result<()> {
        remove(&self.note_path)?;
        self.file.set_len(0).with_context(|| at(&self.path))?;
        self.len = 0;
        fs::write(&self.note_path, note.to_text(&self.url)).with_context(|| at(&self.note_path))?;
        self.note = note;
        Ok(())
    }

    fn attempt(&mut self, agent: &Agent, limits: &Limits, bar: &ProgressBar) -> Result<(), Stop> {
        let mut request = agent.get(&self.url);
        if self.len > 0 {
            request = request.header("Range", format!("bytes={}-", self.len));
            if let Some(validator) = &self.note.validator {
                request = request.header("If-Range", validator);
            }
        }
        let mut response = request.call().map_err(|error| Stop::of_request(error, &self.url))?;
        self.accept(&response, limits.max_bytes)?;
        bar.set_position(self.len);
        if let Some(total) = self.note.total {
            bar.set_length(total);
        }
        let body = response.body_mut().with_config().limit(u64::MAX).reader();
        self.append(body, limits, bar)?;
        match self.note.total {
            Some(total) if self.len < total => {
                Err(Stop::Broken(anyhow!("{} broke off after {} of {total} bytes", self.url, self.len)))
            }
            _ => Ok(()),
        }
    }

    /// Judges the head of an answer; afterwards its body belongs at the end of the file.
    fn accept(&mut self, response: &Response<Body>, max_bytes: u64) -> Result<(), Stop> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let is_page = header(CONTENT_TYPE).is_some_and(|kind| kind.trim_start().starts_with("text/html"));
        match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE if self.len > 0 => {
                self.restart()?;
                return Err(Stop::Broken(anyhow!("{} has changed and is shorter now", self.url)));
            }
            status if !status.is_success() => return Err(Stop::of_status(status, &self.url)),
            _ if is_page => {
                let page = anyhow!("{} answered with a web page, expected the archive", self.url);
                return Err(Stop::Refused(page));
            }
            _ => {}
        }
        let validator = validator(header(ETAG), header(LAST_MODIFIED));
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let (start, total) = header(CONTENT_RANGE).and_then(parse_content_range).unzip();
            let is_same_total = self.note.total.is_none() || total.flatten() == self.note.total;
            if start == Some(self.len) && is_same_total && validator == self.note.validator {
                return Ok(());
            }
            self.restart()?;
            return Err(Stop::Broken(anyhow!("{} has changed since the download began", self.url)));
        }
        let total = response.body().content_length();
        if let Some(total) = total.filter(|&total| total > max_bytes) {
            let long = anyhow!("{} offers {total} bytes, more than any archive has", self.url);
            return Err(Stop::Refused(long));
        }
        Ok(self.begin(Note { total, validator })?)
    }

    fn append(&mut self, mut body: impl Read, limits: &Limits, bar: &ProgressBar) -> Result<(), Stop> {
        let mut buffer = vec![0; 1 << 16];
        let (mut window_start, mut n_in_window) = (Instant::now(), 0);
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
            n_in_window += n_read as u64;
            bar.set_position(self.len);
            if self.len > limits.max_bytes {
                return Err(Stop::Lost(anyhow!("{} sends more bytes than any archive has", self.url)));
            }
            if window_start.elapsed() >= limits.window {
                if n_in_window < limits.min_bytes {
                    let slow = format!("{} sent only {n_in_window} bytes in {:?}", self.url, limits.window);
                    return Err(Stop::Broken(Error::msg(slow)));
                }
                (window_start, n_in_window) = (Instant::now(), 0);
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

/// What fails here, and not at the server, is the disk.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
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
