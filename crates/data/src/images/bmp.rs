//! BMP: any depth, with or without run-length encoding, as 8 bits on white.

use std::io::Read;

use zune_bmp::{BmpDecoder, BmpDecoderErrors};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::Pixels;
use super::decode::{Failure, MAX_BYTES, check_claims};
use super::png::lay_on_white;

/// The most pixels that a byte of a file can represent: a run of 255 takes two bytes, with a margin for the
/// pixels that runs skip.
const MAX_PIXELS_PER_BYTE: u64 = 4096;

impl From<BmpDecoderErrors> for Failure {
    fn from(error: BmpDecoderErrors) -> Self {
        Self::Image(format!("the BMP is broken: {}", format!("{error:?}").trim_end()))
    }
}

pub(super) fn decode(file: impl Read, file_len: u64) -> Result<Pixels, Failure> {
    if file_len > MAX_BYTES {
        return Err(format!("a BMP of {file_len} bytes, expected at most {MAX_BYTES}").into());
    }
    let mut bmp = Vec::with_capacity(file_len as usize);
    file.take(file_len).read_to_end(&mut bmp)?;
    let options = DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = BmpDecoder::new_with_options(ZCursor::new(&bmp), options);
    decoder.decode_headers()?;
    let (width, height) = decoder.dimensions().expect("the headers were decoded");
    let size = (width as u64, height as u64);
    let n_samples = decoder.colorspace().map_or(4, |space| space.num_components());
    let n_bytes = size.0.saturating_mul(size.1).saturating_mul(n_samples as u64 + 1).saturating_add(file_len);
    check_claims(size, n_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    if width * height == 0 {
        return Err("the BMP has no pixels".to_owned().into());
    }
    let mut bytes = decoder.decode()?;
    let channels = match decoder.colorspace() {
        Some(ColorSpace::Luma) => 1,
        Some(ColorSpace::RGB) => 3,
        Some(ColorSpace::RGBA) => {
            // Most programs set the fourth byte to zero without meaning transparency.
            if bytes.iter().skip(3).step_by(4).all(|&alpha| alpha == 0) {
                bytes.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
            }
            lay_on_white(&mut bytes, 4, |[value]: [u8; 1]| value.into());
            3
        }
        other => return Err(format!("unsupported BMP pixel format {other:?}: save it as PNG").into()),
    };
    if bytes.len() != width * height * channels {
        return Err("the BMP is truncated".to_owned().into());
    }
    Ok(Pixels { bytes, width, height, channels, orientation: 1 })
}
