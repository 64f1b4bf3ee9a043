//! WebP: lossy and lossless, the first frame of an animation, as 8 bits on white.

use std::io::{BufRead, Seek};

use image_webp::{DecodingError, WebPDecoder};

use super::decode::{Failure, MAX_BYTES, check_claims};
use super::png::lay_on_white;
use super::{Pixels, exif};

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(source) => source.into(),
            error => format!("the WebP is broken: {error}").into(),
        }
    }
}

pub(super) fn decode(file: impl BufRead + Seek, file_len: u64) -> Result<Pixels, Failure> {
    let mut decoder = WebPDecoder::new(file)?;
    decoder.set_memory_limit(MAX_BYTES as usize);
    let (width, height) = decoder.dimensions();
    let size = (u64::from(width), u64::from(height));
    let n_samples = if decoder.has_alpha() { 4 } else { 3 };
    // The decoder holds four bytes per pixel in addition to the result. One byte may represent any number of
    // pixels, because a code with a single symbol takes no bits.
    let n_bytes = size.0 * size.1 * (n_samples + 4);
    check_claims(size, n_bytes, file_len, u64::MAX)?;
    let orientation = decoder.exif_metadata()?.map_or(1, |exif| exif::orientation(&exif));
    let mut bytes = vec![0; (size.0 * size.1 * n_samples) as usize];
    decoder.read_image(&mut bytes)?;
    if n_samples == 4 {
        lay_on_white(&mut bytes, 4, |[value]: [u8; 1]| value.into());
    }
    Ok(Pixels { bytes, width: width as usize, height: height as usize, channels: 3, orientation })
}
