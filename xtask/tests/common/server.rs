//! A server on this machine that misbehaves as asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// For [`serve`]: the whole answer.
pub(crate) const ALL: usize = usize::MAX;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// From which byte on, if the client said so.
    pub(crate) start: Option<usize>,
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
    Some(Request { path: head.split(' ').nth(1)?.to_owned(), start })
}

/// Sends what was asked for of `bytes`, as a decent server does, but no more than `n_sent` bytes.
pub(crate) fn serve(bytes: &[u8], request: &Request, n_sent: usize, stream: &mut TcpStream) {
    let (head, body) = match request.start {
        Some(start) if start >= bytes.len() => ("HTTP/1.1 416 Range Not Satisfiable\r\n".into(), &[][..]),
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            (format!("HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\n"), &bytes[start..])
        }
        None => ("HTTP/1.1 200 OK\r\n".to_owned(), bytes),
    };
    let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // The client may have gone.
    let _ =
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..n_sent.min(body.len())]));
}

/// Sends a line of status, headers and a body as they stand.
pub(crate) fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}
