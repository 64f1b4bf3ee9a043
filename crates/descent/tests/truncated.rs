//! A data file that becomes shorter while it is being read: the system's signal, in words and with an exit code.

#![cfg(unix)]

use std::env;
use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use data::{Cifar, CifarKind, Dataset, Part};

mod common;

const FOLDER: &str = "TRUNCATED_TEST_FOLDER";

/// Reads as the program does, and cuts the file behind the loader's check; without the variable there is
/// nothing to do.
#[test]
fn read_in_a_process_of_its_own() {
    let Ok(folder) = env::var(FOLDER) else { return };
    descent::signals::explain_truncated_maps();
    let images = Cifar::open(&folder, CifarKind::Cifar10, Part::Test).unwrap();
    images.check().unwrap();
    let path = Path::new(&folder).join("test_batch.bin");
    File::options().write(true).open(path).unwrap().set_len(3_073).unwrap();
    black_box(images.image(images.len() - 1).iter().map(|&byte| u64::from(byte)).sum::<u64>());
    panic!("what lies behind the end was read");
}

#[test]
fn a_file_cut_short_within_a_batch_ends_the_program_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::tiny_cifar(folder.path(), 20);
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "read_in_a_process_of_its_own", "--nocapture"])
        .env(FOLDER, data)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{stderr}");
    let last_words =
        "error: a data file became shorter while it was being read; restore it and start again\n";
    assert!(stderr.ends_with(last_words), "{stderr}");
}
