//! fetch-cifar where all is well: what it leaves, what it does not ask for twice, how it resumes.

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{
    ALL, Request, Server, archive, archive_md5, assert_fetched, fetch, is_whole, limits, listing, published,
    send, serve,
};
use xtask::fetch::{Outcome, Source, bring};

#[test]
fn a_decent_server_is_asked_once_and_a_second_run_asks_nothing() {
    let server = Server::new(|_, request, stream| serve(&archive(0), request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::Brought));
    assert!(is_whole(root.path()));
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::AlreadyThere));
    assert_eq!(server.requests(), [Request { path: "/set.tar.gz".into(), start: None }]);
}

#[test]
fn an_archive_on_the_disk_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("set.tar.gz");
    let take = || bring(&published(), &Source::File(path.clone()), root.path(), &limits());
    assert!(format!("{:#}", take().unwrap_err()).contains("set.tar.gz: No such file"));
    fs::write(&path, archive(0)).unwrap();
    assert_eq!(take().unwrap(), Outcome::Brought);
    assert!(is_whole(root.path()));
    assert_eq!(listing(root.path()), ["set.tar.gz", "test-set"]);
}

#[test]
fn an_archive_of_other_files_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("set.tar.gz");
    fs::write(&path, archive(1)).unwrap();
    let error = bring(&published(), &Source::File(path), root.path(), &limits()).unwrap_err();
    let message = format!("{error:#}");
    assert!(
        message.contains("the archive is not the published one") && message.contains("SHA-256"),
        "{message}"
    );
    assert_eq!(listing(root.path()), ["set.tar.gz"]);
}

#[test]
fn a_broken_file_is_replaced_and_other_files_stay() {
    let server = Server::new(|_, request, stream| serve(&archive(0), request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    fetch(&server.url(), None, root.path()).unwrap();
    let set = root.path().join("test-set");
    fs::write(set.join("train.bin"), "broken").unwrap();
    fs::write(set.join("notes"), "mine").unwrap();
    assert_eq!(fetch(&server.url(), None, root.path()), Ok(Outcome::Brought));
    assert!(is_whole(root.path()));
    assert_eq!(listing(&set), ["notes", "test.bin", "train.bin"]);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_left_alone() {
    let server = Server::new(|_, request, stream| serve(&archive(0), request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("test-set"), "mine").unwrap();
    let error = fetch(&server.url(), None, root.path()).unwrap_err();
    assert!(error.contains("test-set: expected a folder, found something else"), "{error}");
    assert_eq!(fs::read(root.path().join("test-set")).unwrap(), b"mine");
}

#[test]
fn two_at_once_download_once() {
    let server = Server::new(|_, request, stream| {
        thread::sleep(Duration::from_millis(100));
        serve(&archive(0), request, ALL, stream);
    });
    let root = tempfile::tempdir().unwrap();
    let run = || fetch(&server.url(), None, root.path()).unwrap();
    let outcomes =
        thread::scope(|scope| [scope.spawn(run), scope.spawn(run)].map(|thread| thread.join().unwrap()));
    assert!(
        outcomes.contains(&Outcome::Brought) && outcomes.contains(&Outcome::AlreadyThere),
        "{outcomes:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_download_that_breaks_off_resumes_where_it_was() {
    let server = Server::new(|_, request, stream| serve(&archive(0), request, 90_000, stream));
    assert_fetched(&server, archive_md5());
    let requests = server.requests();
    let starts: Vec<_> = requests.iter().map(|request| request.start).collect();
    assert_eq!(starts, [None, Some(90_000), Some(180_000)]);
}

#[test]
fn the_next_run_resumes_where_the_last_one_stopped() {
    let server = Server::new(|number, request, stream| match number {
        0 => serve(&archive(0), request, 90_000, stream),
        1..4 => send(stream, "503 Service Unavailable\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), request, ALL, stream),
    });
    let root = tempfile::tempdir().unwrap();
    let error = fetch(&server.url(), archive_md5(), root.path()).unwrap_err();
    assert!(error.contains("gave up") && error.contains("kept for the next run"), "{error}");
    assert!(error.contains("503 Service Unavailable"), "{error}");
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::Brought));
    assert_eq!(server.requests()[4].start, Some(90_000));
    assert_eq!(listing(root.path()), ["test-set"]);
}

#[test]
fn a_download_that_was_whole_when_the_run_ended_is_not_sent_again() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(|_, request, stream| serve(&archive(0), request, ALL, stream));
    let bytes = archive(0);
    fs::write(root.path().join(".test-set.tar.gz.part"), &bytes).unwrap();
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::Brought));
    let starts: Vec<_> = server.requests().iter().map(|request| request.start).collect();
    assert_eq!(starts, [Some(bytes.len())]);
    assert_eq!(listing(root.path()), ["test-set"]);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_download_is_not_followed() {
    let plant: [fn(&Path, &Path) -> std::io::Result<()>; 2] =
        [|victim, link| std::os::unix::fs::symlink(victim, link), |victim, link| fs::hard_link(victim, link)];
    for plant in plant {
        let server = Server::new(|_, request, stream| serve(&archive(0), request, ALL, stream));
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        plant(&victim, &root.path().join(".test-set.tar.gz.part")).unwrap();
        let error = fetch(&server.url(), None, root.path()).unwrap_err();
        assert!(error.contains(".test-set.tar.gz.part: ") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(server.requests(), []);
    }
}

#[test]
fn what_a_strangers_text_says_to_the_terminal_is_shown_and_not_obeyed() {
    let root = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["fetch-cifar", "--from", "no such\u{1b}[2J file", "--dir"])
        .arg(root.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && stderr.contains(r"no such\u{1b}[2J file") && !stderr.contains('\u{1b}'),
        "{stderr}"
    );
}
