//! Encoders for the tests: PNG by the library that reads it, JPEG by hand.

#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::f64::consts::PI;
use std::fs;
use std::path::{Path, PathBuf};

use data::{Error, ImageShape, read_image};
use png::{BitDepth, ColorType, Encoder};

pub(crate) fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
    ImageShape { height, width, channels }
}

/// Red grows to the right, green grows downwards, and blue is 7.
pub(crate) fn gradient(x: usize, y: usize) -> [u8; 3] {
    [x as u8, y as u8, 7]
}

/// Reads `bytes` as the file `image` of the folder `dir`.
pub(crate) fn read(dir: &Path, bytes: &[u8], shape: ImageShape) -> Result<Vec<u8>, Error> {
    read_image(saved(bytes, dir.join("image")), shape)
}

/// Samples in rows, and what they are.
pub(crate) struct Png<'a> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) color: ColorType,
    pub(crate) depth: BitDepth,
    pub(crate) palette: &'a [u8],
    /// Alphas of the palette, or a colour that is transparent.
    pub(crate) transparent: &'a [u8],
}

impl Png<'_> {
    pub(crate) const fn new(height: usize, width: usize, color: ColorType) -> Self {
        Self { height, width, color, depth: BitDepth::Eight, palette: &[], transparent: &[] }
    }

    pub(crate) fn encode(&self, samples: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(self.color);
        encoder.set_depth(self.depth);
        if !self.palette.is_empty() {
            encoder.set_palette(self.palette);
        }
        if !self.transparent.is_empty() {
            encoder.set_trns(self.transparent);
        }
        encoder.write_header().unwrap().write_image_data(samples).unwrap();
        bytes
    }
}

/// The samples of an image whose pixel at (x, y) is `pixel(x, y)`.
pub(crate) fn samples<const N: usize>(
    height: usize,
    width: usize,
    pixel: impl Fn(usize, usize) -> [u8; N],
) -> Vec<u8> {
    (0..height * width).flat_map(|i| pixel(i % width, i / width)).collect()
}

/// A PNG in 8-bit RGB.
pub(crate) fn rgb_png(height: usize, width: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    Png::new(height, width, ColorType::Rgb).encode(&samples(height, width, pixel))
}

pub(crate) fn saved(bytes: impl AsRef<[u8]>, path: PathBuf) -> PathBuf {
    fs::write(&path, bytes).unwrap();
    path
}

/// How a JPEG is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All in one scan.
    Baseline,
    /// A scan for each component.
    Separate,
    /// A scan for the means of the blocks, then one for the rest of each component.
    Progressive,
}

/// A JPEG of one component (grey) or three (red, green, blue, not subsampled), as exact as the format allows: every
/// quantiser is 1. Its codes are longer than they need be: four bits for a mean, eight for anything else.
pub(crate) fn jpeg<const N: usize>(
    height: usize,
    width: usize,
    layout: Layout,
    pixel: impl Fn(usize, usize) -> [u8; N],
) -> Vec<u8> {
    let mut blocks = [(); N].map(|()| Vec::new());
    for (top, left) in (0..height).step_by(8).flat_map(|y| (0..width).step_by(8).map(move |x| (y, x))) {
        let block: [[u8; N]; 64] =
            std::array::from_fn(|i| pixel((left + i % 8).min(width - 1), (top + i / 8).min(height - 1)));
        for (component, blocks) in blocks.iter_mut().enumerate() {
            blocks.push(transformed(|i| component_of(block[i], component) - 128.0));
        }
    }
    let mut out = header(height, width, layout, N);
    let components: Vec<usize> = (0..N).collect();
    match layout {
        Layout::Baseline => scan(&mut out, &blocks, &components, 0, 63),
        Layout::Separate => {
            components.iter().for_each(|&component| scan(&mut out, &blocks, &[component], 0, 63));
        }
        Layout::Progressive => {
            scan(&mut out, &blocks, &components, 0, 0);
            components.iter().for_each(|&component| scan(&mut out, &blocks, &[component], 1, 63));
        }
    }
    out.extend([0xff, 0xd9]);
    out
}

