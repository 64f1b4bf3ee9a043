//! Runs the program on a separate tiny data set in a separate folder.
#![allow(dead_code, unreachable_pub, reason = "each test binary takes what it needs")]

pub mod pictures;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use descent::checkpoint::{Checkpoint, Folder};
use sha2::{Digest, Sha256};

/// A folder with a tiny CIFAR-10: `n` images in each file, noise with a brightness that depends on the class.
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

/// The program itself, for a shell to start.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_descent");

/// A command, the program or one that starts it, without the variables that set the program's flags.
pub fn command(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_remove("DESCENT_DATA").env_remove("DESCENT_THREADS");
    command
}

pub fn descent(folder: &Path) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::from_std(command(PROGRAM));
    command.current_dir(folder);
    command
}

/// The output of a command that must succeed.
pub fn stdout(folder: &Path, args: &[&str]) -> String {
    let assert = descent(folder).args(args).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// The airbench94 recipe on tiny data of 16 images per file and with narrow blocks: 80 images in batches of
/// 24, so that 8 are dropped from an epoch of 3 steps.
pub const AIRBENCH: &[&str] = &[
    "train",
    "--data",
    "data",
    "--recipe",
    "airbench94",
    "--batch-size",
    "24",
    "--whiten",
    "30",
    "--net",
    "airbench:8,16,12",
];

/// Runs a command that must fail, and returns its error of one or two lines.
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

/// The last line of output from a command that must fail.
pub fn failure_at_the_end(folder: &Path, args: &[&str]) -> String {
    let output = descent(folder).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with("error: "), "{stderr}");
    last.to_owned()
}

pub fn train(folder: &Path, out: &str, more: &[&str]) -> String {
    let args = ["train", "--data", "data", "--batch-size", "16", "--lr", "0.001", "--out", out];
    let assert = descent(folder).args(args).args(more).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// Rules with state of every kind: moments, a velocity with an average of the weights, a shared product with the
/// best weights so far.
pub const OPTIMIZERS: [&[&str]; 3] = [
    &["--optimizer", "adam"],
    &["--optimizer", "sgd", "--momentum", "0.9", "--schedule", "cosine", "--ema", "0.9"],
    &["--optimizer", "nadam", "--val", "25", "--patience", "50"],
];

/// The outcome of a finished run, without times and rates.
pub struct Outcome {
    pub checkpoint: Checkpoint,
    model: Vec<u8>,
    /// The history without its columns of seconds and images per second.
    history: Vec<Vec<String>>,
}

impl Outcome {
    /// Reads the run's folder.
    pub fn of(out: &Path) -> Self {
        let newest = Folder::new(out).newest_good(|error| panic!("{error:#}")).unwrap();
        let mut checkpoint = newest.expect("there is a checkpoint");
        for epoch in &mut checkpoint.state.history {
            (epoch.seconds, epoch.images_per_second) = (0.0, 0.0);
        }
        checkpoint.state.sums.seconds = 0.0;
        checkpoint.state.total_seconds = 0.0;
        let history = fs::read_to_string(out.join("history.csv")).unwrap();
        let untimed = |line: &str| {
            let is_time = |(idx, _): &(usize, &str)| *idx == 6 || *idx == 7;
            line.split(',')
                .enumerate()
                .filter(|cell| !is_time(cell))
                .map(|(_, cell)| cell.to_owned())
                .collect()
        };
        Self {
            checkpoint,
            model: fs::read(out.join("model.safetensors")).unwrap(),
            history: history.lines().map(untimed).collect(),
        }
    }

    /// Weights, optimizer state, losses and the order of batches are equal bit for bit.
    pub fn assert_same_bits(&self, other: &Self, what: &str) {
        // Batches and losses of every step; see `State::trace`.
        assert_eq!(
            self.checkpoint.state.trace, other.checkpoint.state.trace,
            "{what}: batches or losses differ"
        );
        assert_eq!(self.checkpoint.state, other.checkpoint.state, "{what}");
        assert!(self.model == other.model, "{what}: the models differ");
        assert_eq!(self.history, other.history, "{what}");
        // With state and tensors, configuration and counters; the encoding preserves bits.
        assert!(self.checkpoint.encode() == other.checkpoint.encode(), "{what}: the checkpoints differ");
    }
}

/// Fails if a temporary file is left in a run's folder.
pub fn assert_nothing_half_written(out: &Path) {
    for folder in [out.to_owned(), out.join("checkpoints")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with('.'), "{name} was left behind");
        }
    }
}

/// Puts the correct checksum into a modified file, as an attacker would.
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let key = b"\"sha256\":\"";
    let Some(at) = bytes.windows(key.len()).position(|window| window == key).map(|at| at + key.len()) else {
        return bytes;
    };
    if bytes.len() >= at + 64 {
        bytes[at..at + 64].fill(b'0');
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        bytes[at..at + 64].copy_from_slice(sum.as_bytes());
    }
    bytes
}

/// The number of repetitions: from the environment, or `default`.
pub fn count(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Random numbers for the moments of kills.
pub struct Random(u64);

impl Random {
    /// Different numbers in every run: the timing differs anyway.
    pub fn new() -> Self {
        Self(u64::from(std::process::id()) | 1)
    }

    /// A number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}
