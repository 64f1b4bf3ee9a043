//! What an untrusted image may claim, and why it is refused.

use std::io::{self, ErrorKind};

/// The longest side of an image to decode.
const MAX_SIDE: u64 = 1 << 15;

/// The memory limit for decoding.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Checks that an image claiming this size, and needing this much memory to decode, may be decoded.
pub(super) fn check_claims(
    (width, height): (u64, u64),
    n_bytes: u64,
    file_len: u64,
    max_pixels_per_byte: u64,
) -> Result<(), String> {
    let size = format!("it claims {width} × {height} pixels");
    if width.max(height) > MAX_SIDE {
        return Err(format!("{size}, expected at most {MAX_SIDE} per side"));
    }
    if n_bytes > MAX_BYTES {
        return Err(format!("{size}, which take {n_bytes} bytes to decode, expected at most {MAX_BYTES}"));
    }
    let max_pixels = file_len.saturating_mul(max_pixels_per_byte);
    if width * height > max_pixels {
        return Err(format!("{size} in {file_len} bytes, which hold at most {max_pixels}"));
    }
    Ok(())
}

/// Why a file is not an image.
pub(super) enum Failure {
    Io(io::Error),
    Image(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The file was read, but claims more than it holds.
            ErrorKind::UnexpectedEof => Self::Image("the file is truncated".into()),
            _ => Self::Io(error),
        }
    }
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Image(problem)
    }
}
