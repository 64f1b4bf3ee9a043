//! Tables from elsewhere: any bytes are a set of examples, or an error.
//!
//! An input is a byte that chooses the format, how it is read, and whether a right head stands before the bytes of a
//! NumPy file (else hardly any damage would get past it), then the bytes of the file.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use data::{Batch, Csv, Dataset, Loader, Records};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let read = if choice & 1 == 0 { csv(choice, bytes) } else { npy(choice, bytes) };
    let Ok(set) = read else { return };
    let n_classes = set.class_names().len();
    let mut loader = Loader::new(&set, 3);
    let mut n_seen = 0;
    let mut batch = Batch::new();
    while loader.next_into(&mut batch).expect("the labels were checked") {
        n_seen += batch.len();
        assert!(batch.labels().iter().all(|&label| (label as usize) < n_classes));
        for field in set.fields() {
            assert_eq!(batch.shape_of(&field.name)[0], batch.len());
        }
    }
    assert_eq!(n_seen, set.len());
});

fn csv(choice: u8, bytes: &[u8]) -> Result<Records, data::Error> {
    let mut csv = Csv::new();
    if choice & 2 != 0 {
        csv = csv.without_header();
    }
    if choice & 4 != 0 {
        csv = csv.label(0);
    }
    if choice & 8 != 0 {
        csv = csv.missing(0.0);
    }
    csv.read_from("table", bytes)
}

fn npy(choice: u8, bytes: &[u8]) -> Result<Records, data::Error> {
    let (descr, size) =
        [("<f4", 4), ("<f8", 8), ("<i4", 4), ("<i8", 8), ("|u1", 1)][usize::from(choice >> 4) % 5];
    let mut file = Vec::new();
    if choice & 2 != 0 {
        let shape = bytes.len() / size;
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape},), }}\n");
        file = [b"\x93NUMPY\x01\x00", (text.len() as u16).to_le_bytes().as_slice(), text.as_bytes()].concat();
    }
    file.extend_from_slice(bytes);
    let path = FOLDER.path().join("array");
    fs::write(&path, file).expect("room");
    Records::new().with_npy("x", path)
}
