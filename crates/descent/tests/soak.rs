//! Many short epochs: what the program holds in memory does not grow.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{count, tiny_cifar};

/// `SOAK_EPOCHS=1000` for the long form.
#[test]
fn memory_does_not_grow_with_the_epochs() {
    let n_epochs = count("SOAK_EPOCHS", 40);
    let folder = tempfile::tempdir().unwrap();
    tiny_cifar(folder.path(), 20);
    let flags = ["--limit", "20", "--batch-size", "10", "--lr", "0.001", "--checkpoint-every", "20"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_descent"))
        .current_dir(folder.path())
        .args(["train", "--data", "data", "--out", "out", "--threads", "2", "--augment"])
        .args(flags)
        .args(["--epochs", &n_epochs.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Resident kilobytes by epoch, from the first tenth on to before the last epoch, after which the
    // program draws its report.
    let mut samples: Vec<(usize, usize)> = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let epoch = epochs_done(&folder.path().join("out/history.csv"));
        let resident = resident_kilobytes(child.id());
        if let Some(resident) = resident.filter(|_| (n_epochs / 10..n_epochs - 1).contains(&epoch)) {
            samples.push((epoch, resident));
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    assert!(last.0 >= n_epochs / 2, "the run was seen up to epoch {} only", last.0);
    // The most that was held in the first and in the second half: one sample says little.
    let peak = |range: std::ops::Range<usize>| {
        samples.iter().filter(|(epoch, _)| range.contains(epoch)).map(|(_, resident)| *resident).max()
    };
    let middle = (first.0 + last.0) / 2;
    let before = peak(first.0..middle).expect("samples of the first half");
    let after = peak(middle..n_epochs).expect("samples of the second half");
    println!("epochs {} to {}: at most {before} kB, then {after} kB", first.0, last.0);
    // A short form holds what allocators keep back against little; the long form is what the promise says.
    let percent = if n_epochs >= 1_000 { 1 } else { 5 };
    assert!(after * 100 < before * (100 + percent), "resident memory went from {before} to {after} kB");
}

fn epochs_done(history: &Path) -> usize {
    fs::read_to_string(history).map_or(0, |text| text.lines().count().saturating_sub(1))
}

fn resident_kilobytes(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
