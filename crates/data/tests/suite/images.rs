//! Images from files: what is read, and as what.

use crate::encode::{Layout, Png, gradient, jpeg, read, rgb_png, samples, saved, segment, shape};
use data::{ImageShape, read_image};
use png::{BitDepth, ColorType};

#[test]
fn a_png_of_the_right_size_is_read_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(rgb_png(5, 4, gradient), dir.path().join("a.png"));
    let bytes = read_image(path, shape(5, 4, 3)).unwrap();
    assert!(bytes[..20].iter().enumerate().all(|(i, &red)| usize::from(red) == i % 4));
    assert!(bytes[20..40].iter().enumerate().all(|(i, &green)| usize::from(green) == i / 4));
    assert_eq!(bytes[40..], [7; 20]);
}

#[test]
fn the_format_is_what_the_bytes_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(jpeg(64, 64, Layout::Baseline, gradient), dir.path().join("in truth a jpeg.png"));
    let bytes = read_image(path, ImageShape::CIFAR).unwrap();
    // Each pixel is the mean of a 2 × 2 block, or near it: a triangle filter, and a lossy format.
    let off = |i: usize, expected: usize| usize::from(bytes[i]).abs_diff(expected);
    assert!((1..31).all(|x| off(16 * 32 + x, 2 * x) <= 6 && off(1024 + x * 32 + 16, 2 * x) <= 6));
}

#[test]
fn the_centre_of_a_wide_image_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (wide, tall) = (rgb_png(20, 60, gradient), rgb_png(60, 20, gradient));
    let wide = read_image(saved(wide, dir.path().join("wide.png")), shape(20, 20, 3)).unwrap();
    assert_eq!((wide[0], wide[19], wide[400]), (20, 39, 0));
    let tall = read_image(saved(tall, dir.path().join("tall.png")), shape(20, 20, 3)).unwrap();
    assert_eq!((tall[0], tall[400], tall[799]), (0, 20, 39));
}

#[test]
fn what_is_transparent_becomes_white() {
    let dir = tempfile::tempdir().unwrap();
    let rgba = [[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 51]].concat();
    let png = Png::new(1, 3, ColorType::Rgba).encode(&rgba);
    let bytes = read(dir.path(), &png, shape(1, 3, 3)).unwrap();
    assert_eq!(bytes, [255, 10, 204, 255, 20, 204, 255, 30, 204]);
}

#[test]
fn white_among_what_is_transparent_is_white_in_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let pixel =
        |x: usize, y: usize| if x.is_multiple_of(2) && y.is_multiple_of(2) { [255; 4] } else { [0; 4] };
    let png = Png::new(64, 64, ColorType::Rgba).encode(&samples(64, 64, pixel));
    assert_eq!(read(dir.path(), &png, ImageShape::CIFAR).unwrap(), [255; 3072]);
}

