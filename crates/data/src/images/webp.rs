//! WebP: lossy and lossless, the first frame of an animation, as 8 bits on white.

use std::io::{Cursor, Read};

use image_webp::{DecodingError, WebPDecoder};

use super::exif;
use super::limits::{Failure, MAX_BYTES, check_claims};
use super::pixels::Pixels;
use super::png::lay_on_white;

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(source) => source.into(),
            error => format!("the WebP is broken: {error}").into(),
        }
    }
}

pub(super) fn decode(file: impl Read, file_len: u64) -> Result<Pixels, Failure> {
    if file_len > MAX_BYTES {
        return Err(format!("a WebP of {file_len} bytes, expected at most {MAX_BYTES}").into());
    }
    let mut webp = Vec::with_capacity(file_len as usize);
    file.take(file_len).read_to_end(&mut webp)?;
    let mut decoder = WebPDecoder::new(Cursor::new(&webp))?;
    decoder.set_memory_limit((MAX_BYTES - file_len) as usize);
    let (width, height) = decoder.dimensions();
    let size = (u64::from(width), u64::from(height));
    let n_samples = if decoder.has_alpha() { 4 } else { 3 };
    // The bytes per pixel that the decoder holds in addition to the result: those of a canvas and a frame, of
    // the planes and the transparency of a lossy image, or of a lossless image before its colours are copied.
    let n_held = match (decoder.is_animated(), decoder.is_lossy() && decoder.has_alpha()) {
        (true, _) => 8,
        (false, true) => 7,
        (false, false) => 4,
    };
    // One byte may represent any number of pixels, because a code with a single symbol takes no bits.
    let n_bytes = size.0 * size.1 * (n_samples + n_held) + file_len;
    check_claims(size, n_bytes, file_len, u64::MAX)?;
    // The decoder makes room for a lossy frame before it compares its size with that of the image.
    let is_larger = |chunk: &[u8]| {
        let side = |at: usize| u32::from(u16::from_le_bytes([chunk[at], chunk[at + 1]]) & 0x3fff);
        let is_frame = chunk.starts_with(b"VP8 ") && chunk[11..14] == [0x9d, 0x01, 0x2a];
        is_frame && (side(14) > width || side(16) > height)
    };
    if webp.windows(18).any(is_larger) {
        return Err("the WebP is broken: a frame is larger than the image".to_owned().into());
    }
    let orientation = decoder.exif_metadata()?.map_or(1, |exif| exif::orientation(&exif));
    let mut bytes = vec![0; (size.0 * size.1 * n_samples) as usize];
    decoder.read_image(&mut bytes)?;
    if n_samples == 4 {
        lay_on_white(&mut bytes, 4, |[value]: [u8; 1]| value.into());
    }
    Ok(Pixels { bytes, width: width as usize, height: height as usize, channels: 3, orientation })
}
