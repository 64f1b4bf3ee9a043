//! BMP: any depth, with or without run-length encoding, as 8 bits on white.

use std::io::Read;
use std::slice;

use super::limits::{Failure, MAX_BYTES, check_claims};
use super::pixels::Pixels;
use super::png::lay_on_white;

/// The most pixels that a byte of a file can represent: a run of 255 takes two bytes, with a margin for the
/// pixels that runs skip.
const MAX_PIXELS_PER_BYTE: u64 = 4096;

const TRUNCATED: &str = "the BMP is truncated";

pub(super) fn decode(file: impl Read, file_len: u64) -> Result<Pixels, Failure> {
    if file_len > MAX_BYTES {
        return Err(format!("a BMP of {file_len} bytes, expected at most {MAX_BYTES}").into());
    }
    let mut bmp = Vec::with_capacity(file_len as usize);
    file.take(file_len).read_to_end(&mut bmp)?;
    let header = Header::new(&bmp)?;
    let Header { width, height, n_bits, is_rle, .. } = header;
    let size = (width as u64, height as u64);
    let n_samples = if header.masks[3] == 0 { 3 } else { 4 };
    let n_bytes = size.0.saturating_mul(size.1).saturating_mul(n_samples as u64 + 1).saturating_add(file_len);
    check_claims(size, n_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    let stored = bmp.get(header.start..).unwrap_or_default();
    let (unpacked, n_bits, stride) = match is_rle {
        true => (header.unpacked(stored)?, 8, width),
        false => (Vec::new(), n_bits, (width * n_bits).div_ceil(32) * 4),
    };
    let rows = if is_rle { &unpacked[..] } else { stored };
    if rows.len() < stride * (height - 1) + (width * n_bits).div_ceil(8) {
        return Err(TRUNCATED.to_owned().into());
    }
    let mut bytes = Vec::with_capacity(width * height * n_samples);
    for y in 0..height {
        let stored_idx = if header.is_top_down { y } else { height - 1 - y };
        let row = &rows[stride * stored_idx..];
        for x in 0..width {
            bytes.extend_from_slice(&header.color(row, x, n_bits)?[..n_samples]);
        }
    }
    if n_samples == 4 {
        // Most programs set the fourth byte to zero without meaning transparency.
        if bytes.iter().skip(3).step_by(4).all(|&alpha| alpha == 0) {
            bytes.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
        }
        lay_on_white(&mut bytes, 4, |[value]: [u8; 1]| value.into());
    }
    Ok(Pixels { bytes, width, height, channels: 3, orientation: 1 })
}

/// How the pixels are stored.
struct Header {
    width: usize,
    height: usize,
    is_top_down: bool,
    n_bits: usize,
    is_rle: bool,
    /// The first byte of the pixels.
    start: usize,
    /// The colours of up to 8 bits: red, green, blue.
    palette: Vec<[u8; 3]>,
    /// The bits of red, green, blue and alpha within a pixel of more than 8 bits; no alpha is 0.
    masks: [u32; 4],
}

impl Header {
    fn new(bmp: &[u8]) -> Result<Self, String> {
        let len = number(bmp, 14, 4)? as usize;
        let is_core = len == 12;
        if !is_core && !(16..=124).contains(&len) {
            return Err(format!("the BMP is broken: a header of {len} bytes"));
        }
        if bmp.len() < 14 + len {
            return Err(TRUNCATED.to_owned());
        }
        // Fields beyond the header are 0.
        let field = |at: usize| if at + 4 <= 14 + len { number(bmp, at, 4) } else { Ok(0) };
        let [width, height, n_bits] = match is_core {
            true => [number(bmp, 18, 2)?, number(bmp, 20, 2)?, number(bmp, 24, 2)?],
            false => [field(18)?, field(22)?, number(bmp, 28, 2)?],
        };
        let is_top_down = height as i32 <= 0;
        let (height, compression) = ((height as i32).unsigned_abs() as usize, field(30)?);
        if width as i32 <= 0 || height == 0 {
            return Err("the BMP has no pixels".to_owned());
        }
        // The compression 3 is another one in OS/2's header of 64 bytes.
        if !matches!(
            (compression, n_bits),
            (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) | (1, 8) | (2, 4) | (3 | 6, 16 | 32)
        ) || compression == 3 && len == 64
        {
            return Err(format!(
                "a BMP of {n_bits} bits per pixel with the compression {compression} is not supported: save it as PNG"
            ));
        }
        let masks = match (compression, n_bits) {
            (3 | 6, _) => {
                let alpha = if compression == 6 || len >= 56 { number(bmp, 66, 4)? } else { 0 };
                [number(bmp, 54, 4)?, number(bmp, 58, 4)?, number(bmp, 62, 4)?, alpha]
            }
            (_, 16) => [0x7c00, 0x03e0, 0x001f, 0],
            _ => [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0],
        };
        let start = number(bmp, 10, 4)? as usize;
        let before_pixels = bmp.get(14 + len..start.min(bmp.len()));
        let before_pixels = before_pixels.ok_or("the BMP is broken: its pixels begin within its header")?;
        let (max_colors, n_colors) = (1 << n_bits.min(8), field(46)? as usize);
        let colors = before_pixels.chunks_exact(if is_core { 3 } else { 4 });
        let palette = colors.take(if n_colors == 0 { max_colors } else { n_colors.min(max_colors) });
        let palette = palette.map(|color| [color[2], color[1], color[0]]);
        Ok(Self {
            width: width as usize,
            height,
            is_top_down,
            n_bits: n_bits as usize,
            is_rle: matches!(compression, 1 | 2),
            start,
            palette: if n_bits <= 8 { palette.collect() } else { Vec::new() },
            masks,
        })
    }

    /// Red, green, blue and alpha of the pixel `x` of a row of `n_bits` per pixel.
    fn color(&self, row: &[u8], x: usize, n_bits: usize) -> Result<[u8; 4], String> {
        if n_bits <= 8 {
            let in_byte = row[x * n_bits / 8] >> (8 - n_bits - x * n_bits % 8);
            let color_idx = usize::from(in_byte) & ((1 << n_bits) - 1);
            let Some(&[red, green, blue]) = self.palette.get(color_idx) else {
                return Err(format!(
                    "the BMP is broken: a pixel has the colour {color_idx} of a palette of {}",
                    self.palette.len()
                ));
            };
            return Ok([red, green, blue, 255]);
        }
        let pixel = number(row, x * n_bits / 8, n_bits / 8)?;
        Ok(self.masks.map(|mask| {
            // From 0 to the mask's largest number, which stands for 255.
            let [value, max] = [pixel & mask, mask].map(|x| u64::from(x) >> mask.trailing_zeros().min(31));
            (value * 255 + max / 2).checked_div(max).unwrap_or(0) as u8
        }))
    }

    /// The pixels of a run-length encoding, a byte each.
    fn unpacked(&self, mut stored: &[u8]) -> Result<Vec<u8>, String> {
        let (width, height) = (self.width, self.height);
        let is_half = self.n_bits == 4;
        let mut pixels = vec![0; width * height];
        let (mut x, mut y) = (0, 0);
        let mut take = |n: usize| {
            let (taken, rest) = stored.split_at_checked(n)?;
            stored = rest;
            Some(taken)
        };
        loop {
            let Some(&[n, byte]) = take(2).and_then(|pair| pair.first_chunk()) else {
                // The mark of the end may be missing, but no pixels.
                let is_complete = y * width + x >= width * height;
                return if is_complete { Ok(pixels) } else { Err(TRUNCATED.to_owned()) };
            };
            let (n, run) = match (n, byte) {
                (0, 0) => {
                    (x, y) = (0, y + 1);
                    continue;
                }
                (0, 1) => return Ok(pixels),
                (0, 2) => {
                    let step = take(2).ok_or(TRUNCATED)?;
                    (x, y) = (x + usize::from(step[0]), y + usize::from(step[1]));
                    continue;
                }
                (0, n) => {
                    let n = usize::from(n);
                    let n_bytes = if is_half { n.div_ceil(2) } else { n };
                    (n, take(n_bytes.next_multiple_of(2)).ok_or(TRUNCATED)?)
                }
                (n, _) => (usize::from(n), slice::from_ref(&byte)),
            };
            // An encoder of half bytes may fill the last byte of a row.
            if x + n > width + 1 || y >= height {
                return Err("the BMP is broken: a run leaves the image".to_owned());
            }
            for i in 0..n.min(width.saturating_sub(x)) {
                let byte = run[if is_half { i / 2 } else { i } % run.len()];
                let value = match (is_half, i % 2) {
                    (false, _) => byte,
                    (true, 0) => byte >> 4,
                    (true, _) => byte & 15,
                };
                pixels[y * width + x + i] = value;
            }
            x += n;
        }
    }
}

/// The number in the `n` bytes from `at`, the lowest first.
fn number(bmp: &[u8], at: usize, n: usize) -> Result<u32, String> {
    let bytes = bmp.get(at..at + n).ok_or(TRUNCATED)?;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}
