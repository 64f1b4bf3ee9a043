//! Images in the formats beside PNG and JPEG: what is read, as what, and what is refused.

use std::io::Cursor;

use crate::encode::{gradient, read, rgb_png, samples, shape};
use data::{ImageShape, Picture};
use image_webp::{ColorType, WebPEncoder};
use proptest::prelude::*;

const HEIGHT: usize = 12;
const WIDTH: usize = 15;

fn webp(color: ColorType, samples: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    WebPEncoder::new(&mut bytes).encode(samples, WIDTH as u32, HEIGHT as u32, color).unwrap();
    bytes
}

/// A GIF of 256 colours whose frame lies at `at` in a canvas of WIDTH × HEIGHT.
fn gif(at: [u16; 2], size: [u16; 2], transparent: Option<u8>, indices: &[u8]) -> Vec<u8> {
    let palette: Vec<u8> = (0..=255).flat_map(|i| [i, 255 - i, 7]).collect();
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, WIDTH as u16, HEIGHT as u16, &palette).unwrap();
    let mut frame = gif::Frame::from_indexed_pixels(size[0], size[1], indices, transparent);
    (frame.left, frame.top) = (at[0], at[1]);
    encoder.write_frame(&frame).unwrap();
    // A second frame that nobody sees.
    encoder.write_frame(&gif::Frame::from_indexed_pixels(1, 1, [99_u8], None)).unwrap();
    drop(encoder);
    bytes
}

/// A BMP with rows from the bottom up, each padded to four bytes.
fn bmp(n_bits: u16, palette: &[[u8; 4]], pixel: impl Fn(usize, usize) -> Vec<u8>) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in (0..HEIGHT).rev() {
        pixels.extend((0..WIDTH).flat_map(|x| pixel(x, y)));
        pixels.resize(pixels.len().next_multiple_of(4), 0);
    }
    let start = 54 + 4 * palette.len() as u32;
    let mut bytes = b"BM".to_vec();
    for number in [start + pixels.len() as u32, 0, start, 40, WIDTH as u32, HEIGHT as u32] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([1, 0]);
    bytes.extend(n_bits.to_le_bytes());
    for number in [0, pixels.len() as u32, 2835, 2835, palette.len() as u32, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(palette.concat());
    bytes.extend(pixels);
    bytes
}

fn whole(channels: usize) -> ImageShape {
    shape(HEIGHT, WIDTH, channels)
}

#[test]
fn every_format_gives_the_bytes_that_were_encoded() {
    let dir = tempfile::tempdir().unwrap();
    let expected = read(dir.path(), &rgb_png(HEIGHT, WIDTH, gradient), whole(3)).unwrap();
    let rgb = samples(HEIGHT, WIDTH, gradient);
    let bgr = |x, y| gradient(x, y).into_iter().rev().collect::<Vec<u8>>();
    let unused_alpha = |x, y| [bgr(x, y), vec![0]].concat();
    for (what, bytes) in [
        ("WebP", webp(ColorType::Rgb8, &rgb)),
        ("BMP, 24 bits", bmp(24, &[], bgr)),
        ("BMP, 32 bits", bmp(32, &[], unused_alpha)),
    ] {
        assert!(read(dir.path(), &bytes, whole(3)).unwrap() == expected, "{what}");
    }
    let index = |x: usize, y: usize| [(x * 16 + y) as u8];
    let colored = rgb_png(HEIGHT, WIDTH, |x, y| [index(x, y)[0], 255 - index(x, y)[0], 7]);
    let expected = read(dir.path(), &colored, whole(3)).unwrap();
    let palette: Vec<[u8; 4]> = (0..=255).map(|i| [7, 255 - i, i, 0]).collect();
    let indices = samples(HEIGHT, WIDTH, index);
    for (what, bytes) in [
        ("GIF", gif([0, 0], [WIDTH as u16, HEIGHT as u16], None, &indices)),
        ("BMP, palette", bmp(8, &palette, |x, y| index(x, y).to_vec())),
    ] {
        assert!(read(dir.path(), &bytes, whole(3)).unwrap() == expected, "{what}");
    }
}

