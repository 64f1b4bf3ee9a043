//! Fifty steps of the network with dropout, shuffling and augmentation have the same bits on any number of
//! threads, and from run to run.

mod common;

use std::fs;
use std::path::Path;

use common::{Outcome, tiny_cifar, train};
use tempfile::TempDir;

/// Batches of 17 images: three groups, so that there is work to share.
const FLAGS: &[&str] = &["--batch-size", "17", "--epochs", "2", "--augment"];

fn outcome(folder: &Path, out: &str, optimizer: &[&str], threads: &str) -> Outcome {
    train(folder, out, &[FLAGS, optimizer, &["--threads", threads]].concat());
    let outcome = Outcome::of(&folder.join(out));
    assert!(outcome.checkpoint.state.step >= 50);
    fs::remove_dir_all(folder.join(out)).unwrap();
    outcome
}

#[test]
fn three_optimizers_on_one_to_sixteen_threads() {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 90);
    for optimizer in common::OPTIMIZERS {
        let once = outcome(folder.path(), "out", optimizer, "1");
        for threads in ["2", "3", "4", "16"] {
            let again = outcome(folder.path(), "out", optimizer, threads);
            again.assert_same_bits(&once, &format!("{optimizer:?} on {threads} threads"));
        }
    }
}
