//! Pictures from elsewhere: any bytes are an image of the shape asked for, or an error.
//!
//! An input is a byte that chooses the shape, then the bytes of the file.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use data::{ImageShape, read_image};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let side = |bits: u8| [1, 2, 7, 32][usize::from(bits & 3)];
    let channels = if choice & 16 == 0 { 3 } else { 1 };
    let shape = ImageShape { height: side(choice), width: side(choice >> 2), channels };
    let path = FOLDER.path().join("picture");
    fs::write(&path, bytes).expect("room");
    if let Ok(image) = read_image(&path, shape) {
        assert_eq!(image.len(), shape.len());
    }
});
