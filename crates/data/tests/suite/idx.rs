//! MNIST's files: what is read, gzipped or not, and what is refused.

use std::fs;
use std::io::Write;
use std::path::Path;

use data::{Dataset, ImageShape, Part, holds_idx, read_idx};
use flate2::{Compression, write::GzEncoder};

/// A file of bytes with these axes.
fn idx(axes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let lengths = axes.iter().flat_map(|axis| axis.to_be_bytes());
    [0, 0, 8, axes.len() as u8].into_iter().chain(lengths).chain(bytes.iter().copied()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three images of 2 × 3.
fn write(dir: &Path, labels: &[u8]) {
    let pixels: Vec<u8> = (0..18).collect();
    fs::write(dir.join("train-images-idx3-ubyte"), idx(&[3, 2, 3], &pixels)).unwrap();
    fs::write(dir.join("train-labels-idx1-ubyte"), idx(&[labels.len() as u32], labels)).unwrap();
}

fn complaint(dir: &Path) -> String {
    read_idx(dir, Part::Train).unwrap_err().to_string()
}

#[test]
fn images_and_labels_are_read_plain_and_gzipped_under_either_name() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!holds_idx(&dir));
    write(dir.path(), &[7, 0, 2]);
    let plain = read_idx(&dir, Part::Train).unwrap();
    assert_eq!(plain.image_shape(), ImageShape { height: 2, width: 3, channels: 1 });
    assert_eq!((plain.len(), plain.label(0), plain.image(2)), (3, 7, &[12, 13, 14, 15, 16, 17][..]));
    assert_eq!((plain.class_names().len(), plain.class_names()[7].as_str()), (10, "7"));
    let zipped = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"),
        ("train-labels-idx1-ubyte", "t10k-labels.idx1-ubyte.gz"),
    ] {
        fs::write(zipped.path().join(to), gzip(&fs::read(dir.path().join(from)).unwrap())).unwrap();
    }
    assert_eq!(read_idx(&zipped, Part::Test).unwrap(), plain);
    assert!(holds_idx(&dir) && !holds_idx(&zipped));
}

#[test]
fn the_classes_are_those_of_a_file_or_of_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("FashionMNIST/raw");
    fs::create_dir_all(&dir).unwrap();
    write(&dir, &[9, 0, 0]);
    assert_eq!(read_idx(&dir, Part::Train).unwrap().class_names()[9], "Ankle boot");
    fs::write(dir.join("class_names.txt"), "up\ndown\n").unwrap();
    assert!(complaint(&dir).ends_with("label 0 is 9, out of range for 2 classes"), "{}", complaint(&dir));
    write(&dir, &[1, 0, 0]);
    assert_eq!(read_idx(&dir, Part::Train).unwrap().class_names(), ["up", "down"]);
    // A byte order mark and empty lines are no names.
    fs::write(dir.join("class_names.txt"), "\u{feff}up\r\n\r\ndown\r\n\r\n").unwrap();
    assert_eq!(read_idx(&dir, Part::Train).unwrap().class_names(), ["up", "down"]);
    fs::write(dir.join("class_names.txt"), "up\n".repeat(1 << 15)).unwrap();
    assert!(complaint(&dir).contains("at most 65536 bytes of class names"), "{}", complaint(&dir));
    fs::write(dir.join("class_names.txt"), "up\nup\n").unwrap();
    assert!(complaint(&dir).ends_with("two classes are named \"up\""), "{}", complaint(&dir));
    fs::write(dir.join("class_names.txt"), "up\n\u{1b}[2J\n").unwrap();
    assert!(complaint(&dir).contains("control character"), "{}", complaint(&dir));
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(complaint(dir.path()).contains("train-images-idx3-ubyte: there is no such file, gzipped or not"));
    write(dir.path(), &[1, 2]);
    assert!(complaint(dir.path()).contains("2 labels for 3 images of 2 × 3"));
    write(dir.path(), &[1, 2, 3]);
    let images = dir.path().join("train-images-idx3-ubyte");
    let whole = fs::read(&images).unwrap();
    for (bytes, expected) in [
        (&whole[..30], "its axes are [3, 2, 3], but it holds 14 bytes"),
        (&whole[..10], "it ends inside its header of 16 bytes, after 10 bytes"),
        (&whole[..3], "expected the first bytes [0, 0, 8, 3], found [0, 0, 8]"),
        (b"", "expected the first bytes [0, 0, 8, 3], found []"),
        (b"\0\0\x0d\x03", "expected the first bytes [0, 0, 8, 3], found [0, 0, 13, 3]"),
        (&idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "but it holds 0 bytes"),
        (&idx(&[0, 2, 3], &[]), "3 labels for 0 images"),
    ] {
        fs::write(&images, bytes).unwrap();
        assert!(complaint(dir.path()).contains(expected), "{expected}: {}", complaint(dir.path()));
    }
    fs::remove_file(&images).unwrap();
    fs::write(dir.path().join("train-images-idx3-ubyte.gz"), &gzip(&whole)[..25]).unwrap();
    assert!(complaint(dir.path()).contains("train-images-idx3-ubyte.gz: "), "{}", complaint(dir.path()));
}
