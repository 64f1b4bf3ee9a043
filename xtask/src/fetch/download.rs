//! A download that goes on where it broke off, and always ends.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, ensure};
use indicatif::ProgressBar;
use md5::{Digest, Md5};
use ureq::http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body};

/// How long a server is waited for, and how much is taken from it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For a connection, and again for the first line of an answer.
    pub answer: Duration,
    /// For the next byte.
    pub silence: Duration,
    /// Within how long `min_bytes` must come.
    pub window: Duration,
    /// How many bytes must come within each window.
    pub min_bytes: u64,
    /// The pauses before the next attempts, after failures that brought nothing new.
    pub pauses: Vec<Duration>,
    /// More bytes than any archive has.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 20 s for an answer or a byte; 64 KiB in 30 s; five more attempts after 1, 2, 4, 8 and 16 s; 1 GiB in all.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(20),
            silence: Duration::from_secs(20),
            window: Duration::from_secs(30),
            min_bytes: 64 << 10,
            pauses: [1, 2, 4, 8, 16].map(Duration::from_secs).to_vec(),
            max_bytes: 1 << 30,
        }
    }
}

/// A file that is being downloaded, kept across runs with a note of what it is a part of.
#[derive(Debug)]
pub struct Partial {
    url: String,
    path: PathBuf,
    note_path: PathBuf,
    file: File,
    len: u64,
    note: Note,
}

/// What the server said when the download began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Note {
    /// The length of the whole.
    total: Option<u64>,
    /// What tells this version of the file from another: its ETag or its date.
    validator: Option<String>,
}

/// Why an attempt ended without the whole file.
enum Stop {
    /// Another attempt may help.
    Broken(Error),
    /// None will.
    Final(Error),
}

impl Partial {
    /// What an earlier run left at `path` of a download from `url`, or nothing yet.
    ///
    /// # Errors
    /// When the file cannot be opened or made.
    pub fn open(path: PathBuf, url: &str) -> Result<Self> {
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
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Downloads what is missing. Whether the file was put together from more than one answer.
    ///
    /// # Errors
    /// When the server refuses, answers with something else, or brings nothing more in all attempts. What came
    /// is kept for the next run, unless it could not be written.
    pub fn complete(&mut self, limits: &Limits, bar: &ProgressBar) -> Result<bool> {
        let agent = agent(&self.url, limits);
        let mut pieced = self.len > 0;
        let mut most = self.len;
        let mut pauses = limits.pauses.iter();
        while self.len == 0 || self.note.total != Some(self.len) {
            match self.attempt(&agent, limits, bar) {
                Ok(()) => break,
                Err(Stop::Final(error)) => return Err(error),
                Err(Stop::Broken(error)) => {
                    // Only what was never reached before counts, or a server that breaks off could be asked for ever.
                    if self.len >= most + limits.min_bytes {
                        pauses = limits.pauses.iter();
                    }
                    most = most.max(self.len);
                    let Some(&pause) = pauses.next() else {
                        let kept =
                            format!("the {} MB that came are kept for the next run", self.len / 1_000_000);
                        return Err(error.context(format!("gave up on {}; {kept}", self.url)));
                    };
                    bar.suspend(|| eprintln!("{error:#}; trying again in {pause:?}"));
                    std::thread::sleep(pause);
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
    pub fn check_md5(&mut self, expected: &str) -> Result<()> {
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
    pub fn restart(&mut self) -> Result<()> {
        self.begin(Note::default())
    }

    /// Removes the file and its note.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn discard(self) -> Result<()> {
        remove(&self.note_path)?;
        remove(&self.path)
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
        let status = response.status();
        let url = self.url.clone();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE if self.len > 0 => {
                self.restart().map_err(Stop::Final)?;
                return Err(Stop::Broken(anyhow!("{url} has changed and is shorter now")));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Stop::Broken(anyhow!("{url} answered {status}")));
            }
            _ if status.is_server_error() => return Err(Stop::Broken(anyhow!("{url} answered {status}"))),
            _ => return Err(Stop::Final(anyhow!("{url} answered {status}, expected the archive"))),
        }
        if header(CONTENT_TYPE).is_some_and(|kind| kind.trim_start().starts_with("text/html")) {
            return Err(Stop::Final(anyhow!("{url} answered with a web page, expected the archive")));
        }
        let validator = validator(header(ETAG), header(LAST_MODIFIED));
        if status == StatusCode::PARTIAL_CONTENT {
            let (start, total) = header(CONTENT_RANGE).and_then(parse_content_range).unzip();
            let same_total = self.note.total.is_none() || total.flatten() == self.note.total;
            if start == Some(self.len) && same_total && validator == self.note.validator {
                return Ok(());
            }
            self.restart().map_err(Stop::Final)?;
            return Err(Stop::Broken(anyhow!("{url} has changed since the download began")));
        }
        let total = response.body().content_length();
        if total.is_some_and(|total| total > max_bytes) {
            return Err(Stop::Final(anyhow!(
                "{url} offers {} bytes, more than any archive",
                total.unwrap_or(0)
            )));
        }
        self.begin(Note { total, validator }).map_err(Stop::Final)
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
            if let Err(error) = self.file.write_all(&buffer[..n_read]) {
                // What is left of the disk is not for keeping half an archive.
                let _ = remove(&self.note_path).and_then(|()| remove(&self.path));
                return Err(Stop::Final(
                    Error::new(error).context(format!("writing {}", self.path.display())),
                ));
            }
            self.len += n_read as u64;
            n_in_window += n_read as u64;
            bar.set_position(self.len);
            if self.len > limits.max_bytes {
                return Err(Stop::Final(anyhow!("{} sends more bytes than any archive has", self.url)));
            }
            if window_start.elapsed() >= limits.window {
                if n_in_window < limits.min_bytes {
                    let seconds = limits.window.as_secs_f32();
                    let slow = anyhow!("{} sent only {n_in_window} bytes in {seconds} s", self.url);
                    return Err(Stop::Broken(slow));
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
        if may_pass { Self::Broken(error) } else { Self::Final(error) }
    }
}

impl Note {
    /// Three lines: the address, the length, the validator; the last two may be empty.
    fn to_text(&self, url: &str) -> String {
        let total = self.total.map(|total| total.to_string()).unwrap_or_default();
        format!("{url}\n{total}\n{}\n", self.validator.as_deref().unwrap_or_default())
    }

    /// `None` if it is cut short or belongs to another address.
    fn parse(text: &str, url: &str) -> Option<Self> {
        let [noted_url, total, validator, ""] = text.split('\n').collect::<Vec<_>>()[..] else { return None };
        let total = if total.is_empty() { None } else { Some(total.parse().ok()?) };
        let validator = Some(validator.to_owned()).filter(|validator| !validator.is_empty());
        (noted_url == url).then_some(Self { total, validator })
    }
}

/// What `If-Range` may carry: a strong ETag, else the date of the last change.
fn validator(etag: Option<&str>, last_modified: Option<&str>) -> Option<String> {
    etag.filter(|etag| !etag.starts_with("W/")).or(last_modified).map(Into::into)
}

/// The start and, if it is known, the whole length in `bytes start-end/whole`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, whole.parse().ok()))
}

fn agent(url: &str, limits: &Limits) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("descent-xtask/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(limits.answer))
        .timeout_connect(Some(limits.answer))
        .timeout_recv_response(Some(limits.answer))
        .timeout_per_read(Some(limits.silence));
    if is_this_machine(url) {
        config = config.proxy(None);
    }
    config.build().into()
}

/// No proxy is asked for what runs on this machine.
fn is_this_machine(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    host == "localhost" || address.is_loopback()
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
