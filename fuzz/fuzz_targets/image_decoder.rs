//! Images from elsewhere: any bytes are an image of the shape asked for, or an error.
//!
//! An input is a byte that chooses the shape, and whether the checksums of a PNG are put right before it is read (else
//! hardly any damage would get past them), then the bytes of the file.

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
    let path = FOLDER.path().join("image");
    let mut bytes = bytes.to_vec();
    if choice & 32 != 0 {
        put_checksums_right(&mut bytes);
    }
    fs::write(&path, bytes).expect("room");
    if let Ok(image) = read_image(&path, shape) {
        assert_eq!(image.len(), shape.len());
    }
});

fn put_checksums_right(png: &mut [u8]) {
    let mut at = 8;
    while let Some(len) = png.get(at..).and_then(|rest| rest.first_chunk()) {
        let end = at + 8 + u32::from_be_bytes(*len) as usize;
        let Some(crc) = png.get(at + 4..end).map(crc32) else { return };
        let Some(place) = png.get_mut(end..end + 4) else { return };
        place.copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
