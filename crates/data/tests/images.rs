//! Pictures from files, sound and broken.

use std::fs;
use std::path::{Path, PathBuf};

use data::{Dataset, Error, ImageShape, InMemory, read_image};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
    ImageShape { height, width, channels }
}

/// A picture whose red grows to the right, whose green grows downwards, and whose blue is 7.
fn gradient(height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]))
}

fn saved(picture: impl Into<DynamicImage>, path: PathBuf) -> PathBuf {
    picture.into().save(&path).unwrap();
    path
}

#[test]
fn a_png_of_the_right_size_is_read_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(gradient(5, 4), dir.path().join("a.png"));
    let bytes = read_image(path, shape(5, 4, 3)).unwrap();
    assert!(bytes[..20].iter().enumerate().all(|(i, &red)| usize::from(red) == i % 4));
    assert!(bytes[20..40].iter().enumerate().all(|(i, &green)| usize::from(green) == i / 4));
    assert_eq!(bytes[40..], [7; 20]);
}

#[test]
fn the_format_is_what_the_bytes_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in truth a jpeg.png");
    gradient(64, 64).save_with_format(&path, ImageFormat::Jpeg).unwrap();
    let bytes = read_image(path, ImageShape::CIFAR).unwrap();
    // Each pixel is the mean of a 2 × 2 block, or near it: a triangle filter, and a lossy format.
    let off = |i: usize, expected: usize| usize::from(bytes[i]).abs_diff(expected);
    assert!((1..31).all(|x| off(16 * 32 + x, 2 * x) <= 6 && off(1024 + x * 32 + 16, 2 * x) <= 6));
}

#[test]
fn the_centre_of_a_wide_picture_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (wide, tall) = (gradient(20, 60), gradient(60, 20));
    let wide = read_image(saved(wide, dir.path().join("wide.png")), shape(20, 20, 3)).unwrap();
    assert_eq!((wide[0], wide[19], wide[400]), (20, 39, 0));
    let tall = read_image(saved(tall, dir.path().join("tall.png")), shape(20, 20, 3)).unwrap();
    assert_eq!((tall[0], tall[400], tall[799]), (0, 20, 39));
}

#[test]
fn what_is_transparent_becomes_white() {
    let dir = tempfile::tempdir().unwrap();
    let mut picture = RgbaImage::from_pixel(3, 1, Rgba([10, 20, 30, 0]));
    picture.put_pixel(1, 0, Rgba([10, 20, 30, 255]));
    picture.put_pixel(2, 0, Rgba([0, 0, 0, 51]));
    let bytes = read_image(saved(picture, dir.path().join("a.png")), shape(1, 3, 3)).unwrap();
    assert_eq!(bytes, [255, 10, 204, 255, 20, 204, 255, 30, 204]);
}

#[test]
fn one_channel_is_the_luma() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(RgbImage::from_pixel(2, 2, Rgb([100, 100, 100])), dir.path().join("a.png"));
    assert_eq!(read_image(path, shape(2, 2, 1)).unwrap(), [100; 4]);
}

#[test]
fn a_jpeg_is_turned_as_its_exif_entry_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jpg");
    gradient(40, 80).save(&path).unwrap();
    // APP1 with a TIFF header (big-endian) and one entry: orientation (0x0112), a short, 6: turn clockwise.
    let exif =
        [b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0" as &[u8]].concat();
    let jpeg = fs::read(&path).unwrap();
    let app1 = [&[0xff, 0xe1, 0, exif.len() as u8 + 2], &exif[..]].concat();
    fs::write(&path, [&jpeg[..2], &app1, &jpeg[2..]].concat()).unwrap();
    let bytes = read_image(&path, shape(80, 40, 3)).unwrap();
    // Red, which grew to the right, now grows downwards.
    let red = |y: usize| usize::from(bytes[y * 40 + 20]);
    assert!((0..80).all(|y| red(y).abs_diff(y) <= 6), "{:?}", (red(0), red(40), red(79)));
}

#[test]
fn the_smallest_and_the_longest_pictures_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (height, width) in [(1, 1), (1, 9_000), (9_000, 1)] {
        let path = saved(RgbImage::from_pixel(width, height, Rgb([9, 8, 7])), dir.path().join("a.png"));
        let bytes = read_image(path, ImageShape::CIFAR).unwrap();
        assert_eq!((bytes[0], bytes[1024], bytes[3071]), (9, 8, 7));
    }
}

/// The bytes of a PNG that says it has so many pixels, and has none.
fn boasting_png(width: u32, height: u32) -> Vec<u8> {
    let mut picture = Vec::new();
    gradient(1, 1).write_to(&mut std::io::Cursor::new(&mut picture), ImageFormat::Png).unwrap();
    let mut header = picture[12..29].to_vec();
    header[4..8].copy_from_slice(&width.to_be_bytes());
    header[8..12].copy_from_slice(&height.to_be_bytes());
    picture[12..29].copy_from_slice(&header);
    picture[29..33].copy_from_slice(&crc32(&header).to_be_bytes());
    picture
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// The bytes of a JPEG that says it has so many pixels, and has 64.
fn boasting_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut picture = Vec::new();
    gradient(8, 8).write_to(&mut std::io::Cursor::new(&mut picture), ImageFormat::Jpeg).unwrap();
    let frame = picture.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    picture[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    picture[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    picture
}

#[test]
fn a_small_file_that_claims_a_huge_picture_is_refused_before_it_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    let complaint = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = read_image(&path, ImageShape::CIFAR).unwrap_err();
        assert!(matches!(error, Error::Image { .. }), "{error}");
        error.to_string().strip_prefix(path.to_str().unwrap()).expect("the file's name").to_owned()
    };
    let row = ": decoding it takes more than 201326592 bytes, which is the limit";
    assert_eq!(complaint(&boasting_png(2_000_000_000, 1)), row);
    for (width, height) in [(40_000, 1), (1, 40_000)] {
        let expected = format!(": it claims {width} × {height} pixels, expected at most 32768 a side");
        assert_eq!(complaint(&boasting_png(width, height)), expected);
    }
    let too_many =
        ": it claims 30000 × 30000 pixels, which take 2700000000 bytes, expected at most 201326592";
    assert_eq!(complaint(&boasting_png(30_000, 30_000)), too_many);
    assert_eq!(complaint(&boasting_jpeg(30_000, 30_000)), too_many);
    // Within these limits, but more than so few bytes can stand for.
    let (png, jpeg) = (boasting_png(8_192, 8_192), boasting_jpeg(8_192, 8_192));
    for (bytes, pixels_per_byte) in [(png, 8_256), (jpeg, 1_024)] {
        let hold = bytes.len() * pixels_per_byte;
        let expected =
            format!(": it claims 8192 × 8192 pixels in {} bytes, which hold at most {hold}", bytes.len());
        assert_eq!(complaint(&bytes), expected);
    }
}

