//! fetch-cifar against servers that misbehave: it ends with the whole set, or with an error and the old state.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Request, Server, archive, hex, is_whole, listing, published, send, serve};
use md5::{Digest, Md5};
use xtask::fetch::{Limits, Outcome, Source, bring};

const ALL: usize = usize::MAX;

fn limits() -> Limits {
    Limits {
        answer: Duration::from_secs(10),
        silence: Duration::from_millis(300),
        window: Duration::from_millis(400),
        min_bytes: 4_096,
        pauses: vec![Duration::from_millis(5); 3],
        max_bytes: 1 << 20,
    }
}

fn fetch(url: &str, md5: Option<&'static str>, root: &Path) -> Result<Outcome, String> {
    let source = Source::Url(url.into(), md5);
    bring(&published(), &source, root, &limits()).map_err(|error| format!("{error:#}"))
}

fn archive_md5() -> Option<&'static str> {
    Some(hex(&Md5::digest(archive(0))))
}

/// Fetches from a server into a new folder; the set is whole, and nothing else is left.
fn assert_fetched(server: &Server, md5: Option<&'static str>) {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server.url(), md5, root.path()), Ok(Outcome::Brought));
    assert!(is_whole(root.path()));
    assert_eq!(listing(root.path()), ["test-set"]);
}

/// Fetches into a folder that has an older set: an error that says `complaint`, and the older set as it was.
fn assert_refused(server: &Server, md5: Option<&'static str>, complaint: &str) {
    let root = tempfile::tempdir().unwrap();
    let set = root.path().join("test-set");
    fs::create_dir(&set).unwrap();
    fs::write(set.join("train.bin"), "old").unwrap();
    let error = fetch(&server.url(), md5, root.path()).unwrap_err();
    assert!(error.contains(complaint), "{error}");
    assert_eq!(listing(&set), ["train.bin"]);
    assert_eq!(fs::read(set.join("train.bin")).unwrap(), b"old");
}

#[test]
fn a_decent_server_is_asked_once_and_a_second_run_asks_nothing() {
    let server = Server::new(|_, request, stream| serve(&archive(0), "\"a\"", request, ALL, stream));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::Brought));
    assert!(is_whole(root.path()));
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::AlreadyThere));
    assert_eq!(server.requests(), [Request { path: "/set.tar.gz".into(), start: None, if_range: None }]);
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
    let server = Server::new(|_, request, stream| serve(&archive(0), "", request, ALL, stream));
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
    let server = Server::new(|_, request, stream| serve(&archive(0), "", request, ALL, stream));
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
        serve(&archive(0), "\"a\"", request, ALL, stream);
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
fn a_download_that_breaks_off_goes_on_where_it_was() {
    let server = Server::new(|_, request, stream| serve(&archive(0), "\"a\"", request, 90_000, stream));
    assert_fetched(&server, archive_md5());
    let requests = server.requests();
    let starts: Vec<_> = requests.iter().map(|request| request.start).collect();
    assert_eq!(starts, [None, Some(90_000), Some(180_000)]);
    assert_eq!(requests[2].if_range.as_deref(), Some("\"a\""));
}