/// What lies under transparent pixels never shows, in whatever way a PNG says that they are transparent.
#[test]
fn a_disc_on_nothing_is_a_disc_on_white() {
    const SIDE: usize = 128;
    let is_inside = |x: usize, y: usize| (2 * x as i32 - 127).pow(2) + (2 * y as i32 - 127).pow(2) <= 80 * 80;
    fn disc<const N: usize>(
        is_inside: impl Fn(usize, usize) -> bool,
        inside: [u8; N],
        outside: [u8; N],
    ) -> Vec<u8> {
        samples(SIDE, SIDE, |x, y| if is_inside(x, y) { inside } else { outside })
    }
    let dir = tempfile::tempdir().unwrap();
    let png = |color| Png::new(SIDE, SIDE, color);
    let read = |png: Vec<u8>| read(dir.path(), &png, ImageShape::CIFAR).unwrap();
    let red = read(png(ColorType::Rgb).encode(&disc(is_inside, [255, 0, 0], [255; 3])));
    let grey = read(png(ColorType::Grayscale).encode(&disc(is_inside, [90], [255])));
    let doubled =
        |samples: Vec<u8>| -> Vec<u8> { samples.into_iter().flat_map(|value| [value; 2]).collect() };
    for hidden in [[0, 0, 0], [255, 255, 255], [0, 255, 0]] {
        let [r, g, b] = hidden;
        let rgba = disc(is_inside, [255, 0, 0, 255], [r, g, b, 0]);
        let luma_alpha = disc(is_inside, [90, 255], [g, 0]);
        let palette = [255, 0, 0, r, g, b];
        let indices = disc(is_inside, [0], [1]);
        let key_16 = [r, r, g, g, b, b];
        let key_8 = [0, r, 0, g, 0, b];
        let rgb = disc(is_inside, [255, 0, 0], hidden);
        let gray = disc(is_inside, [90], [g]);
        let sixteen = BitDepth::Sixteen;
        for (what, seen, expected) in [
            ("RGBA", png(ColorType::Rgba).encode(&rgba), &red),
            ("RGBA, 16 bit", Png { depth: sixteen, ..png(ColorType::Rgba) }.encode(&doubled(rgba)), &red),
            ("grey with alpha", png(ColorType::GrayscaleAlpha).encode(&luma_alpha), &grey),
            (
                "grey with alpha, 16 bit",
                Png { depth: sixteen, ..png(ColorType::GrayscaleAlpha) }.encode(&doubled(luma_alpha)),
                &grey,
            ),
            (
                "palette",
                Png { palette: &palette, transparent: &[255, 0], ..png(ColorType::Indexed) }.encode(&indices),
                &red,
            ),
            ("colour key", Png { transparent: &key_8, ..png(ColorType::Rgb) }.encode(&rgb), &red),
            (
                "colour key, 16 bit",
                Png { transparent: &key_16, depth: sixteen, ..png(ColorType::Rgb) }.encode(&doubled(rgb)),
                &red,
            ),
            ("grey key", Png { transparent: &[0, g], ..png(ColorType::Grayscale) }.encode(&gray), &grey),
        ] {
            assert!(read(seen) == *expected, "{what}, {hidden:?} hidden");
        }
    }
}

