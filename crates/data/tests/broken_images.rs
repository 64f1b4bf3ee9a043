//! Images from files that are broken, cut short, no images at all, or more than anyone should decode.

mod encode;

use std::fs;
use std::time::Instant;

use data::{Error, ImageShape, read_image};
use encode::{Layout, Png, gradient, header, jpeg, read, rgb_png, scan_header, shape};
use png::{BitDepth, ColorType};
use proptest::prelude::*;

/// The bytes of a PNG that claims this size and has one pixel.
fn boasting_png(width: u32, height: u32) -> Vec<u8> {
    let mut png = rgb_png(1, 1, gradient);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// The bytes of a JPEG that claims this size and has empty scans.
fn boasting_jpeg(width: u16, height: u16, layout: Layout, n_components: usize, n_scans: usize) -> Vec<u8> {
    let mut jpeg = header(height.into(), width.into(), layout, n_components);
    let components: Vec<usize> = (0..n_components).collect();
    scan_header(&mut jpeg, &components, 0, if layout == Layout::Baseline { 63 } else { 0 });
    (1..n_scans).for_each(|_| scan_header(&mut jpeg, &[0], 1, 63));
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

#[test]
fn what_claims_more_than_the_limits_is_refused_before_it_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let complaint = |bytes: &[u8]| {
        let start = Instant::now();
        let error = read(dir.path(), bytes, ImageShape::CIFAR).unwrap_err();
        assert!(matches!(error, Error::Image { .. }), "{error}");
        assert!(start.elapsed().as_secs() < 5, "{error}: after {:?}", start.elapsed());
        let path = dir.path().join("image");
        error.to_string().strip_prefix(path.to_str().unwrap()).expect("the file's name").to_owned()
    };
    let sequential = |width, height| boasting_jpeg(width, height, Layout::Baseline, 3, 1);
    let jpegs = [sequential(40_000, 1), sequential(1, 40_000)];
    let pngs = [boasting_png(40_000, 1), boasting_png(1, 40_000)];
    for bytes in jpegs.iter().chain(&pngs) {
        let message = complaint(bytes);
        assert!(message.ends_with("pixels, expected at most 32768 per side"), "{message}");
    }
    assert_eq!(
        complaint(&boasting_png(2_000_000_000, 1_000_000_000)),
        ": it claims 2000000000 × 1000000000 pixels, expected at most 32768 per side"
    );
    let too_many = |file_len: usize| {
        let n_bytes = 2_700_000_000 + file_len;
        format!(
            ": it claims 30000 × 30000 pixels, which take {n_bytes} bytes to decode, expected at most 268435456"
        )
    };
    assert_eq!(complaint(&boasting_png(30_000, 30_000)), too_many(0));
    assert_eq!(complaint(&sequential(30_000, 30_000)), too_many(sequential(30_000, 30_000).len()));
    // The EXIF block of a PNG is held beside its pixels.
    let mut png = boasting_png(9_459, 9_459);
    let exif = [&b"eXIf"[..], &[0; 12_000]].concat();
    let len = 12_000_u32.to_be_bytes();
    png.splice(33..33, [&len[..], &exif[..], &crc32(&exif).to_be_bytes()[..]].concat());
    assert_eq!(
        complaint(&png),
        ": it claims 9459 × 9459 pixels, which take 268442043 bytes to decode, expected at most 268435456"
    );
    // The planes of a lossy WebP and of its transparency are held beside the result.
    let side = 5_499_u32.to_le_bytes();
    let chunk = |name: &[u8; 4], bytes: &[u8]| {
        let len = (bytes.len() as u32).to_le_bytes();
        [&name[..], &len[..], bytes].concat()
    };
    let head = [&[0x10, 0, 0, 0][..], &side[..3], &side[..3]].concat();
    let chunks = [chunk(b"VP8X", &head), chunk(b"ALPH", &[0; 2]), chunk(b"VP8 ", &[0; 10])].concat();
    assert_eq!(
        complaint(&chunk(b"RIFF", &[&b"WEBP"[..], &chunks[..]].concat())),
        ": it claims 5500 × 5500 pixels, which take 332750058 bytes to decode, expected at most 268435456"
    );
    // Nor is there room for a frame that is larger than the image.
    let frame = [0_u8, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f];
    let chunks = [chunk(b"VP8X", &[0; 10]), chunk(b"VP8 ", &frame)].concat();
    assert_eq!(
        complaint(&chunk(b"RIFF", &[&b"WEBP"[..], &chunks[..]].concat())),
        ": the WebP is broken: a frame is larger than the image"
    );
    // Within these limits, but more than so few bytes can stand for.
    for (bytes, pixels_per_byte) in [(boasting_png(8_192, 8_192), 8_256), (sequential(8_192, 8_192), 1_024)] {
        let hold = bytes.len() * pixels_per_byte;
        let expected =
            format!(": it claims 8192 × 8192 pixels in {} bytes, which hold at most {hold}", bytes.len());
        assert_eq!(complaint(&bytes), expected);
    }
}

/// A progressive JPEG takes memory for its coefficients, and time for each scan over them.
#[test]
fn the_coefficients_and_the_scans_of_a_jpeg_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let complaint = |side: u16, n_scans| {
        let mut jpeg = boasting_jpeg(side, side, Layout::Progressive, 1, n_scans);
        // So long that it might hold so many pixels.
        let comment = [0xff, 0xfe, 0xff, 0xff].into_iter().chain([0; 0xffff - 2]).collect::<Vec<u8>>();
        let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc4]).unwrap();
        jpeg.splice(at..at, comment.repeat(3));
        (read(dir.path(), &jpeg, ImageShape::CIFAR).unwrap_err().to_string(), jpeg.len())
    };
    let (message, file_len) = complaint(14_000, 98);
    let n_bytes = 3 * 14_000 * 14_000 + file_len;
    let expected = format!("pixels, which take {n_bytes} bytes to decode, expected at most 268435456");
    assert!(message.ends_with(&expected), "{message}");
    let (message, _) = complaint(8_000, 17);
    let expected = "it has 17 scans of 8000 × 8000 pixels, expected at most 1073741824 in all";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn the_most_that_few_bytes_can_hold_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let png = Png { depth: BitDepth::One, ..Png::new(4_000, 4_000, ColorType::Grayscale) };
    for bytes in [png.encode(&[0; 4_000 * 500]), jpeg(4_000, 4_000, Layout::Baseline, |_, _| [0])] {
        assert_eq!(read(dir.path(), &bytes, shape(1, 1, 1)).unwrap(), [0]);
    }
}

