//! The reader of CIFAR's binary files: any bytes are records with labels in range, or an error.
//!
//! An input is a byte that chooses the data set and whether to go by a file, then the bytes of the file. By a
//! file, what stands before the first zero byte is the file of class names.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use data::{Batch, Cifar, CifarKind, Dataset, Loader, Part};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let kind = [CifarKind::Cifar10, CifarKind::Cifar100Fine, CifarKind::Cifar100Coarse][choice as usize % 3];
    let read = if choice < 128 { Cifar::from_bytes(kind, bytes.to_vec()) } else { from_files(kind, bytes) };
    let Ok(images) = read else { return };
    let n_classes = images.class_names().len();
    assert!(images.len() > 0 && n_classes == kind.class_names().len());
    assert!((0..images.len()).all(|idx| (images.label(idx) as usize) < n_classes));
    let mut loader = Loader::new(&images, 3);
    let mut n_seen = 0;
    let mut batch = Batch::new();
    while loader.next_into(&mut batch).expect("the labels were checked") {
        n_seen += batch.len();
    }
    assert_eq!(n_seen, images.len());
});

fn from_files(kind: CifarKind, bytes: &[u8]) -> Result<Cifar, data::Error> {
    let end_of_names = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (names, records) = bytes.split_at(end_of_names);
    let names_file = match kind {
        CifarKind::Cifar10 => "batches.meta.txt",
        CifarKind::Cifar100Fine => "fine_label_names.txt",
        CifarKind::Cifar100Coarse => "coarse_label_names.txt",
    };
    fs::write(FOLDER.path().join(names_file), names).expect("room");
    fs::write(FOLDER.path().join(kind.files(Part::Test)[0]), records).expect("room");
    Cifar::open(FOLDER.path(), kind, Part::Test)
}