/// The markers before the first scan.
pub(crate) fn header(height: usize, width: usize, layout: Layout, n_components: usize) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xdb, &[&[0][..], &[1; 64]].concat());
    let mut frame =
        vec![8, (height >> 8) as u8, height as u8, (width >> 8) as u8, width as u8, n_components as u8];
    (0..n_components).for_each(|component| frame.extend([component as u8 + 1, 0x11, 0]));
    segment(&mut out, if layout == Layout::Progressive { 0xc2 } else { 0xc0 }, &frame);
    // Codes are numbers: twelve of four bits, 255 of eight.
    let lengths = |bits: usize, n: u8| (1..=16).map(move |i| if i == bits { n } else { 0 });
    segment(&mut out, 0xc4, &[0].into_iter().chain(lengths(4, 12)).chain(0..12).collect::<Vec<u8>>());
    segment(&mut out, 0xc4, &[0x10].into_iter().chain(lengths(8, 255)).chain(0..255).collect::<Vec<u8>>());
    out
}

/// A marker with its bytes.
pub(crate) fn segment(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((bytes.len() as u16 + 2).to_be_bytes());
    out.extend(bytes);
}

/// The header of a scan of the coefficients `first` to `last`.
pub(crate) fn scan_header(out: &mut Vec<u8>, components: &[usize], first: usize, last: usize) {
    let mut header = vec![components.len() as u8];
    components.iter().for_each(|&component| header.extend([component as u8 + 1, 0]));
    header.extend([first as u8, last as u8, 0]);
    segment(out, 0xda, &header);
}

/// Grey as it is, else YCbCr as JFIF has it.
fn component_of<const N: usize>(pixel: [u8; N], component: usize) -> f64 {
    let [r, g, b] = std::array::from_fn(|i| f64::from(pixel[i.min(N - 1)]));
    match component {
        0 => 0.299 * r + 0.587 * g + 0.114 * b,
        1 => 128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b,
        _ => 128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b,
    }
}

/// The cosine transform of a block, rounded, in zigzag order.
fn transformed(value: impl Fn(usize) -> f64) -> [i32; 64] {
    let basis = |k: usize, i: usize| {
        let scale = if k == 0 { 0.125_f64.sqrt() } else { 0.5 };
        scale * ((2 * i + 1) as f64 * k as f64 * PI / 16.0).cos()
    };
    let basis: [[f64; 8]; 8] = std::array::from_fn(|k| std::array::from_fn(|i| basis(k, i)));
    let values: [f64; 64] = std::array::from_fn(value);
    let dot = |k: usize, value: &dyn Fn(usize) -> f64| (0..8).map(|i| basis[k][i] * value(i)).sum::<f64>();
    let rows: [f64; 64] = std::array::from_fn(|at| dot(at % 8, &|x| values[at / 8 * 8 + x]));
    let both: [f64; 64] = std::array::from_fn(|at| dot(at / 8, &|y| rows[y * 8 + at % 8]));
    let mut order: Vec<usize> = (0..64).collect();
    order.sort_by_key(|at| {
        let (x, y) = (at % 8, at / 8);
        (x + y, if (x + y) % 2 == 0 { x } else { y })
    });
    std::array::from_fn(|i| both[order[i]].round() as i32)
}

/// A scan of the coefficients `first` to `last` of `components`.
fn scan(out: &mut Vec<u8>, blocks: &[Vec<[i32; 64]>], components: &[usize], first: usize, last: usize) {
    scan_header(out, components, first, last);
    let (mut bits, mut n_bits) = (0_u64, 0);
    let mut put = |value: u64, n: u32| {
        (bits, n_bits) = (bits << n | value, n_bits + n);
        while n_bits >= 8 {
            n_bits -= 8;
            out.push((bits >> n_bits) as u8);
            if out.last() == Some(&0xff) {
                out.push(0);
            }
        }
        bits &= (1 << n_bits) - 1;
    };
    // A number's size in bits, and those bits: of a negative one the complement.
    let size = |value: i32| 32 - value.unsigned_abs().leading_zeros();
    let code = |value: i32| (if value < 0 { value + (1 << size(value)) - 1 } else { value }) as u64;
    let mut previous = vec![0; blocks.len()];
    let of_all = |block_idx: usize| components.iter().map(move |&i| (i, &blocks[i][block_idx]));
    for (component, block) in (0..blocks[0].len()).flat_map(of_all) {
        if first == 0 {
            let difference = block[0] - previous[component];
            previous[component] = block[0];
            put(size(difference).into(), 4);
            put(code(difference), size(difference));
        }
        let mut n_zeros = 0;
        for &value in &block[first.max(1)..=last] {
            if value == 0 {
                n_zeros += 1;
                continue;
            }
            while n_zeros >= 16 {
                put(0xf0, 8);
                n_zeros -= 16;
            }
            put((n_zeros << 4 | size(value)).into(), 8);
            put(code(value), size(value));
            n_zeros = 0;
        }
        if n_zeros > 0 {
            put(0, 8);
        }
    }
    put(0x7f, 7);
}