/// The library of PNG panics at it (image-png, issue 694): the palette is no list of colours.
const BROKEN_PALETTE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x04\0\0\0\x04\x08\x03\0\0\0\x9e\x2f\x6e\x4c\
    \0\0\0\x08PLTE\x80\0\0\0\0\0\0\0\xec\x3d\xf2\xeb\0\0\0\x0cIDAT\x78\x9c\x63\x60\xa0\x3d\0\0\0\x64\0\x01\x86\x64\
    \x3c\x35\0\0\0\0IEND\xae\x42\x60\x82";

#[test]
fn a_palette_that_is_no_list_of_colours_is_an_error() {
    assert_eq!(BROKEN_PALETTE.len(), 89);
    let dir = tempfile::tempdir().unwrap();
    let message = read(dir.path(), BROKEN_PALETTE, ImageShape::CIFAR).unwrap_err().to_string();
    assert!(message.ends_with("image: the length of its palette is not a multiple of three"), "{message}");
}

#[test]
fn what_is_no_image_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    let complaint = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        read_image(&path, ImageShape::CIFAR).unwrap_err().to_string()
    };
    for bytes in [b"" as &[u8], b"\x89PN", b"<!DOCTYPE html>", b"GIF99a\x01\0\x01\0\0\0\0;"] {
        let message = complaint(bytes);
        assert!(
            message.ends_with("a.png: expected a PNG, JPEG, WebP, BMP or GIF image, found something else"),
            "{message}"
        );
    }
    assert!(matches!(read_image(dir.path(), ImageShape::CIFAR), Err(Error::NotAFile { .. })));
    assert!(matches!(read_image(dir.path().join("none"), ImageShape::CIFAR), Err(Error::Io { .. })));
}

