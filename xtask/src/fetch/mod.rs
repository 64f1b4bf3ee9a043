//! `cargo xtask fetch-cifar`, `fetch-mnist`, `fetch-fashion-mnist`: download a data set into `datasets/`,
//! whole or not at all.

pub mod archive;
mod download;
mod files;
mod limits;
mod place;
mod watch;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data::{Published, published};
use foreign_text::printable;
use indicatif::{ProgressBar, ProgressStyle};

pub use limits::Limits;

use download::Partial;
use place::Place;

/// Download CIFAR-10 (or CIFAR-100), check it, and put it into datasets/
///
/// The archive (about 170 MB) comes from the authors' site; an interrupted download resumes where it stopped.
/// Every file is checked against its published SHA-256 before it is moved into place. Complete data sets are
/// left alone.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Fetch CIFAR-100 instead of CIFAR-10
    #[arg(long)]
    pub cifar100: bool,
    /// Take the archive (.tar.gz) from a file or a mirror instead
    #[arg(long, value_name = "PATH-OR-URL")]
    pub from: Option<String>,
    /// Folder in which the data set's folder is created [default: datasets/ of this project]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Download the four files of the set, check them, and put them into datasets/
///
/// An interrupted download resumes where it stopped. Every file is checked against its published SHA-256
/// before it is moved into place. Complete data sets are left alone.
#[derive(Clone, Debug, clap::Args)]
pub struct FilesArgs {
    /// Take the files from a folder or URL instead
    #[arg(long, value_name = "PATH-OR-URL")]
    pub from: Option<String>,
    /// Folder in which the data set's folder is created [default: datasets/ of this project]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The source of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, or for a set without an archive the folder of its files.
    File(PathBuf),
    /// A URL, or for a set without an archive the base URL of its files. Its archive has this MD5 checksum,
    /// if one is known.
    Url(String, Option<&'static str>),
}

/// What [`bring`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was there already, with the right checksums.
    AlreadyThere,
    /// The files were fetched.
    Brought,
}

/// Runs the task.
///
/// # Errors
/// When the data set could not be fetched; existing files are unchanged.
pub fn run(args: &Args) -> Result<()> {
    let published = if args.cifar100 { &published::CIFAR100 } else { &published::CIFAR10 };
    run_for(published, args.from.as_deref(), args.dir.as_deref())
}

/// Runs the task for a set published as single files: MNIST or Fashion-MNIST.
///
/// # Errors
/// As [`run`].
pub fn run_files(args: &FilesArgs, published: &Published) -> Result<()> {
    run_for(published, args.from.as_deref(), args.dir.as_deref())
}

fn run_for(published: &Published, from: Option<&str>, dir: Option<&Path>) -> Result<()> {
    let source = match from {
        None => Source::Url(published.url.into(), published.archive_md5),
        Some(from) => Source::parse(from),
    };
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    let root = dir.map_or_else(|| datasets.canonicalize().unwrap_or(datasets), Path::to_path_buf);
    let outcome = bring(published, &source, &root, &Limits::default()).with_context(|| match from {
        None => format!("fetching {} (from elsewhere: --from PATH-OR-URL)", published.name),
        Some(_) => format!("fetching {}", published.name),
    })?;
    let (folder, n_files) = (root.join(published.folder), published.files.len());
    let what = if outcome == Outcome::Brought { "is in place" } else { "was all there already" };
    println!("{} {what}: {n_files} files with the published SHA-256 in {}", published.name, folder.display());
    Ok(())
}

/// Fetches `published` from `source` into a folder of its own name in `root`.
///
/// Afterwards the files in that folder are always either those that were there before, or the published ones.
///
/// # Errors
/// When the archive cannot be read or downloaded, is not the published one, or cannot be written.
pub fn bring(published: &Published, source: &Source, root: &Path, limits: &Limits) -> Result<Outcome> {
    let place = Place::new(root, published)?;
    if place.is_whole() {
        return Ok(Outcome::AlreadyThere);
    }
    let _lock = place.lock()?;
    // Another process may have fetched it while this one waited.
    if place.is_whole() {
        return Ok(Outcome::AlreadyThere);
    }
    match source {
        source if published.archive_md5.is_none() => files::bring(published, source, &place, limits)?,
        Source::File(path) => install(published, path, &place)?,
        Source::Url(url, md5) => bring_from_url(published, url, *md5, &place, limits)?,
    }
    Ok(Outcome::Brought)
}

fn bring_from_url(
    published: &Published,
    url: &str,
    md5: Option<&str>,
    place: &Place,
    limits: &Limits,
) -> Result<()> {
    let mut partial = Partial::open(place.partial_download(), url)?;
    eprintln!("downloading {url}");
    let is_pieced = partial.complete(limits, &byte_bar())?;
    let mut installed = check_and_install(published, &mut partial, md5, place);
    if let Err(error) = &installed
        && (is_pieced || md5.is_some())
        && !is_of_the_disk(error)
    {
        // The transfer may have been at fault, or the pieces may be from two versions.
        eprintln!("{}; downloading it again from the start", printable(&format!("{error:#}")));
        partial.restart()?;
        partial.complete(limits, &byte_bar())?;
        installed = check_and_install(published, &mut partial, md5, place);
    }
    partial.discard()?;
    installed.with_context(|| format!("what {url} gave is not {} as published", published.name))
}

fn check_and_install(
    published: &Published,
    partial: &mut Partial,
    md5: Option<&str>,
    place: &Place,
) -> Result<()> {
    if let Some(md5) = md5 {
        partial.check_md5(md5)?;
    }
    install(published, partial.path(), place)
}

/// Whether the operating system refused something, rather than the archive being invalid.
fn is_of_the_disk(error: &anyhow::Error) -> bool {
    error.root_cause().downcast_ref().is_some_and(|error: &io::Error| error.raw_os_error().is_some())
}

/// Unpacks the archive at `path`, checks every file, and moves them into place.
fn install(published: &Published, path: &Path, place: &Place) -> Result<()> {
    let at_path = || format!("{}", path.display());
    let metadata = fs::metadata(path).with_context(at_path)?;
    ensure!(metadata.is_file(), "{}: expected an archive, found a folder or a device", path.display());
    let file = File::open(path).with_context(at_path)?;
    let bar = byte_bar();
    bar.set_length(metadata.len());
    let staging = place.stage()?;
    archive::unpack(bar.wrap_read(file), published, staging.path()).with_context(at_path)?;
    bar.finish_and_clear();
    published.verify(staging.path()).context("the archive is not the published one")?;
    staging.install()
}

/// A progress bar that shows nothing without a terminal.
fn byte_bar() -> ProgressBar {
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).expect("a template that a test has drawn");
    ProgressBar::no_length().with_style(style)
}

impl Source {
    /// A URL if it starts with `http://` or `https://`, else a file.
    pub fn parse(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Url(text.into(), None)
        } else {
            Self::File(text.into())
        }
    }
}
