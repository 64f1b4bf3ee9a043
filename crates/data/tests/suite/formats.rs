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

/// A BMP.
#[derive(Clone)]
struct Bmp {
    /// Below 0 if the first row is the top one.
    height: i32,
    n_bits: u16,
    compression: u32,
    /// What follows a header of 40 bytes: masks or colours.
    extra: Vec<u8>,
    n_colors: u32,
    pixels: Vec<u8>,
}

impl Bmp {
    fn encode(&self) -> Vec<u8> {
        let start = 54 + self.extra.len() as u32;
        let mut bytes = b"BM".to_vec();
        for number in [start + self.pixels.len() as u32, 0, start, 40, WIDTH as u32, self.height as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([1, 0]);
        bytes.extend(self.n_bits.to_le_bytes());
        for number in [self.compression, self.pixels.len() as u32, 2835, 2835, self.n_colors, 0] {
            bytes.extend(number.to_le_bytes());
        }
        [&bytes[..], &self.extra, &self.pixels].concat()
    }
}

/// A BMP with rows from the bottom up, each padded to four bytes.
fn bmp(n_bits: u16, palette: &[[u8; 4]], pixel: impl Fn(usize, usize) -> Vec<u8>) -> Bmp {
    let mut pixels = Vec::new();
    for y in (0..HEIGHT).rev() {
        pixels.extend((0..WIDTH).flat_map(|x| pixel(x, y)));
        pixels.resize(pixels.len().next_multiple_of(4), 0);
    }
    let (height, n_colors) = (HEIGHT as i32, palette.len() as u32);
    Bmp { height, n_bits, compression: 0, extra: palette.concat(), n_colors, pixels }
}

/// A BMP of palette indices of less than 8 bits.
fn packed_bmp(n_bits: u16, palette: &[[u8; 4]], index: impl Fn(usize, usize) -> u8) -> Bmp {
    let mut pixels = Vec::new();
    for y in (0..HEIGHT).rev() {
        for start in (0..WIDTH).step_by(8 / usize::from(n_bits)) {
            let in_byte = start..start + 8 / usize::from(n_bits);
            pixels.push(in_byte.fold(0, |byte, x| byte << n_bits | if x < WIDTH { index(x, y) } else { 0 }));
        }
        pixels.resize(pixels.len().next_multiple_of(4), 0);
    }
    Bmp { pixels, ..bmp(n_bits, palette, |_, _| Vec::new()) }
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
        ("BMP, 24 bits", bmp(24, &[], bgr).encode()),
        ("BMP, 32 bits", bmp(32, &[], unused_alpha).encode()),
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
        ("BMP, palette", bmp(8, &palette, |x, y| index(x, y).to_vec()).encode()),
    ] {
        assert!(read(dir.path(), &bytes, whole(3)).unwrap() == expected, "{what}");
    }
}