#[test]
fn a_jpeg_that_is_cut_short_is_refused_at_any_length() {
    let dir = tempfile::tempdir().unwrap();
    for layout in [Layout::Baseline, Layout::Progressive] {
        let whole = jpeg(40, 50, layout, gradient);
        for len in 3..whole.len() {
            let message = read(dir.path(), &whole[..len], ImageShape::CIFAR).unwrap_err().to_string();
            let expected = "the JPEG is truncated: it ends before its end-of-image marker";
            assert!(message.ends_with(expected), "{message}");
        }
        // What some cameras append is not part of the image, even where it looks like the start of a scan.
        let appended = [&whole[..], &[0xff, 0xda, 0, 12]].concat();
        assert!(read(dir.path(), &appended, ImageShape::CIFAR).is_ok());
    }
}

/// With the marker put back, too: the decoder would make the rest grey.
#[test]
fn a_jpeg_that_ends_within_its_scan_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let color = |x: usize, y: usize| [(x * 5 % 256) as u8, (y * 3 % 256) as u8, (x * y % 256) as u8];
    let whole = jpeg(160, 160, Layout::Baseline, color);
    assert!(read(dir.path(), &whole, ImageShape::CIFAR).is_ok());
    let scan = whole.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap() + 14;
    for len in (scan..whole.len() - 4).step_by(61).chain([whole.len() - 4]) {
        let patched = [&whole[..len], &[0xff, 0xd9]].concat();
        assert!(read(dir.path(), &patched, ImageShape::CIFAR).is_err(), "{len} of {}", whole.len());
        // Nor does what comes after the image stand in for the rest.
        let extended = [&patched[..], &[0; 5_000]].concat();
        assert!(read(dir.path(), &extended, ImageShape::CIFAR).is_err(), "{len} of {}", whole.len());
    }
}

/// The decoder would read them without an error, and give other colours.
#[test]
fn a_jpeg_that_the_decoder_reads_wrongly_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut more_chroma = jpeg(16, 16, Layout::Baseline, gradient);
    let frame = more_chroma.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    more_chroma[frame + 14] = 0x22;
    let cmyk = jpeg(16, 16, Layout::Baseline, |_, _| [1, 2, 3, 4]);
    for (bytes, expected) in [
        (
            jpeg(16, 16, Layout::Separate, gradient),
            "is not progressive and has its components in separate scans",
        ),
        (more_chroma, "with more samples of its colours than of its brightness"),
        (cmyk, "in CMYK without Adobe's marker"),
    ] {
        let message = read(dir.path(), &bytes, ImageShape::CIFAR).unwrap_err().to_string();
        assert!(message.contains(expected) && message.ends_with("or as PNG"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A broken image is an error or an image, never a panic; in a PNG with its checksum put right, so that the
    /// damage goes further than the checksum.
    #[test]
    fn broken_images_do_no_harm(kind in 0..4_usize, cut in 0.5..=1.5_f64, broken_at in 0.0..1.0_f64, byte: u8) {
        let dir = tempfile::tempdir().unwrap();
        let palette = Png { palette: &[1, 2, 3, 4, 5, 6], transparent: &[9], ..Png::new(40, 50, ColorType::Indexed) };
        let mut bytes = match kind {
            0 => jpeg(40, 50, Layout::Baseline, gradient),
            1 => jpeg(40, 50, Layout::Progressive, gradient),
            2 => rgb_png(40, 50, gradient),
            _ => palette.encode(&[1; 2_000]),
        };
        let at = (bytes.len() as f64 * broken_at) as usize;
        bytes[at] = byte;
        if kind >= 2 {
            put_checksums_right(&mut bytes);
        }
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        match read(dir.path(), &bytes, ImageShape::CIFAR) {
            Ok(image) => prop_assert_eq!(image.len(), 3072),
            Err(error) => prop_assert!(error.to_string().starts_with(dir.path().to_str().unwrap())),
        }
    }
}

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
