//! Small data sets for the tests.

use std::path::Path;

use data::{CifarKind, Part};

/// Writes a data set of `n_records` a file, whose images count up and whose labels are all allowed.
pub(crate) fn write_cifar(dir: &Path, kind: CifarKind, n_records: usize) {
    for part in [Part::Train, Part::Test] {
        for name in kind.files(part) {
            std::fs::write(dir.join(name), cifar_records(kind, n_records)).unwrap();
        }
    }
}

/// Records whose images count up: record r has the bytes r, r + 1, …; the coarse label is r % 20.
pub(crate) fn cifar_records(kind: CifarKind, n_records: usize) -> Vec<u8> {
    let labels = |record: usize| match kind {
        CifarKind::Cifar10 => vec![(record % 10) as u8],
        _ => vec![(record % 20) as u8, (record % 100) as u8],
    };
    (0..n_records).flat_map(|r| labels(r).into_iter().chain((0..3072).map(move |i| (r + i) as u8))).collect()
}
