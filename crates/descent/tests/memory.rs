//! Reading a checkpoint takes a bounded amount of memory, for any file. In a separate binary, because the
//! allocator counts all threads.

mod common;

use std::fs;
use std::path::Path;

use clap::Parser;
use classifier::Score;
use common::{count, sealed};
use counting::Allocator;
use descent::checkpoint::{Checkpoint, Config, State};
use descent::cli::{Cli, Command};
use descent::history::Epoch;
use serde_json::{Value, json};
use tensor::Shape;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

/// A checkpoint of this many epochs with one long tensor.
fn checkpoint(n_epochs: usize, n_values: usize) -> Checkpoint {
    let Command::Train(args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
    let score = Score { loss: 1.0 / 3.0, accuracy: 0.1 + 0.2 };
    let epoch = |epoch| Epoch {
        epoch,
        train_loss: 1.0 / 3.0,
        train_loss_per_sample: 1.0 / 7.0,
        validation: None,
        test: Some(score),
        train_accuracy: Some(0.1 + 0.2),
        learning_rate: 0.001,
        seconds: 1.0 / 9.0,
        images_per_second: 1e6 / 3.0,
    };
    let history: Vec<Epoch> = (1..).map(epoch).take(n_epochs).collect();
    let state = State { step: 7, epoch: n_epochs, history, ..State::default() };
    let stopper = optim::Progress { n_epochs: 0, best_metric: 0.0, best_epoch: None, n_bad: 0 };
    let mut checkpoint = Checkpoint::new(Config::without_images(&args.settings), state, stopper);
    checkpoint.tensors.add("model", "w", &vec![1.0; n_values]);
    checkpoint
}

/// A checkpoint file with other JSON, tensors of one number each, and one more entry in the metadata.
fn file(json: &Value, n_tensors: usize, more: &str) -> Vec<u8> {
    let names: Vec<String> = (0..n_tensors).map(|name| format!("{name:x}")).collect();
    let tensors = names.iter().map(|name| (name.as_str(), Shape::new(&[1]), &[1.0_f32][..]));
    let zeros = "0".repeat(64);
    let metadata = [("checkpoint", &*json.to_string()), ("sha256", &zeros), ("more", more)];
    sealed(nn::weights::encode(tensors, &metadata))
}

/// Whether the file is a checkpoint; reading it takes no more than twice its length and 128 KiB.
#[track_caller]
fn is_read_in_bounds(path: &Path, bytes: &[u8]) -> bool {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    let mut is_read = false;
    // The error is formatted, too, as the program does.
    let read = || Checkpoint::read(path).map_err(|error| format!("{error:#}")).is_ok();
    let peak = ALLOCATOR.peak_of(|| is_read = read());
    assert!(peak <= 2 * bytes.len() + (128 << 10), "{peak} bytes for a file of {}", bytes.len());
    is_read
}

/// One test, because the allocator counts what all threads hold.
#[test]
fn reading_takes_no_more_than_twice_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step-0000000007.safetensors");
    assert!(is_read_in_bounds(&path, &checkpoint(3, 1_000_000).encode()));
    assert!(is_read_in_bounds(&path, &checkpoint(10_000, 10).encode()));

    let json = serde_json::to_value(checkpoint(1, 0)).unwrap();
    let changed = |pointer: &str, to: Value| {
        let mut json = json.clone();
        *json.pointer_mut(pointer).unwrap() = to;
        json
    };
    let short = json!({
        "epoch": 1, "train_loss": "0", "train_loss_per_sample": "0", "test": {"loss": "0", "accuracy": "0"},
        "learning_rate": "0", "seconds": "0", "images_per_second": "0",
    });
    let mut short_epochs = changed("/state/history", vec![short; 40_000].into());
    short_epochs["state"]["epoch"] = 40_000.into();
    assert!(is_read_in_bounds(&path, &file(&short_epochs, 1, "")));

    let many_flags: Value = (0..200_000).map(|flag| (format!("{flag:x}"), json!(1))).collect();
    let mut unknown = json.clone();
    unknown["x".repeat(1_000_000)] = 1.into();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for (what, json) in [
        ("a long sum of the data", changed("/config/data", "\n".repeat(600_000).into())),
        ("a long number as text", changed("/state/sums/seconds", "1".repeat(1_000_000).into())),
        ("many flags", changed("/config/flags", many_flags)),
        ("a long flag", changed("/config/flags/seed", vec![0; 500_000].into())),
        ("an unknown entry", unknown),
        ("a deep history", changed("/state/history", deep)),
        ("a list of nothing", changed("/state/history", vec![0; 500_000].into())),
    ] {
        assert!(!is_read_in_bounds(&path, &file(&json, 1, "")), "{what}");
    }
    assert!(is_read_in_bounds(&path, &file(&json, 288, "")));
    assert!(!is_read_in_bounds(&path, &file(&json, 20_000, "")));
    assert!(is_read_in_bounds(&path, &file(&json, 1, &"\n".repeat(600_000))));
    let digits = file(&changed("/state/step", 7_654_321.into()), 1, "");
    assert!(!is_read_in_bounds(&path, &with_longer_header(&digits, b"7654321", &[b'7'; 1_000_000])));

    damaged_files_take_no_more_either(&path);
}

/// The file with `to` in place of `from` in its header.
fn with_longer_header(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = file.windows(from.len()).position(|window| window == from).expect("it is there");
    let mut longer = [&file[..at], to, &file[at + from.len()..]].concat();
    let header_len = u64::from_le_bytes(file[..8].try_into().unwrap()) + (to.len() - from.len()) as u64;
    longer[..8].copy_from_slice(&header_len.to_le_bytes());
    sealed(longer)
}

/// However a file is damaged, and its checksum corrected afterwards: an error or a checkpoint.
fn damaged_files_take_no_more_either(path: &Path) {
    let whole = checkpoint(2, 4).encode();
    let mut seed = 1_u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    // `MUTATIONS=100000 cargo test -p descent --test memory` for the long form.
    let n_files = count("MUTATIONS", 10_000);
    let mut n_read = 0;
    for _ in 0..n_files {
        let mut bytes = whole.clone();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] = b"0123456789[]{},:\"\\"[below(18)],
                1 => bytes[at] ^= 1 << below(8),
                _ => drop(bytes.drain(at..(at + below(20)).min(bytes.len()))),
            }
        }
        n_read += usize::from(is_read_in_bounds(path, &sealed(bytes)));
    }
    println!("{n_files} damaged checkpoints: {n_read} were read, the others an error");
    assert!((1..n_files * 4 / 5).contains(&n_read), "{n_read} of {n_files} were read");
}
