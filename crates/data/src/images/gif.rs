//! GIF: the first frame, on white.

use std::io::BufRead;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::limits::{Failure, MAX_BYTES, check_claims};
use super::pixels::Pixels;

/// The most pixels that a byte of a frame can represent: codes have at least nine bits, each for at most 4096
/// pixels.
const MAX_PIXELS_PER_BYTE: u64 = 4096;

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::Io(source) => source.into(),
            error => format!("the GIF is broken: {error}").into(),
        }
    }
}

pub(super) fn decode(file: impl BufRead, file_len: u64) -> Result<Pixels, Failure> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Bytes(NonZeroU64::new(MAX_BYTES).expect("a limit")));
    let mut decoder = options.read_info(file)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let size = (width as u64, height as u64);
    // The file holds only what the frame covers; the rest of the canvas is white.
    check_claims(size, 3 * size.0 * size.1, file_len, u64::MAX)?;
    let frame = decoder.next_frame_info()?.ok_or_else(|| "the GIF has no frame".to_owned())?;
    let frame_size = (u64::from(frame.width), u64::from(frame.height));
    let n_bytes = 3 * size.0 * size.1 + 4 * frame_size.0 * frame_size.1;
    check_claims(frame_size, n_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    let (left, top, frame_width) =
        (usize::from(frame.left), usize::from(frame.top), usize::from(frame.width));
    if width * height == 0 || frame_width == 0 {
        return Err("the GIF has no pixels".to_owned().into());
    }
    let mut rgba = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut rgba)?;
    let mut bytes = vec![255; 3 * width * height];
    for (row_idx, row) in rgba.chunks_exact(4 * frame_width).enumerate() {
        for (column_idx, pixel) in row.chunks_exact(4).enumerate() {
            let (x, y) = (left + column_idx, top + row_idx);
            // A pixel is either opaque or fully transparent.
            if x < width && y < height && pixel[3] > 0 {
                bytes[3 * (y * width + x)..][..3].copy_from_slice(&pixel[..3]);
            }
        }
    }
    Ok(Pixels { bytes, width, height, channels: 3, orientation: 1 })
}