#[test]
fn the_most_that_few_bytes_can_hold_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let black = DynamicImage::ImageLuma8(image::GrayImage::new(4_000, 4_000));
        black.save_with_format(&path, format).unwrap();
        assert_eq!(read_image(&path, shape(1, 1, 1)).unwrap(), [0]);
    }
}

#[test]
fn what_is_no_picture_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    let complaint = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        read_image(&path, ImageShape::CIFAR).unwrap_err().to_string()
    };
    for bytes in [b"" as &[u8], b"\x89PN", b"<!DOCTYPE html>", b"GIF89a\x01\0\x01\0\0\0\0;"] {
        let message = complaint(bytes);
        assert!(
            message.ends_with("a.png: expected a PNG or JPEG picture, found something else"),
            "{message}"
        );
    }
    assert!(matches!(read_image(dir.path(), ImageShape::CIFAR), Err(Error::NotAFile { .. })));
    assert!(matches!(read_image(dir.path().join("none"), ImageShape::CIFAR), Err(Error::Io { .. })));
}

#[test]
fn a_jpeg_that_is_cut_short_is_refused_at_any_length() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(gradient(40, 50), dir.path().join("a.jpg"));
    let whole = fs::read(&path).unwrap();
    for len in 3..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let error = read_image(&path, ImageShape::CIFAR).unwrap_err().to_string();
        assert!(
            error.ends_with("a.jpg: the JPEG is cut short: it ends before its end-of-image marker"),
            "{error}"
        );
    }
    // What some cameras append is none of the picture, though it look like the start of a scan.
    fs::write(&path, [&whole[..], &[0xff, 0xda, 0, 12]].concat()).unwrap();
    assert!(read_image(&path, ImageShape::CIFAR).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A broken picture is an error or a picture, never a panic.
    #[test]
    fn broken_pictures_do_no_harm(jpeg: bool, cut in 0.0..=1.0_f64, broken_at in 0.0..1.0_f64, byte: u8) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut bytes = Vec::new();
        let format = if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
        gradient(40, 50).write_to(&mut std::io::Cursor::new(&mut bytes), format).unwrap();
        let at = (bytes.len() as f64 * broken_at) as usize;
        bytes[at] = byte;
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        fs::write(&path, &bytes).unwrap();
        match read_image(&path, ImageShape::CIFAR) {
            Ok(image) => prop_assert_eq!(image.len(), 3072),
            Err(error) => prop_assert!(error.to_string().starts_with(path.to_str().unwrap())),
        }
    }
}

fn picture_in(dir: &Path, class: &str, name: &str, red: u8) {
    fs::create_dir_all(dir.join(class)).unwrap();
    saved(RgbImage::from_pixel(2, 2, Rgb([red, 0, 0])), dir.join(class).join(name));
}

#[test]
fn a_folder_of_pictures_is_a_data_set() {
    let dir = tempfile::tempdir().unwrap();
    picture_in(dir.path(), "b", "2.png", 3);
    picture_in(dir.path(), "b", "10.PNG", 2);
    picture_in(dir.path(), "a", "x.png", 1);
    picture_in(dir.path(), ".hidden", "x.png", 9);
    fs::write(dir.path().join("a/readme.txt"), "no picture").unwrap();
    fs::write(dir.path().join("readme.txt"), "no class").unwrap();
    let set = InMemory::from_folder(&dir, shape(1, 1, 3)).unwrap();
    assert_eq!(set.class_names(), ["a", "b"]);
    let images: Vec<_> = (0..set.len()).map(|idx| (set.label(idx), set.image(idx).to_vec())).collect();
    assert_eq!(images, [(0, vec![1, 0, 0]), (1, vec![2, 0, 0]), (1, vec![3, 0, 0])]);
}

#[test]
fn a_folder_that_lacks_something_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let complaint = || InMemory::from_folder(&dir, shape(1, 1, 3)).unwrap_err().to_string();
    assert!(complaint().contains("expected one folder of pictures for each class"));
    picture_in(dir.path(), "a", "x.png", 1);
    fs::create_dir(dir.path().join("b")).unwrap();
    assert!(complaint().contains("b: expected pictures (.png, .jpg, .jpeg), found none"));
    fs::write(dir.path().join("b/broken.jpg"), "no picture").unwrap();
    assert!(complaint().contains("broken.jpg: expected a PNG or JPEG picture"));
    let nowhere = dir.path().join("none");
    let error = InMemory::from_folder(&nowhere, shape(1, 1, 3)).unwrap_err();
    assert!(matches!(error, Error::Io { path, .. } if path == nowhere));
}
