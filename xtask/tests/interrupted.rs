//! fetch-cifar killed at any moment, and on a full disk.
//!
//! The fetch runs in a process of its own: this test program, asked for the one test that fetches.

#![cfg(unix)]

mod common;

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Server, archive, is_whole, listing, published, serve};
use xtask::fetch::{Limits, Source, bring};

const FROM: &str = "FETCH_TEST_FROM";
const ROOT: &str = "FETCH_TEST_ROOT";

/// Fetches as the variables say; without them there is nothing to do.
#[test]
fn fetch_in_a_process_of_its_own() {
    let (Ok(from), Ok(root)) = (env::var(FROM), env::var(ROOT)) else { return };
    let limits = Limits { pauses: vec![Duration::from_millis(5); 3], ..Limits::default() };
    bring(&published(), &Source::parse(&from), Path::new(&root), &limits).unwrap();
}

/// `sh -c "script"` in which `"$@"` is the fetch.
fn child(script: &str, from: &str, root: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(env::current_exe().unwrap());
    command.args(["--exact", "fetch_in_a_process_of_its_own", "--nocapture"]);
    command
        .env(FROM, from)
        .env(ROOT, root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A server that takes some 60 ms for the whole archive.
fn slow_server() -> Server {
    Server::new(|_, request, stream| {
        serve(&archive(0), request, 0, stream);
        for part in archive(0)[request.start.unwrap_or(0).min(archive(0).len())..].chunks(10_000) {
            thread::sleep(Duration::from_millis(2));
            if stream.write_all(part).is_err() {
                return;
            }
        }
    })
}

#[test]
fn after_a_kill_the_next_run_ends_whole() {
    let server = slow_server();
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("test-set");
    let mut n_whole = 0;
    // `FETCH_KILLS=200 cargo test -p xtask --test interrupted` for the long form.
    let n_kills = env::var("FETCH_KILLS").map_or(20, |text| text.parse().expect("a number of kills"));
    for round in 0..n_kills {
        let mut process = child("exec \"$@\"", &server.url(), root.path()).spawn().unwrap();
        // From before the first request to after the last rename.
        thread::sleep(Duration::from_millis(round * 37 % 120));
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(is_whole(root.path()) || !target.exists(), "round {round}: {:?}", listing(&target));
        if is_whole(root.path()) {
            n_whole += 1;
            fs::remove_dir_all(&target).unwrap();
        }
    }
    println!("{n_whole} of {n_kills} runs had put the files in place when they were killed");
    assert!(n_whole < n_kills, "no run was killed before its end");
    let output = child("exec \"$@\"", &server.url(), root.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_whole(root.path()));
    assert_eq!(listing(root.path()), ["test-set"]);
}

/// With files limited to `n_blocks` × 512 bytes, as on a disk that is nearly full.
fn fetch_on_a_full_disk(n_blocks: usize, from: &str, root: &Path) -> String {
    // Ignoring the signal makes the write fail instead.
    let script = format!("trap '' XFSZ; ulimit -f {n_blocks}; exec \"$@\"");
    let output = child(&script, from, root).output().unwrap();
    assert!(!output.status.success(), "the disk was not full");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn on_a_full_disk_the_old_state_stays_and_nothing_is_left_over() {
    let server = Server::new(|_, request, stream| serve(&archive(0), request, usize::MAX, stream));
    let elsewhere = tempfile::tempdir().unwrap();
    let on_disk = elsewhere.path().join("set.tar.gz");
    fs::write(&on_disk, archive(0)).unwrap();
    for from in [server.url(), on_disk.to_str().unwrap().to_owned()] {
        let root = tempfile::tempdir().unwrap();
        let set = root.path().join("test-set");
        fs::create_dir(&set).unwrap();
        fs::write(set.join("train.bin"), "old").unwrap();
        let message = fetch_on_a_full_disk(100, &from, root.path());
        assert!(message.contains("File too large"), "{message}");
        assert_eq!(listing(root.path()), ["test-set"], "{from}");
        assert_eq!(listing(&set), ["train.bin"]);
        assert_eq!(fs::read(set.join("train.bin")).unwrap(), b"old");
    }
}
