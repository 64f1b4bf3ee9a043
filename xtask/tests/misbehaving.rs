//! fetch-cifar against servers that misbehave: it ends with the whole set, or an error and the old state.

mod common;

use std::cell::RefCell;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ALL, Request, Server, archive, archive_md5, assert_fetched, assert_refused, fetch, limits, listing,
    published, send, serve,
};
use xtask::fetch::{Limits, Outcome, Source, bring};

#[test]
fn a_server_that_stalls_is_asked_again() {
    let server = Server::new(|number, request, stream| {
        let n_sent = if number == 0 { 50_000 } else { ALL };
        serve(&archive(0), request, n_sent, stream);
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
            _ => serve(&archive(0), request, ALL, stream),
        });
        assert_fetched(&server, None);
    }
}

thread_local! {
    /// The pauses that a fetch made on this thread, which did not wait for them.
    static PAUSES: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) };
}

/// Fetches with the pauses that are the default, and says how it ended and which were made.
fn fetch_with_noted_pauses(server: &Server) -> (Result<Outcome, String>, Vec<u64>) {
    let limits = Limits {
        pauses: Limits::default().pauses,
        wait: |pause| PAUSES.with_borrow_mut(|pauses| pauses.push(pause)),
        ..limits()
    };
    let root = tempfile::tempdir().unwrap();
    let ended = bring(&published(), &Source::Url(server.url(), archive_md5()), root.path(), &limits);
    let pauses = PAUSES.take().iter().map(Duration::as_secs).collect();
    (ended.map_err(|error| format!("{error:#}")), pauses)
}

