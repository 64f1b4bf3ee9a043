//! The reader of MNIST's files: any bytes are images with labels in range, or an error.
//!
//! An input is a byte that chooses whether the files are gzipped (1), with the right checksums, and whether right heads
//! stand before their bytes (2): else hardly any damage would get past them; then the number of bytes of the labels'
//! file, its bytes, and those of the images' file.

#![no_main]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use data::{Batch, Dataset, Loader, Part, read_idx};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static PLAIN: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));
static GZIPPED: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|input: &[u8]| {
    let [choice, n, bytes @ ..] = input else { return };
    let (labels, images) = bytes.split_at(bytes.len().min((*n).into()));
    let (labels, images) = match choice & 2 {
        0 => (labels.to_vec(), images.to_vec()),
        _ => with_heads(labels, images),
    };
    let dir = if choice & 1 == 0 { PLAIN.path() } else { GZIPPED.path() };
    write(dir, "train-labels-idx1-ubyte", &labels, choice & 1 != 0);
    write(dir, "train-images-idx3-ubyte", &images, choice & 1 != 0);
    let Ok(set) = read_idx(dir, Part::Train) else { return };
    let n_classes = set.class_names().len();
    assert!(set.len() > 0 && (0..set.len()).all(|idx| (set.label(idx) as usize) < n_classes));
    let mut loader = Loader::new(&set, 3);
    let mut n_seen = 0;
    let mut batch = Batch::new();
    while loader.next_into(&mut batch).expect("the labels were checked") {
        n_seen += batch.len();
    }
    assert_eq!(n_seen, set.len());
});

/// The files of as many images as there are labels, each with one row; bytes that make no whole row are left out.
fn with_heads(labels: &[u8], images: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (n, width) = (labels.len(), images.len().checked_div(labels.len()).unwrap_or(0));
    let file = |axes: &[usize], bytes: &[u8]| {
        let lengths = axes.iter().flat_map(|&axis| (axis as u32).to_be_bytes());
        [0, 0, 8, axes.len() as u8].into_iter().chain(lengths).chain(bytes.iter().copied()).collect()
    };
    (file(&[n], labels), file(&[n, 1, width], &images[..n * width]))
}

fn write(dir: &Path, name: &str, bytes: &[u8], is_gzipped: bool) {
    if !is_gzipped {
        return fs::write(dir.join(name), bytes).expect("room");
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("room");
    fs::write(dir.join(format!("{name}.gz")), encoder.finish().expect("room")).expect("room");
}