#[test]
fn what_is_transparent_or_not_covered_is_white() {
    let dir = tempfile::tempdir().unwrap();
    let rgba = samples(HEIGHT, WIDTH, |x, _| [200, 0, 0, if x == 3 { 255 } else { 0 }]);
    let white_but_for = |is_red: fn(usize, usize) -> bool, red: [u8; 3]| {
        let png = rgb_png(HEIGHT, WIDTH, |x, y| if is_red(x, y) { red } else { [255; 3] });
        read(dir.path(), &png, whole(3)).unwrap()
    };
    let seen = read(dir.path(), &webp(ColorType::Rgba8, &rgba), whole(3)).unwrap();
    assert!(seen == white_but_for(|x, _| x == 3, [200, 0, 0]));
    // A frame of 2 × 2 in the canvas, one of its pixels transparent; and one that reaches out of it.
    let seen = read(dir.path(), &gif([4, 5], [2, 2], Some(9), &[200, 200, 9, 200]), whole(3)).unwrap();
    assert!(
        seen == white_but_for(
            |x, y| (4..6).contains(&x) && (5..7).contains(&y) && (x, y) != (4, 6),
            [200, 55, 7]
        )
    );
    let seen = read(dir.path(), &gif([14, 11], [2, 2], None, &[200; 4]), whole(3)).unwrap();
    assert!(seen == white_but_for(|x, y| (x, y) == (14, 11), [200, 55, 7]));
}

#[test]
fn a_picture_knows_its_size_before_it_is_cut() {
    let rgb = samples(HEIGHT, WIDTH, gradient);
    let picture = Picture::from_bytes("a", &webp(ColorType::Rgb8, &rgb)).unwrap();
    assert_eq!(picture.shape(), whole(3));
    assert_eq!(picture.to_shape(shape(2, 2, 1)).len(), 4);
}

fn formats() -> [Vec<u8>; 3] {
    let rgb = samples(HEIGHT, WIDTH, gradient);
    let indices = samples(HEIGHT, WIDTH, |x, y| [(x * y) as u8]);
    [
        webp(ColorType::Rgb8, &rgb),
        gif([0, 0], [WIDTH as u16, HEIGHT as u16], None, &indices),
        bmp(24, &[], |x, y| gradient(x, y).to_vec()),
    ]
}

#[test]
fn what_is_cut_short_is_an_error() {
    for bytes in formats() {
        for len in [bytes.len() / 2, bytes.len() / 3, 20, 12] {
            let error = Picture::from_bytes("cut", &bytes[..len]).err();
            let message = error.unwrap_or_else(|| panic!("{:?}, {len} bytes", &bytes[..4])).to_string();
            assert!(message.starts_with("cut: "), "{message}");
        }
    }
}

#[test]
fn what_boasts_of_its_size_is_refused_before_it_is_decoded() {
    let [_, mut gif, mut bmp] = formats();
    gif[6..10].fill(0xff);
    bmp[18..22].copy_from_slice(&30_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000_u32.to_le_bytes());
    for bytes in [gif, bmp] {
        let message = Picture::from_bytes("boast", &bytes).err().unwrap().to_string();
        assert!(message.contains("expected at most") || message.contains("hold at most"), "{message}");
    }
    // Canvas and frame are within the limit, but not both together.
    let [_, mut gif, _] = formats();
    let size = [8000_u16.to_le_bytes(); 2].concat();
    gif[6..10].copy_from_slice(&size);
    // Behind header, sizes and palette.
    let frame = 781 + gif[781..].iter().position(|&byte| byte == b',').unwrap();
    gif[frame + 5..frame + 9].copy_from_slice(&size);
    let message = Picture::from_bytes("boast", &gif).err().unwrap().to_string();
    assert!(message.contains("448000000 bytes to decode"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any damage is an image or an error.
    #[test]
    fn damage_does_no_harm(format in 0..3_usize, at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = formats()[format].clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(picture) = Picture::from_bytes(Cursor::new("x").into_inner(), &bytes) {
            prop_assert!(!picture.shape().is_empty());
        }
    }
}
