//! fetch-mnist and fetch-fashion-mnist: sets that are published as single files.

mod common;

use std::fs;
use std::path::Path;

use common::{ALL, Server, contents, limits, listing, published, send, serve};
use data::{Published, published as sets};
use xtask::fetch::{Limits, Outcome, Source, bring};

/// The small test set as files without an archive.
fn single_files() -> Published {
    Published { archive_md5: None, ..published() }
}

fn fetch(source: &Source, root: &Path) -> Result<Outcome, String> {
    let limits: Limits = limits();
    bring(&single_files(), source, root, &limits).map_err(|error| format!("{error:#}"))
}

fn base(server: &Server) -> Source {
    Source::Url(server.url().trim_end_matches("/set.tar.gz").to_owned(), None)
}

fn bytes_of(path: &str, seed: u64) -> Vec<u8> {
    let found = contents(seed).into_iter().find(|(name, _)| path == format!("/{name}"));
    found.unwrap_or_else(|| panic!("nobody asks for {path}")).1
}

#[test]
fn each_file_is_asked_for_once_and_a_second_run_asks_nothing() {
    let server = Server::new(|_, request, stream| serve(&bytes_of(&request.path, 0), request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&base(&server), root.path()), Ok(Outcome::Brought));
    assert!(single_files().verify(&root.path().join("test-set")).is_ok());
    assert_eq!(listing(root.path()), ["test-set"]);
    assert_eq!(fetch(&base(&server), root.path()), Ok(Outcome::AlreadyThere));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_came_before_another_file_failed_is_not_sent_again() {
    let server = Server::new(|number, request, stream| match (number, &*request.path) {
        (0..5, "/test.bin") => send(stream, "503 Service Unavailable\r\nContent-Length: 0", b""),
        _ => serve(&bytes_of(&request.path, 0), request, ALL, stream),
    });
    let root = tempfile::tempdir().unwrap();
    let error = fetch(&base(&server), root.path()).unwrap_err();
    assert!(error.contains("503 Service Unavailable"), "{error}");
    assert_eq!(fetch(&base(&server), root.path()), Ok(Outcome::Brought));
    let of_train: Vec<_> =
        server.requests().into_iter().filter(|request| request.path == "/train.bin").collect();
    assert_eq!(of_train.iter().map(|request| request.start).collect::<Vec<_>>(), [None, Some(200_000)]);
    assert_eq!(listing(root.path()), ["test-set"]);
}

#[test]
fn other_files_are_refused_and_forgotten() {
    let server = Server::new(|_, request, stream| serve(&bytes_of(&request.path, 1), request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    let error = fetch(&base(&server), root.path()).unwrap_err();
    assert!(
        error.contains("/train.bin gave is not the published file") && error.contains("SHA-256"),
        "{error}"
    );
    assert!(listing(root.path()).is_empty());
}

#[test]
fn a_folder_on_the_disk_is_taken() {
    let (root, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Source::File(disk.path().to_path_buf());
    assert!(fetch(&source, root.path()).unwrap_err().contains("train.bin: No such file"));
    for (name, bytes) in contents(0) {
        fs::write(disk.path().join(name), bytes).unwrap();
    }
    assert_eq!(fetch(&source, root.path()), Ok(Outcome::Brought));
    assert_eq!((listing(root.path()).len(), listing(disk.path()).len()), (1, 2));
    let other = tempfile::tempdir().unwrap();
    fs::write(disk.path().join("test.bin"), "other").unwrap();
    assert!(fetch(&source, other.path()).unwrap_err().contains("SHA-256"));
    assert!(listing(other.path()).is_empty());
}

#[test]
fn the_sets_are_four_files_that_are_read_as_they_are() {
    for set in [&sets::MNIST, &sets::FASHION_MNIST] {
        let names: Vec<&str> = set.files.iter().map(|file| file.name).collect();
        assert_eq!(
            names,
            [
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz"
            ]
        );
        assert!(set.files.iter().all(|file| file.sha256.len() == 64) && set.archive_md5.is_none());
    }
}
