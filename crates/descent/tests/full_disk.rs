//! A full disk, at every write: an error that names the file, the old data intact, nothing half-written left
//! behind.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Outcome, PROGRAM, assert_nothing_half_written, command, tiny_cifar, train};
use tempfile::TempDir;

/// One epoch of SGD: each file is written once, and the checkpoint is hardly larger than the model.
const FLAGS: &str = "train --data data --batch-size 16 --lr 0.001 --epochs 1 --optimizer sgd --threads 1";

/// The files of a run, in the order in which it writes them.
const FILES: [&str; 10] = [
    "config.json",
    "model.safetensors",
    "history.csv",
    "checkpoints/step-0000000005.safetensors",
    "loss.svg",
    "loss.png",
    "accuracy.svg",
    "accuracy.png",
    "confusion.svg",
    "confusion.png",
];

/// Runs the program through a shell command in which `$0` is the program.
fn shell(folder: &Path, line: &str) -> Output {
    command("sh").current_dir(folder).args(["-c", line, PROGRAM]).output().unwrap()
}

/// Checks that a run failed with a line that names `file`, and returns the line.
fn error_of(output: &Output, file: &str) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{file}: {stderr}");
    assert!(
        stderr.starts_with("error: ") && stderr.contains(file) && stderr.lines().count() == 1,
        "{file}: {stderr}"
    );
    stderr
}

/// `ulimit -f` rejects writes past this many blocks of 512 bytes.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_the_old_data_stand() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let limited = |blocks: u64, more: &str| {
        shell(folder.path(), &format!("ulimit -f {blocks}; exec \"$0\" {FLAGS} {more}"))
    };
    let error = error_of(&limited(0, "--out new"), "new/config.json");
    assert!(error.contains("File too large"), "{error}");
    error_of(&limited(64, "--out new"), "new/model.safetensors");
    assert_nothing_half_written(&folder.path().join("new"));

    // The same over an older run: its files stay unchanged, to the byte.
    train(folder.path(), "old", &["--epochs", "1", "--optimizer", "sgd"]);
    let old = |name: &str| fs::read(folder.path().join("old").join(name)).unwrap();
    let before = FILES.map(old);
    let further = "--out old --resume --resume-with flags --epochs 2";
    error_of(&limited(0, further), "old/config.json");
    error_of(&limited(64, further), "old/model.safetensors");
    assert!(FILES[1..].iter().map(|name| old(name)).eq(before[1..].iter().cloned()));
    assert_nothing_half_written(&folder.path().join("old"));
    Outcome::of(&folder.path().join("old"));

    // There is room for the model, but not for the checkpoint with Adam's moments: the older checkpoint
    // stays, and resuming from it ends like a run without a limit.
    let adam = ["--optimizer", "adam", "--epochs"];
    train(folder.path(), "adam", &[&adam[..], &["1"]].concat());
    let further = "--out adam --optimizer adam --resume --resume-with flags --epochs 2";
    error_of(&limited(6000, further), "adam/checkpoints/step-0000000010.safetensors");
    assert_nothing_half_written(&folder.path().join("adam"));
    assert_eq!(Outcome::of(&folder.path().join("adam")).checkpoint.state.step, 5);
    assert!(shell(folder.path(), &format!("exec \"$0\" {FLAGS} {further}")).status.success());
    train(folder.path(), "whole", &[&adam[..], &["2"]].concat());
    Outcome::of(&folder.path().join("adam"))
        .assert_same_bits(&Outcome::of(&folder.path().join("whole")), "after a full disk");
}

#[test]
fn a_page_of_the_lecture_that_does_not_fit_is_an_error() {
    let folder = TempDir::new().unwrap();
    let page = |limit: &str| {
        let command = format!("{limit} exec \"$0\" lecture minima --out new > /dev/null");
        shell(folder.path(), &command)
    };
    let error = error_of(&page("ulimit -f 0;"), "new/minima/");
    assert!(error.contains("File too large"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("new/minima")).unwrap().count(), 0);

    // Over an older page: its files stay unchanged, to the byte.
    assert!(page("").status.success());
    let html = fs::read(folder.path().join("new/minima.html")).unwrap();
    error_of(&page("ulimit -f 0;"), "new/minima/");
    assert_eq!(fs::read(folder.path().join("new/minima.html")).unwrap(), html);
    assert_nothing_half_written(&folder.path().join("new/minima"));
}

#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    let output = shell(folder.path(), &format!("exec \"$0\" {FLAGS} --out new > /dev/full"));
    let error = error_of(&output, "standard output");
    assert!(error.contains("No space left on device"), "{error}");
}

/// Files on a tmpfs take a multiple of this many bytes.
fn page_size() -> u64 {
    let output = Command::new("getconf").arg("PAGESIZE").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A file system with so few pages that the run must fail at one file after the other.
#[test]
fn a_full_file_system_is_an_error_at_every_place_that_writes() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    fs::create_dir(folder.path().join("disk")).unwrap();
    let unshare =
        |args: &[&str]| command("unshare").current_dir(folder.path()).arg("-rm").args(args).output();
    if !unshare(&["mount", "-t", "tmpfs", "x", "disk"]).is_ok_and(|output| output.status.success()) {
        println!("no file system can be mounted here: passed over");
        return;
    }
    train(folder.path(), "whole", &["--epochs", "1", "--optimizer", "sgd"]);
    let page_size = page_size();
    let pages =
        |name: &str| fs::metadata(folder.path().join("whole").join(name)).unwrap().len().div_ceil(page_size);
    // The test above covers the first, without any room; a tmpfs of size 0 has no limit.
    for (file_idx, file) in FILES.iter().enumerate().skip(1) {
        // All earlier files fit, this one lacks a page; the root and two folders may take a page each or
        // none.
        let size = FILES[..=file_idx].iter().map(|name| pages(name)).sum::<u64>() - 1;
        let line = format!(
            "mount -t tmpfs -o size={} x disk && \"$0\" {FLAGS} --out disk; code=$?; rm -rf copy; cp -a disk copy; exit $code",
            size * page_size
        );
        let output = unshare(&["sh", "-c", &line, PROGRAM]).unwrap();
        let error = error_of(&output, file);
        assert!(error.contains("No space left on device"), "{error}");
        let copy = folder.path().join("copy");
        assert_nothing_half_written(&copy);
        for (idx, name) in FILES.iter().enumerate() {
            assert_eq!(copy.join(name).exists(), idx < file_idx, "{name} on a disk that is full at {file}");
        }
        if file_idx > 3 {
            Outcome::of(&copy);
        }
    }
}