#[test]
fn the_next_run_goes_on_where_the_last_one_stopped() {
    let server = Server::new(|number, request, stream| match number {
        0 => serve(&archive(0), "\"a\"", request, 90_000, stream),
        1..4 => send(stream, "503 Service Unavailable\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), "\"a\"", request, ALL, stream),
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
fn a_download_that_was_whole_when_the_run_ended_is_not_asked_for_again() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(|_, _, _| panic!("nothing is to be asked"));
    let bytes = archive(0);
    fs::write(root.path().join(".test-set.tar.gz.part"), &bytes).unwrap();
    let note = format!("{}\n{}\n\"a\"\n", server.url(), bytes.len());
    fs::write(root.path().join(".test-set.tar.gz.part.from"), note).unwrap();
    assert_eq!(fetch(&server.url(), archive_md5(), root.path()), Ok(Outcome::Brought));
    assert_eq!(server.requests(), []);
}

#[test]
fn a_server_that_stalls_is_asked_again() {
    let server = Server::new(|number, request, stream| {
        let n_sent = if number == 0 { 50_000 } else { ALL };
        serve(&archive(0), "\"a\"", request, n_sent, stream);
        if number == 0 {
            thread::sleep(Duration::from_secs(5));
        }
    });
    let start = Instant::now();
    assert_fetched(&server, archive_md5());
    assert!(start.elapsed() < Duration::from_secs(4), "the silence was waited out");
    assert_eq!(server.requests()[1].start, Some(50_000));
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
        let server = Server::new(move |number, request, stream| match number {
            0 | 1 => send(stream, &format!("{status}\r\nContent-Length: 4"), b"busy"),
            _ => serve(&archive(0), "", request, ALL, stream),
        });
        assert_fetched(&server, None);
    }
}

#[test]
fn a_server_that_speaks_no_http_is_given_up() {
    let server = Server::new(|_, _, stream| {
        use std::io::Write;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
    });
    assert_refused(&server, None, "asking http://127.0.0.1");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_refusal_is_final() {
    for status in ["404 Not Found", "403 Forbidden", "410 Gone"] {
        let server =
            Server::new(move |_, _, stream| send(stream, &format!("{status}\r\nContent-Length: 0"), b""));
        assert_refused(&server, None, &format!("answered {status}, expected the archive"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn nobody_there_is_an_error() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let root = tempfile::tempdir().unwrap();
    let error = fetch(&format!("http://{address}/set.tar.gz"), None, root.path()).unwrap_err();
    assert!(error.contains("gave up") && error.to_lowercase().contains("connection"), "{error}");
}

#[test]
fn a_web_page_is_no_archive() {
    let page = b"<!DOCTYPE html><title>Please log in</title>";
    let server = Server::new(move |_, _, stream| {
        send(
            stream,
            &format!("200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}", page.len()),
            page,
        );
    });
    assert_refused(&server, archive_md5(), "answered with a web page, expected the archive");
    assert_eq!(server.requests().len(), 1);
    // And one that does not say what it is.
    let server = Server::new(move |_, _, stream| {
        send(stream, &format!("200 OK\r\nContent-Length: {}", page.len()), page)
    });
    assert_refused(
        &server,
        None,
        "expected a .tar.gz archive, found something that starts with \"<!DOCTYPE html>",
    );
}

#[test]
fn a_redirect_is_followed_and_a_loop_is_not() {
    let server = Server::new(|_, request, stream| match request.path.as_str() {
        "/set.tar.gz" => send(stream, "302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), "", request, ALL, stream),
    });
    assert_fetched(&server, None);
    let server = Server::new(|_, _, stream| {
        send(stream, "302 Found\r\nLocation: /set.tar.gz\r\nContent-Length: 0", b"")
    });
    assert_refused(&server, None, "too many redirects");
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let server = Server::new(|number, request, stream| {
        let request = Request { start: None, ..request.clone() };
        serve(&archive(0), "", &request, if number == 0 { 90_000 } else { ALL }, stream);
    });
    assert_fetched(&server, archive_md5());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_server_without_ranges_that_always_breaks_off_is_given_up() {
    let server = Server::new(|_, request, stream| {
        serve(&archive(0), "", &Request { start: None, ..request.clone() }, 90_000, stream);
    });
    assert_refused(&server, archive_md5(), "gave up");
    assert!(server.requests().len() < 10);
}

#[test]
fn a_range_that_is_refused_begins_anew() {
    let server = Server::new(|number, request, stream| match number {
        0 => serve(&archive(0), "\"a\"", request, 90_000, stream),
        1 => send(stream, "416 Range Not Satisfiable\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), "\"a\"", request, ALL, stream),
    });
    assert_fetched(&server, archive_md5());
    assert_eq!(server.requests()[2].start, None);
}

#[test]
fn a_file_that_changes_between_two_ranges_begins_anew() {
    // The server heeds If-Range, or it ignores it and says what it sends.
    for heeds_if_range in [true, false] {
        let server = Server::new(move |number, request, stream| {
            let if_range = request.if_range.clone().filter(|_| heeds_if_range);
            let request = Request { if_range, ..request.clone() };
            match number {
                0 => serve(&archive(7), "\"old\"", &request, 90_000, stream),
                _ => serve(&archive(0), "\"new\"", &request, ALL, stream),
            }
        });
        assert_fetched(&server, archive_md5());
    }
}

#[test]
fn a_file_that_changes_unnoticed_is_found_by_the_sums_and_begins_anew() {
    for md5 in [archive_md5(), None] {
        let server = Server::new(|number, request, stream| match number {
            0 => serve(&archive(7), "", request, 90_000, stream),
            _ => serve(&archive(0), "", request, ALL, stream),
        });
        assert_fetched(&server, md5);
        assert_eq!(
            server.requests().iter().map(|request| request.start).collect::<Vec<_>>(),
            [None, Some(90_000), None]
        );
    }
}

#[test]
fn a_wrong_sum_is_an_error_after_a_second_try() {
    let server = Server::new(|_, request, stream| serve(&archive(1), "", request, ALL, stream));
    assert_refused(&server, archive_md5(), "the archive has the MD5 sum");
    assert_eq!(server.requests().len(), 2);
    // From a mirror the members' sums decide.
    let server = Server::new(|_, request, stream| serve(&archive(1), "", request, ALL, stream));
    assert_refused(&server, None, "the archive is not the published one");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_length_is_an_error() {
    let promised = |n_bytes: usize| {
        Server::new(move |_, _, stream| {
            let bytes = archive(0);
            let n_sent = bytes.len().min(n_bytes);
            send(stream, &format!("200 OK\r\nContent-Length: {n_bytes}"), &bytes[..n_sent]);
        })
    };
    assert_refused(&promised(archive(0).len() + 10), archive_md5(), "broke off");
    assert_refused(&promised(archive(0).len() - 10), archive_md5(), "the archive has the MD5 sum");
    assert_refused(&promised(0), None, "the archive is empty");
}

#[test]
fn a_slow_drip_is_given_up() {
    let server = Server::new(|_, request, stream| {
        serve(&archive(0), "\"a\"", request, 0, stream);
        for byte in &archive(0)[request.start.unwrap_or(0)..] {
            use std::io::Write;
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let start = Instant::now();
    assert_refused(&server, archive_md5(), "sent only");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_endless_answer_ends() {
    let chunk = Arc::new([b"8000\r\n" as &[u8], &[b'x'; 0x8000], b"\r\n"].concat());
    let server = Server::new(move |_, _, stream| {
        use std::io::Write;
        send(stream, "200 OK\r\nTransfer-Encoding: chunked", b"");
        while stream.write_all(&chunk).is_ok() {}
    });
    assert_refused(&server, None, "more bytes than any archive has");
    let server = Server::new(|_, _, stream| send(stream, "200 OK\r\nContent-Length: 99999999999", b""));
    assert_refused(&server, None, "offers 99999999999 bytes");
}
