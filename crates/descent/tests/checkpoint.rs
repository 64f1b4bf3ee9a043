//! The checkpoint file: it reads back as written, and any other contents are an error.

mod common;

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use classifier::Score;
use common::sealed;
use descent::checkpoint::{Checkpoint, Config, State};
use descent::cli::{Cli, Command};
use descent::history::Epoch;
use tempfile::TempDir;

/// A checkpoint with numbers that are hard to serialise.
fn checkpoint() -> Checkpoint {
    let Command::Train(args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
    let score = Score { loss: f64::INFINITY, accuracy: 0.1 + 0.2 };
    let epoch = Epoch {
        epoch: 1,
        train_loss: 1.0 / 3.0,
        train_loss_per_sample: f64::MIN_POSITIVE / 3.0,
        validation: Some(score),
        test: Some(score),
        train_accuracy: Some(0.1 + 0.2),
        learning_rate: 5e-324,
        seconds: f64::MAX,
        images_per_second: -0.0,
    };
    let state =
        State { step: 7, epoch: 1, batch: 2, history: vec![epoch], trace: u64::MAX, ..State::default() };
    let stopper =
        optim::Progress { n_epochs: 1, best_metric: f64::NEG_INFINITY, best_epoch: Some(0), n_bad: 0 };
    let mut checkpoint = Checkpoint::new(Config::without_images(&args.settings), state, stopper);
    checkpoint.tensors.add("model", "0.weight", &[1.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY]);
    checkpoint.tensors.add("optimizer", "0.weight.exp_avg", &[0.1; 4]);
    checkpoint
}

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("step-0000000007.safetensors");
    (folder, path)
}

fn read(path: &PathBuf, bytes: &[u8]) -> anyhow::Result<Checkpoint> {
    // A new file each time: on some file systems overwriting waits for the disk.
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    Checkpoint::read(path)
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let (_folder, path) = place();
    let bytes = checkpoint().encode();
    let read = read(&path, &bytes).unwrap();
    assert_eq!(read, checkpoint());
    assert!(read.encode() == bytes, "zeros have signs, too");
    assert_eq!(checkpoint().encode(), bytes, "the same run makes the same file");
}

/// As many as a perceptron of sixteen tiny hidden layers can have, with every average.
#[test]
fn many_small_tensors_are_read_back() {
    let (_folder, path) = place();
    let mut many = checkpoint();
    for name in 0..272 {
        many.tensors.add("model", &format!("{name}.bias"), &[1.0]);
    }
    assert_eq!(read(&path, &many.encode()).unwrap(), many);
}

#[test]
fn the_checksum_is_that_of_the_file_with_zeros_in_its_place() {
    let bytes = checkpoint().encode();
    let key = b"\"sha256\":\"";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let mut zeroed = bytes.clone();
    zeroed[at..at + 64].fill(b'0');
    assert!(zeroed != bytes && sealed(zeroed) == bytes);
}

#[test]
fn every_flipped_bit_and_every_truncation_is_found() {
    let (_folder, path) = place();
    let bytes = checkpoint().encode();
    // Each byte once, a different bit each time; a change in the header may also make it unreadable.
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let error = read(&path, &damaged).unwrap_err().to_string();
        assert!(error.contains("step-0000000007.safetensors"), "byte {at}: {error}");
        assert!(read(&path, &bytes[..at]).is_err(), "cut to {at} bytes");
    }
    assert!(read(&path, &[&bytes[..], b"x"].concat()).is_err(), "one byte more");
}

#[test]
fn inconsistent_counters_are_refused() {
    let (_folder, path) = place();
    let refused = |change: &dyn Fn(&mut Checkpoint)| {
        let mut wrong = checkpoint();
        change(&mut wrong);
        let error = read(&path, &wrong.encode()).unwrap_err();
        assert!(format!("{error:#}").contains("its counters are inconsistent"), "{error:#}");
    };
    refused(&|wrong| wrong.state.epoch = 3);
    refused(&|wrong| wrong.state.step = u64::MAX);
    refused(&|wrong| wrong.state.batch = 8);
    refused(&|wrong| wrong.n_updates = 8);
    refused(&|wrong| wrong.stopper.best_epoch = Some(u64::MAX));
    refused(&|wrong| wrong.stopper.n_epochs = 2);
}

#[test]
fn a_checkpoint_from_before_instruction_sets_were_noted_is_read() {
    let mut json = serde_json::to_value(checkpoint()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("instruction_set").unwrap().is_string());
    let read: Checkpoint = serde_json::from_str(&json.to_string()).unwrap();
    assert_eq!((read.instruction_set.as_deref(), read.other_instruction_set()), (None, None));
}

#[test]
fn a_model_is_not_a_checkpoint() {
    let (_folder, path) = place();
    let (_, params) = nn::build(nn::Linear::new(3, 2), 0);
    nn::weights::save(&path, &params, &[]).unwrap();
    let error = format!("{:#}", Checkpoint::read(&path).unwrap_err());
    assert!(error.contains("it has no checksum, so it is not a checkpoint"), "{error}");
}