#[test]
fn the_pauses_between_attempts_grow_and_then_it_is_given_up() {
    let server = Server::new(|_, _, stream| {
        send(stream, "503 Service Unavailable\r\nContent-Length: 0", b"");
    });
    let (ended, pauses) = fetch_with_noted_pauses(&server);
    assert!(ended.unwrap_err().contains("gave up"));
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn the_pauses_begin_anew_after_bytes_that_were_not_there_before() {
    let server = Server::new(|number, request, stream| match number {
        2 | 4 => serve(&archive(0), request, 90_000, stream),
        0..6 => send(stream, "503 Service Unavailable\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), request, ALL, stream),
    });
    let (ended, pauses) = fetch_with_noted_pauses(&server);
    assert_eq!((ended, pauses), (Ok(Outcome::Brought), vec![1, 2, 1, 2, 1, 2]));
}

#[test]
fn a_server_that_speaks_no_http_is_given_up() {
    let server = Server::new(|_, _, stream| {
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
        _ => serve(&archive(0), request, ALL, stream),
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
        serve(&archive(0), &request, if number == 0 { 90_000 } else { ALL }, stream);
    });
    assert_fetched(&server, archive_md5());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_server_without_ranges_that_always_breaks_off_is_given_up() {
    let server = Server::new(|_, request, stream| {
        serve(&archive(0), &Request { start: None, ..request.clone() }, 90_000, stream);
    });
    assert_refused(&server, archive_md5(), "gave up");
    assert!(server.requests().len() < 10);
}

#[test]
fn a_range_that_is_refused_begins_anew() {
    let server = Server::new(|number, request, stream| match number {
        0 => serve(&archive(0), request, 90_000, stream),
        1 => send(stream, "416 Range Not Satisfiable\r\nContent-Length: 0", b""),
        _ => serve(&archive(0), request, ALL, stream),
    });
    assert_fetched(&server, archive_md5());
    assert_eq!(server.requests()[2].start, None);
}

#[test]
fn a_file_that_changes_is_found_by_the_checksums_and_begins_anew() {
    for md5 in [archive_md5(), None] {
        let server = Server::new(|number, request, stream| match number {
            0 => serve(&archive(7), request, 90_000, stream),
            _ => serve(&archive(0), request, ALL, stream),
        });
        assert_fetched(&server, md5);
        assert_eq!(
            server.requests().iter().map(|request| request.start).collect::<Vec<_>>(),
            [None, Some(90_000), None]
        );
    }
}

#[test]
fn a_wrong_checksum_is_an_error_after_a_second_try() {
    let server = Server::new(|_, request, stream| serve(&archive(1), request, ALL, stream));
    assert_refused(&server, archive_md5(), "the archive has the MD5 checksum");
    assert_eq!(server.requests().len(), 2);
    // From a mirror the members' checksums decide.
    let server = Server::new(|_, request, stream| serve(&archive(1), request, ALL, stream));
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
    assert_refused(&promised(archive(0).len() - 10), archive_md5(), "the archive has the MD5 checksum");
    assert_refused(&promised(0), None, "the archive is empty");
}

#[test]
fn a_slow_drip_is_given_up() {
    let server = Server::new(|_, request, stream| {
        serve(&archive(0), request, 0, stream);
        for byte in &archive(0)[request.start.unwrap_or(0)..] {
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
        send(stream, "200 OK\r\nTransfer-Encoding: chunked", b"");
        while stream.write_all(&chunk).is_ok() {}
    });
    assert_refused(&server, None, "more bytes than any archive has");
    let server = Server::new(|_, _, stream| send(stream, "200 OK\r\nContent-Length: 99999999999", b""));
    assert_refused(&server, None, "offers 99999999999 bytes");
}

/// What a server sends in answer to a request, and then again and again.
const ENDLESS: [(&str, &str); 9] = [
    // The first line, headers, a header.
    ("HTTP/1.1 200 ", "O"),
    ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
    ("HTTP/1.1 200 OK\r\nA: ", "b"),
    // Answers that are none yet, and pages that lead elsewhere.
    ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 99999999999\r\n\r\n", "x"),
    // The length of a chunk, its extension, what stands behind the last one.
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=", "b"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "A: b\r\n"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: ", "b"),
];

#[test]
fn a_server_without_an_end_is_given_up_whatever_it_sends() {
    let limits =
        Limits { answer: Duration::from_millis(500), pauses: vec![Duration::from_millis(5)], ..limits() };
    let refused = |(start, again): (&'static str, &'static str), is_slow: bool| {
        let server = Server::new(move |_, _, stream| {
            let (piece, pause) = if is_slow { (again.to_owned(), 20) } else { (again.repeat(1_000), 0) };
            let _ = stream.write_all(start.as_bytes());
            while stream.write_all(piece.as_bytes()).is_ok() {
                thread::sleep(Duration::from_millis(pause));
            }
        });
        let root = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        let ended = bring(&published(), &Source::Url(server.url(), None), root.path(), &limits);
        let what = format!("{start:?} {again:?}, slow: {is_slow}");
        let error = format!("{:#}", ended.expect_err(&what));
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}: {:?}", begin.elapsed());
        assert!(server.requests().len() <= 2 * 11, "{what}: {} requests", server.requests().len());
        let is_kept = error.contains("kept for the next run");
        assert_eq!(listing(root.path()).len(), usize::from(is_kept), "{what}: {error}");
    };
    thread::scope(|scope| {
        for row in ENDLESS {
            for is_slow in [true, false] {
                scope.spawn(move || refused(row, is_slow));
            }
        }
    });
}

#[test]
fn a_greeting_under_tls_without_an_end_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/set.tar.gz", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The head of a record of 16 KiB.
            let _ = stream.write_all(&[22, 3, 3, 64, 0]);
            while stream.write_all(&[0]).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { answer: Duration::from_millis(500), pauses: vec![], ..limits() };
    let begin = Instant::now();
    let error = bring(&published(), &Source::Url(url, None), root.path(), &limits).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5), "{error:#}");
    assert!(listing(root.path()).is_empty(), "{error:#}");
}

#[test]
fn a_refused_fetch_leaves_nothing() {
    let answers = [
        "404 Not Found\r\nContent-Length: 0",
        "200 OK\r\nContent-Type: text/html\r\nContent-Length: 0",
        "302 Found\r\nLocation: ftp://127.0.0.1/set.tar.gz\r\nContent-Length: 0",
        "302 Found\r\nLocation: /set.tar.gz\r\nContent-Length: 0",
        "206 Partial Content\r\nContent-Range: bytes 7-8/9\r\nContent-Length: 2",
        "200 OK\r\nContent-Length: 99999999999",
        "503 Service Unavailable\r\nContent-Length: 0",
        "nonsense",
    ];
    let servers = answers.map(|head| Server::new(move |_, _, stream| send(stream, head, b"")));
    let urls =
        servers.iter().map(Server::url).chain(["http://".into(), "http://[".into(), "http://a b/".into()]);
    for url in urls {
        let root = tempfile::tempdir().unwrap();
        let error = fetch(&url, None, root.path()).unwrap_err();
        assert!(listing(root.path()).is_empty(), "{url}: {error}");
    }
}
