//! `cargo xtask seeds` with a program that trains nothing: rows are appended, kept, and gone on from.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Notes how it was called, and answers as `descent train` does; it fails for seed 2 unless the folder has a file `well`.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=$2 ;;
        --out) out=$2 ;;
    esac
    shift
done
if [ "$seed" = 2 ] && [ ! -e "$here/well" ]; then exit 130; fi
mkdir -p "$out"
printf '{"seed": %s, "part": "test", "accuracy": 0.94%s, "training_seconds": 100.25, "total_seconds": 120.5,
    "processor": "Some \"CPU\", fast", "threads": 2}' "$seed" "$seed" > "$out/result.json"
"#;

fn seeds(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "seeds",
            "--recipe",
            "airbench94",
            "--program",
            "program",
            "--out",
            "results/seeds.csv",
            "--runs",
            "runs",
        ])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn what_is_done_stays_and_what_failed_is_tried_again() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let args = ["--seeds", "0..4", "--data", "data", "--", "--threads", "2"];

    let stopped = seeds(folder.path(), &args);
    let message = String::from_utf8(stopped.stderr).unwrap();
    assert!(
        !stopped.status.success() && message.starts_with("error: seed 2: the run ended with "),
        "{message}"
    );
    let two = "seed,accuracy,training_seconds,total_seconds,processor\n\
               0,94.00,100.2,120.5,\"Some 'CPU', fast\"\n1,94.10,100.2,120.5,\"Some 'CPU', fast\"\n";
    assert_eq!(read("results/seeds.csv"), two);
    let root = folder.path().canonicalize().unwrap();
    let first = format!(
        "train --recipe airbench94 --seed 0 --data {0}/data --threads 2 --resume --out {0}/runs/seed-0",
        root.display()
    );
    let calls = read("calls");
    assert_eq!(calls.lines().next(), Some(first.as_str()));

    fs::write(folder.path().join("well"), "").unwrap();
    let done = seeds(folder.path(), &args);
    let printed = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(
        printed.contains("seed 1: it has a row in ")
            && printed.contains("4 seeds: accuracy 94.15 % on average"),
        "{printed}"
    );
    let all = read("results/seeds.csv");
    assert!(all.starts_with(two) && all.lines().count() == 5, "{all}");
    let seeds_of_calls = |calls: &str| -> Vec<String> {
        calls.lines().map(|line| line.split(' ').nth(4).unwrap().to_owned()).collect()
    };
    assert_eq!(seeds_of_calls(&read("calls")), ["0", "1", "2", "2", "3"]);

    // CIFAR-10 is named, so that the built-in set does not take its place.
    assert!(seeds(folder.path(), &["--seeds", "4..5"]).status.success());
    let last = "train --recipe airbench94 --seed 4 --data datasets/cifar-10-batches-bin --resume --out ";
    assert!(read("calls").lines().last().unwrap().starts_with(last), "{}", read("calls"));

    // Nothing is left to do; a file of something else is not touched.
    assert!(seeds(folder.path(), &args).status.success());
    assert_eq!(read("calls").lines().count(), 6);
    fs::write(folder.path().join("results/seeds.csv"), "my notes\n").unwrap();
    let refused = seeds(folder.path(), &args);
    assert!(
        String::from_utf8(refused.stderr).unwrap().contains("expected a file that begins with seed,accuracy")
    );
    assert_eq!(read("results/seeds.csv"), "my notes\n");
}
