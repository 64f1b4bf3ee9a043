//! The program on a tiny data set of its own, in a folder of its own.
#![allow(dead_code, unreachable_pub, reason = "each test binary takes what it needs")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A folder with a tiny CIFAR-10: `n` images in each file, noise whose brightness tells the class.
pub fn tiny_cifar(folder: &Path, n: usize) -> PathBuf {
    let dir = folder.join("data");
    fs::create_dir(&dir).unwrap();
    let mut noise = 1u32;
    let mut file = |name: &str| {
        let mut bytes = Vec::new();
        for record in 0..n {
            let label = (record % 10) as u8;
            bytes.push(label);
            bytes.extend((0..3072).map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                label * 20 + (noise >> 27) as u8
            }));
        }
        fs::write(dir.join(name), bytes).unwrap();
    };
    (1..=5).for_each(|i| file(&format!("data_batch_{i}.bin")));
    file("test_batch.bin");
    dir
}

pub fn descent(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("descent").unwrap();
    command.current_dir(folder);
    command
}

/// Runs a command that must fail, and gives back what it says: an error of one or two lines.
pub fn failure(folder: &Path, args: &[&str]) -> String {
    let output = descent(folder).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.status.code().is_some(), "{args:?} should fail: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{stderr}");
    stderr
}

/// The same for an error that takes a line or two.
pub fn short_failure(folder: &Path, args: &[&str]) -> String {
    let stderr = failure(folder, args);
    assert!(stderr.lines().count() <= 2, "more than two lines:\n{stderr}");
    stderr
}

pub fn train(folder: &Path, out: &str, more: &[&str]) -> String {
    let args = ["train", "--data", "data", "--batch-size", "16", "--lr", "0.001", "--out", out];
    let assert = descent(folder).args(args).args(more).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}
