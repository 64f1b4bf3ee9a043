//! Many short epochs: the program's memory use does not grow.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::{PROGRAM, command, count, tiny_cifar};

/// `SOAK_EPOCHS=1000` for the long form.
///
/// The short form runs on one thread with one arena of the allocator: on a busy machine a second thread may
/// first allocate its scratch memory after half of the epochs, which would look like a leak.
#[test]
fn memory_does_not_grow_with_the_epochs() {
    let n_epochs = count("SOAK_EPOCHS", 100);
    let is_long = n_epochs >= 1_000;
    let folder = tempfile::tempdir().unwrap();
    tiny_cifar(folder.path(), 20);
    let flags = ["--limit", "20", "--batch-size", "10", "--lr", "0.001", "--checkpoint-every", "2"];
    let mut child = command(PROGRAM)
        .current_dir(folder.path())
        .env("MALLOC_ARENA_MAX", "1")
        .args(["train", "--data", "data", "--out", "out", "--augment"])
        .args(["--threads", if is_long { "2" } else { "1" }])
        .args(flags)
        .args(["--epochs", &n_epochs.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The peak resident memory in kilobytes, by epoch, from the first tenth to before the last epoch, after
    // which the program draws its report. The kernel tracks it, so nothing is missed between two samples.
    let mut samples: Vec<(usize, usize)> = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let epoch = epochs_done(&folder.path().join("out/history.csv"));
        let peak = peak_kilobytes(child.id());
        if let Some(peak) = peak.filter(|_| (n_epochs / 10..n_epochs - 1).contains(&epoch)) {
            samples.push((epoch, peak));
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    assert!(last.0 >= n_epochs / 2, "the run was seen up to epoch {} only", last.0);
    let middle = (first.0 + last.0) / 2;
    let before = samples.iter().find(|(epoch, _)| *epoch >= middle).expect("a sample of the second half").1;
    let after = last.1;
    println!("at epoch {middle}: {before} kB, at epoch {}: {after} kB", last.0);
    // In a short form, the memory that allocators retain weighs more; the long form checks the promise.
    let percent = if is_long { 1 } else { 5 };
    assert!(
        after * 100 < before * (100 + percent),
        "the peak of resident memory went from {before} to {after} kB"
    );
}

fn epochs_done(history: &Path) -> usize {
    fs::read_to_string(history).map_or(0, |text| text.lines().count().saturating_sub(1))
}

fn peak_kilobytes(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