/// Rows of an odd length, of every depth and encoding; then cut short, which is an error.
#[test]
fn bmps_of_every_depth_are_read_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let colors: Vec<[u8; 4]> = (0..16).map(|i| [3 * i, 255 - i, 16 * i, 0]).collect();
    let index = |n: usize| move |x: usize, y: usize| ((x * 5 + y * 3 + x * y) % n) as u8;
    let of_palette = |n: usize| {
        let color = |x, y| colors[usize::from(index(n)(x, y))];
        rgb_png(HEIGHT, WIDTH, move |x, y| [color(x, y)[2], color(x, y)[1], color(x, y)[0]])
    };
    // Red and blue of 5 bits, green of 5 or 6.
    let levels = |x: usize, y: usize, n_greens: usize| [x % 32, (x * 3 + y) % n_greens, (x + 2 * y) % 32];
    let of_levels = |n_greens: usize| {
        let scaled = |level: usize, n: usize| ((level * 255 + (n - 1) / 2) / (n - 1)) as u8;
        rgb_png(HEIGHT, WIDTH, move |x, y| {
            let [red, green, blue] = levels(x, y, n_greens);
            [scaled(red, 32), scaled(green, n_greens), scaled(blue, 32)]
        })
    };
    let words = |n_greens: usize, shift: u32| {
        move |x, y| {
            let [red, green, blue] = levels(x, y, n_greens);
            ((red << (shift + 5) | green << 5 | blue) as u16).to_le_bytes().to_vec()
        }
    };
    let masks = |masks: [u32; 3]| masks.map(u32::to_le_bytes).concat();
    let rgbx = |x, y| [&gradient(x, y)[..], &[9]].concat();
    let by_rows = |row: &dyn Fn(usize) -> Vec<u8>| {
        let rows = (0..HEIGHT).rev().map(|y| [&row(y)[..], &[0, 0]].concat());
        [rows.collect::<Vec<_>>().concat(), vec![0, 1]].concat()
    };
    let runs = |y: usize| (0..WIDTH).flat_map(|x| [1, index(16)(x, y)]).collect::<Vec<u8>>();
    let half_runs = |y: usize| (0..WIDTH).flat_map(|x| [1, index(16)(x, y) << 4]).collect::<Vec<u8>>();
    let literal = |y: usize| {
        let row: Vec<u8> = (0..WIDTH).map(|x| index(16)(x, y)).collect();
        [&[0, WIDTH as u8][..], &row, &[0]].concat()
    };
    let half_literal = |y: usize| {
        let nibble = |x: usize| if x < WIDTH { index(16)(x, y) } else { 0 };
        let row: Vec<u8> = (0..WIDTH).step_by(2).map(|x| nibble(x) << 4 | nibble(x + 1)).collect();
        [&[0, WIDTH as u8][..], &row].concat()
    };
    let encoded = |n_bits, compression, row: &dyn Fn(usize) -> Vec<u8>| Bmp {
        compression,
        pixels: by_rows(row),
        ..bmp(n_bits, &colors, |_, _| Vec::new())
    };
    let half = |start: usize| [[1, 0x21], [start as u8, 0x43]].concat();
    let alternating = rgb_png(HEIGHT, WIDTH, |x, _| {
        let color = colors[[2, 4, 3][if x == 0 { 0 } else { 2 - x % 2 }]];
        [color[2], color[1], color[0]]
    });
    let plain = bmp(24, &[], |x, y| gradient(x, y).into_iter().rev().collect());
    let upside_down = Bmp {
        height: -(HEIGHT as i32),
        pixels: plain.pixels.chunks(WIDTH * 3 + 3).rev().collect::<Vec<_>>().concat(),
        ..plain
    };
    for (what, bmp, png) in [
        ("1 bit", packed_bmp(1, &colors[..2], index(2)), of_palette(2)),
        ("2 bits", packed_bmp(2, &colors[..4], index(4)), of_palette(4)),
        ("4 bits", packed_bmp(4, &colors, index(16)), of_palette(16)),
        ("555", bmp(16, &[], words(32, 5)), of_levels(32)),
        (
            "565",
            Bmp { compression: 3, extra: masks([0xf800, 0x07e0, 0x001f]), ..bmp(16, &[], words(64, 6)) },
            of_levels(64),
        ),
        (
            "masks of 32 bits",
            Bmp { compression: 3, extra: masks([0xff, 0xff00, 0xff_0000]), ..bmp(32, &[], rgbx) },
            rgb_png(HEIGHT, WIDTH, gradient),
        ),
        ("from the top down", upside_down, rgb_png(HEIGHT, WIDTH, gradient)),
        ("runs", encoded(8, 1, &runs), of_palette(16)),
        ("literal runs", encoded(8, 1, &literal), of_palette(16)),
        ("half bytes", encoded(4, 2, &half_runs), of_palette(16)),
        ("literal half bytes", encoded(4, 2, &half_literal), of_palette(16)),
        ("runs of half bytes", encoded(4, 2, &|_| half(WIDTH - 1)), alternating),
    ] {
        let bytes = bmp.encode();
        let expected = read(dir.path(), &png, whole(3)).unwrap();
        assert!(read(dir.path(), &bytes, whole(3)).unwrap() == expected, "{what}");
        if matches!(bmp.compression, 1 | 2) {
            // Without the mark of the end, but with all pixels.
            assert!(read(dir.path(), &bytes[..bytes.len() - 2], whole(3)).unwrap() == expected, "{what}");
        }
        for len in [bytes.len() - 6, bytes.len() - bmp.pixels.len() / 2, bytes.len() - bmp.pixels.len()] {
            let message = read(dir.path(), &bytes[..len], whole(3)).unwrap_err().to_string();
            assert!(message.ends_with("the BMP is truncated"), "{what}, {len} bytes: {message}");
        }
    }
    for (n_bits, compression, expected) in [
        (24, 4, "a BMP of 24 bits per pixel with the compression 4 is not supported: save it as PNG"),
        (64, 0, "a BMP of 64 bits per pixel with the compression 0 is not supported: save it as PNG"),
        (4, 0, "the BMP is broken: a pixel has the colour 7 of a palette of 0"),
        (4, 2, "the BMP is broken: a run leaves the image"),
    ] {
        let bytes =
            Bmp { compression, pixels: vec![0x77; 4000], ..bmp(n_bits, &[], |_, _| Vec::new()) }.encode();
        let message = read(dir.path(), &bytes, whole(3)).unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
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
        bmp(24, &[], |x, y| gradient(x, y).to_vec()).encode(),
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
