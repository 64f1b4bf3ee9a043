//! A data set published as single files, without an archive.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use data::{Published, PublishedFile};
use foreign_text::printable;

use super::download::Partial;
use super::place::Place;
use super::{Limits, Source, byte_bar};

/// Fetches the files from the folder or URL `source`, checks each, and moves them into place.
pub(super) fn bring(published: &Published, source: &Source, place: &Place, limits: &Limits) -> Result<()> {
    let staging = match source {
        Source::File(dir) => {
            let staging = place.stage()?;
            for file in published.files {
                let (from, to) = (dir.join(file.name), staging.path().join(file.name));
                let named = || from.display().to_string();
                // Opening a pipe would wait for a writer.
                ensure!(fs::metadata(&from).with_context(named)?.is_file(), "{}: expected a file", named());
                file.verify(&from).with_context(|| format!("not {} as published", published.name))?;
                fs::copy(&from, &to).with_context(named)?;
                File::open(&to).and_then(|file| file.sync_all()).with_context(named)?;
            }
            staging
        }
        Source::Url(base, _) => {
            // All are downloaded before any is moved: if one fails, the others are kept for the next run.
            let downloads = published.files.iter().map(|file| download(file, base, place, limits));
            let downloads = downloads.collect::<Result<Vec<_>>>()?;
            let staging = place.stage()?;
            for (file, download) in published.files.iter().zip(downloads) {
                let to = staging.path().join(file.name);
                relocate(download.path(), &to).with_context(|| to.display().to_string())?;
            }
            staging
        }
    };
    published.verify(staging.path()).context("changed while it was moved")?;
    staging.install()
}

/// Moves a file. To another disk, where the folder of the data may link to, it is copied and synced.
fn relocate(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
            fs::remove_file(from)
        }
        done => done,
    }
}

fn download(file: &PublishedFile, base: &str, place: &Place, limits: &Limits) -> Result<Partial> {
    let url = format!("{}/{}", base.trim_end_matches('/'), file.name);
    let mut partial = Partial::open(place.partial_file(file.name), &url)?;
    eprintln!("downloading {url}");
    let is_pieced = partial.complete(limits, &byte_bar())?;
    let mut checked = check(file, partial.path());
    if let Err(error) = &checked
        && is_pieced
    {
        // The pieces may come from two versions.
        eprintln!("{}; downloading it again from the start", printable(&format!("{error:#}")));
        partial.restart()?;
        partial.complete(limits, &byte_bar())?;
        checked = check(file, partial.path());
    }
    match checked {
        Ok(()) => Ok(partial),
        Err(error) => {
            partial.discard()?;
            Err(error).with_context(|| format!("what {url} gave is not the published file"))
        }
    }
}

fn check(file: &PublishedFile, path: &Path) -> Result<()> {
    Ok(file.verify(path)?)
}
