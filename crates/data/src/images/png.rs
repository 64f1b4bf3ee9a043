//! PNG: any colour type and depth, as 8 bits on white.

use std::io::{BufRead, Seek};

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};

use super::exif;
use super::limits::{Failure, MAX_BYTES, check_claims};
use super::pixels::Pixels;

/// The most pixels that a byte of a file can represent: eight per byte, and 258 such bytes in two bits of
/// deflate.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 258 * 4;

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(source) => source.into(),
            DecodingError::LimitsExceeded => {
                format!("decoding it would exceed the limit of {MAX_BYTES} bytes").into()
            }
            error => error.to_string().into(),
        }
    }
}

pub(super) fn decode(file: impl BufRead + Seek, file_len: u64) -> Result<Pixels, Failure> {
    let mut decoder = Decoder::new_with_limits(file, Limits { bytes: MAX_BYTES as usize });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colours; transparency from a palette or a colour key becomes an alpha channel.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info()?;
    let size = (header.width.into(), header.height.into());
    let n_bits = header.bits_per_pixel() as u64;
    let n_bytes = |(width, height): (u64, u64), n_bits: u64| {
        width.saturating_mul(height).saturating_mul(n_bits).div_ceil(8)
    };
    check_claims(size, n_bytes(size, n_bits), file_len, MAX_PIXELS_PER_BYTE)?;
    // The decoder holds an EXIF block twice, beside the pixels; a mebibyte is enough for a row.
    let left = (MAX_BYTES - n_bytes(size, n_bits)) as usize;
    decoder.set_limits(Limits { bytes: (left / 2).max(1 << 20) });
    let mut reader = decoder.read_info()?;
    let info = reader.info();
    if info.palette.as_ref().is_some_and(|palette| palette.len() % 3 != 0) {
        // The decoder would panic.
        return Err("the length of its palette is not a multiple of three".to_owned().into());
    }
    let orientation = info.exif_metadata.as_ref().map_or(1, |exif| exif::orientation(exif));
    let n_exif_bytes = info.exif_metadata.as_ref().map_or(0, |exif| 2 * exif.len() as u64);
    let (color_type, depth) = reader.output_color_type();
    let n_samples = color_type.samples();
    let n_bytes = n_bytes(size, n_samples as u64 * depth as u64);
    check_claims(size, n_bytes + n_exif_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    let mut bytes = vec![0; n_bytes as usize];
    reader.next_frame(&mut bytes)?;
    match (color_type, depth) {
        (_, BitDepth::Sixteen) => {
            lay_on_white(&mut bytes, n_samples, |value: [u8; 2]| u16::from_be_bytes(value).into())
        }
        (ColorType::Rgba | ColorType::GrayscaleAlpha, _) => {
            lay_on_white(&mut bytes, n_samples, |[value]: [u8; 1]| value.into());
        }
        _ => {}
    }
    let channels = if n_samples < 3 { 1 } else { 3 };
    Ok(Pixels { bytes, width: size.0 as usize, height: size.1 as usize, channels, orientation })
}

/// Lays pixels of `n_samples` values of N bytes on white, and shortens `bytes` to 8-bit colours.
pub(super) fn lay_on_white<const N: usize>(
    bytes: &mut Vec<u8>,
    n_samples: usize,
    value: impl Fn([u8; N]) -> u32,
) {
    let max = if N == 1 { 255 } else { 65_535 };
    let has_alpha = n_samples.is_multiple_of(2);
    let n_colours = n_samples - usize::from(has_alpha);
    let n_pixels = bytes.len() / (n_samples * N);
    for pixel_idx in 0..n_pixels {
        let sample = |bytes: &[u8], i: usize| {
            value(*bytes[(pixel_idx * n_samples + i) * N..].first_chunk().expect("N bytes a sample"))
        };
        let alpha = if has_alpha { sample(bytes, n_colours) } else { max };
        for i in 0..n_colours {
            let on_white = (sample(bytes, i) * alpha + max * (max - alpha) + max / 2) / max;
            // Writes never overtake reads.
            bytes[pixel_idx * n_colours + i] = if N == 1 { on_white } else { (on_white + 128) / 257 } as u8;
        }
    }
    bytes.truncate(n_pixels * n_colours);
}