#[test]
fn a_colour_that_fades_out_fades_into_white() {
    let dir = tempfile::tempdir().unwrap();
    let png = Png::new(96, 96, ColorType::Rgba);
    let faded = png.encode(&samples(96, 96, |x, _| [200, 0, 0, (x * 255 / 95) as u8]));
    let white = |x: usize, value: usize| {
        let alpha = x * 255 / 95;
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let on_white = rgb_png(96, 96, |x, _| [white(x, 200), white(x, 0), white(x, 0)]);
    let read = |png: &[u8]| read(dir.path(), png, ImageShape::CIFAR).unwrap();
    assert_eq!(read(&faded), read(&on_white));
}

/// The values of PIL's `convert("L")` and torchvision's `Grayscale`.
#[test]
fn one_channel_is_the_luma_of_bt_601() {
    let dir = tempfile::tempdir().unwrap();
    for (rgb, expected) in [
        ([255, 0, 0], 76),
        ([0, 255, 0], 150),
        ([0, 0, 255], 29),
        ([255, 255, 255], 255),
        ([100, 100, 100], 100),
        ([17, 201, 99], 134),
        ([1, 2, 3], 2),
    ] {
        let png = rgb_png(2, 2, |_, _| rgb);
        assert_eq!(read(dir.path(), &png, shape(2, 2, 1)).unwrap(), [expected; 4], "{rgb:?}");
    }
}

#[test]
fn a_grey_image_has_three_equal_planes_or_one() {
    let dir = tempfile::tempdir().unwrap();
    let png = Png::new(1, 2, ColorType::Grayscale).encode(&[5, 250]);
    assert_eq!(read(dir.path(), &png, shape(1, 2, 1)).unwrap(), [5, 250]);
    assert_eq!(read(dir.path(), &png, shape(1, 2, 3)).unwrap(), [5, 250, 5, 250, 5, 250]);
}

#[test]
fn a_jpeg_of_either_layout_in_colour_or_grey_shows_what_was_encoded() {
    let dir = tempfile::tempdir().unwrap();
    for layout in [Layout::Baseline, Layout::Progressive] {
        // A narrow flat image: its last rows are a few bytes.
        for (height, width) in [(40, 50), (7, 9), (64, 8), (300, 1), (1, 300)] {
            let color = |x: usize, y: usize| [(2 * x % 256) as u8, (y % 256) as u8, 90];
            let bytes =
                read(dir.path(), &jpeg(height, width, layout, color), shape(height, width, 3)).unwrap();
            let expected = samples(height, width, color);
            let is_near = |(i, &value): (usize, &u8)| {
                value.abs_diff(expected[i % (height * width) * 3 + i / (height * width)]) <= 3
            };
            assert!(bytes.iter().enumerate().all(is_near), "{layout:?}, {height} × {width}");
            for grey in [0, 77, 255] {
                let flat = jpeg(height, width, layout, |_, _| [grey]);
                let bytes = read(dir.path(), &flat, shape(height, width, 1)).unwrap();
                assert!(bytes.iter().all(|&value| value == grey), "{layout:?}, {height} × {width}, {grey}");
            }
        }
    }
}

/// A JPEG with a block of EXIF before the rest: a TIFF header and one entry.
fn turned(jpeg: &[u8], orientation: u8, is_little: bool) -> Vec<u8> {
    let exif: &[u8] = if is_little {
        &[b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" as &[u8], &[orientation, 0, 0, 0]]
            .concat()
    } else {
        &[b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" as &[u8], &[0, orientation, 0, 0]]
            .concat()
    };
    let mut app1 = Vec::new();
    segment(&mut app1, 0xe1, &[exif, &[0; 4]].concat());
    [&jpeg[..2], &app1, &jpeg[2..]].concat()
}

#[test]
fn a_jpeg_is_turned_as_its_exif_entry_says() {
    let dir = tempfile::tempdir().unwrap();
    let (height, width) = (16, 24);
    let jpeg = jpeg(height, width, Layout::Baseline, |x, y| [10 * x as u8, 15 * y as u8, 0]);
    for orientation in 0..=9 {
        let (out_height, out_width) =
            if (5..=8).contains(&orientation) { (width, height) } else { (height, width) };
        let bytes = [true, false].map(|is_little| {
            read(dir.path(), &turned(&jpeg, orientation, is_little), shape(out_height, out_width, 3)).unwrap()
        });
        assert_eq!(bytes[0], bytes[1]);
        for (x, y) in (0..out_width).flat_map(|x| (0..out_height).map(move |y| (x, y))) {
            let (right, down) = (out_width - 1 - x, out_height - 1 - y);
            let (from_x, from_y) = match orientation {
                2 => (right, y),
                3 => (right, down),
                4 => (x, down),
                5 => (y, x),
                6 => (y, right),
                7 => (down, right),
                8 => (down, x),
                _ => (x, y),
            };
            let at = y * out_width + x;
            let (red, green) = (bytes[0][at], bytes[0][at + out_width * out_height]);
            let is_right = red.abs_diff(10 * from_x as u8) <= 3 && green.abs_diff(15 * from_y as u8) <= 3;
            assert!(is_right, "orientation {orientation}: ({x}, {y}) is ({red}, {green})");
        }
    }
}

#[test]
fn the_smallest_and_the_longest_images_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (height, width) in [(1, 1), (1, 9_000), (9_000, 1)] {
        let path = saved(rgb_png(height, width, |_, _| [9, 8, 7]), dir.path().join("a.png"));
        let bytes = read_image(path, ImageShape::CIFAR).unwrap();
        assert_eq!((bytes[0], bytes[1024], bytes[3071]), (9, 8, 7));
    }
}
