//! A small data set with its archive, and a server that misbehaves as asked.

// Each test uses a part of it.
#![allow(dead_code)]

use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use data::{Published, PublishedFile};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

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

/// The data set of `contents(0)`, with its sums.
pub(crate) fn published() -> Published {
    let file = |(name, bytes): (&'static str, Vec<u8>)| PublishedFile {
        name,
        len: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
    };
    Published {
        name: "the test set",
        url: "",
        archive_md5: "",
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

/// What is in a folder, hidden files too, without the lock.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(name).filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// From which byte on, if the client said so.
    pub(crate) start: Option<usize>,
    pub(crate) if_range: Option<String>,
}

/// A server on this machine that answers each request by a function of its number, from 0.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_done: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_done = Arc::new(AtomicBool::new(false));
        let server = Self { address, requests: requests.clone(), is_done: is_done.clone() };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                let (requests, answer) = (requests.clone(), answer.clone());
                thread::spawn(move || {
                    let Ok(mut stream) = stream else { return };
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    let Some(request) = read_request(&mut stream) else { return };
                    let number = {
                        let mut requests = requests.lock().unwrap();
                        requests.push(request.clone());
                        requests.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/set.tar.gz", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let of_line = |line: &str| {
            line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        };
        head.lines().find_map(of_line)
    };
    let start = header("range").map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    Some(Request { path: head.split(' ').nth(1)?.to_owned(), start, if_range: header("if-range") })
}

/// Sends what was asked for of `bytes`, as a decent server does, but no more than `n_sent` bytes.
pub(crate) fn serve(bytes: &[u8], etag: &str, request: &Request, n_sent: usize, stream: &mut TcpStream) {
    let is_same = request.if_range.as_deref().is_none_or(|validator| validator == etag);
    let etag = if etag.is_empty() { String::new() } else { format!("ETag: {etag}\r\n") };
    let (head, body) = match request.start.filter(|_| is_same) {
        Some(start) if start >= bytes.len() => ("HTTP/1.1 416 Range Not Satisfiable\r\n".into(), &[][..]),
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            (format!("HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\n"), &bytes[start..])
        }
        None => ("HTTP/1.1 200 OK\r\n".to_owned(), bytes),
    };
    let head = format!("{head}{etag}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // The client may have gone.
    let _ =
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..n_sent.min(body.len())]));
}

/// Sends a line of status, headers and a body as they stand.
pub(crate) fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}
