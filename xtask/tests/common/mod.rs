//! A small data set with its archive, and fetches of it.

// Each test uses a part of it.
#![allow(dead_code, unused_imports)]

mod server;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use data::{Published, PublishedFile};
use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};
use sha2::Sha256;
use xtask::fetch::{Limits, Outcome, Source, bring};

pub(crate) use server::{ALL, Request, Server, send, serve};

/// Two files of bytes that do not compress.
pub(crate) fn contents(seed: u64) -> [(&'static str, Vec<u8>); 2] {
    let bytes = |seed: u64, n: usize| {
        let mut state = seed * 2 + 1;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(n).collect()
    };
    [("train.bin", bytes(seed, 200_000)), ("test.bin", bytes(seed + 1, 50_000))]
}

/// The data set of `contents(0)`, with its checksums.
pub(crate) fn published() -> Published {
    let file = |(name, bytes): (&'static str, Vec<u8>)| PublishedFile {
        name,
        len: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
    };
    Published {
        name: "the test set",
        url: "",
        archive_md5: Some(""),
        folder: "test-set",
        files: Box::leak(contents(0).map(file).into()),
    }
}

pub(crate) fn hex(digest: &[u8]) -> &'static str {
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().leak()
}

/// The archive of `contents(seed)`, as a publisher makes it: the folder, a file that nobody asks for, the files.
pub(crate) fn archive(seed: u64) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir("test-set", ".").unwrap();
    for (name, bytes) in [("readme.html", b"read me".to_vec())].into_iter().chain(contents(seed)) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("test-set/{name}"), Cursor::new(bytes)).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A member with a name that no honest archiver would write.
pub(crate) fn member(name: &str, kind: tar::EntryType, bytes: &[u8]) -> Vec<u8> {
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len()];
    [&header(name, kind, bytes.len() as u64)[..], bytes, &padding].concat()
}

pub(crate) fn header(name: &str, kind: tar::EntryType, len: u64) -> [u8; 512] {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(len);
    header.set_mode(0o644);
    header.set_cksum();
    *header.as_bytes()
}

/// Whether the folder of the test set in `root` holds exactly the published files.
pub(crate) fn is_whole(root: &Path) -> bool {
    published().verify(&root.join("test-set")).is_ok()
}

/// What is in a folder, hidden files too.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

/// Limits for a server on this machine.
pub(crate) fn limits() -> Limits {
    Limits {
        answer: Duration::from_secs(10),
        window: Duration::from_millis(400),
        min_bytes: 4_096,
        pauses: vec![Duration::from_millis(5); 3],
        max_bytes: 1 << 20,
        ..Limits::default()
    }
}

pub(crate) fn fetch(url: &str, md5: Option<&'static str>, root: &Path) -> Result<Outcome, String> {
    let source = Source::Url(url.into(), md5);
    bring(&published(), &source, root, &limits()).map_err(|error| format!("{error:#}"))
}

pub(crate) fn archive_md5() -> Option<&'static str> {
    Some(hex(&Md5::digest(archive(0))))
}

/// Fetches from a server into a new folder; the set is whole, and nothing else is left.
pub(crate) fn assert_fetched(server: &Server, md5: Option<&'static str>) {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server.url(), md5, root.path()), Ok(Outcome::Brought));
    assert!(is_whole(root.path()));
    assert_eq!(listing(root.path()), ["test-set"]);
}

/// Fetches into a folder that has an older set: an error that says `complaint`, and the older set as it was.
pub(crate) fn assert_refused(server: &Server, md5: Option<&'static str>, complaint: &str) {
    let root = tempfile::tempdir().unwrap();
    let set = root.path().join("test-set");
    fs::create_dir(&set).unwrap();
    fs::write(set.join("train.bin"), "old").unwrap();
    let error = fetch(&server.url(), md5, root.path()).unwrap_err();
    assert!(error.contains(complaint), "{error}");
    assert_eq!(listing(&set), ["train.bin"]);
    assert_eq!(fs::read(set.join("train.bin")).unwrap(), b"old");
    let is_kept = error.contains("kept for the next run");
    assert_eq!(listing(root.path()).len(), 1 + usize::from(is_kept), "{error}");
}
