//! From an untrusted file to pixels: chooses a decoder by the first bytes.

use std::any::Any;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use foreign_text::printable;

use super::limits::Failure;
use super::pixels::Pixels;
use super::{bmp, gif, jpeg, png, webp};
use crate::{Error, files};

/// Decodes the image at `path`.
pub(super) fn decode(path: &Path) -> Result<Pixels, Error> {
    let file = files::open_regular(path)?;
    let file_len = file.metadata().map_err(Error::io(path))?.len();
    named(path, without_panic(|| decode_any(BufReader::new(file), file_len)))
}

/// Decodes the image in `bytes`; errors refer to it as `name`.
pub(super) fn decode_bytes(name: &Path, bytes: &[u8]) -> Result<Pixels, Error> {
    named(name, without_panic(|| decode_any(Cursor::new(bytes), bytes.len() as u64)))
}

fn named(path: &Path, pixels: Result<Pixels, Failure>) -> Result<Pixels, Error> {
    pixels.map_err(|failure| match failure {
        Failure::Io(source) => Error::Io { path: path.to_path_buf(), source },
        // A decoder may quote the file.
        Failure::Image(problem) => Error::Image { path: path.to_path_buf(), problem: printable(&problem) },
    })
}

fn decode_any(mut file: impl BufRead + Seek, file_len: u64) -> Result<Pixels, Failure> {
    // To add a format, add a line here and a file next to these.
    match file.fill_buf()? {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png::decode(file, file_len),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(file, file_len),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp::decode(file, file_len),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::decode(file, file_len),
        [b'B', b'M', ..] => bmp::decode(file, file_len),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => {
            Err("TIFF is not supported: save it as PNG".to_owned().into())
        }
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => {
            Err("AVIF is not supported: convert it to JPEG or PNG".to_owned().into())
        }
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', ..]
        | [_, _, _, _, b'f', b't', b'y', b'p', b'm', b'i' | b's', b'f', b'1', ..] => {
            Err("HEIC is not supported: convert it to JPEG or PNG".to_owned().into())
        }
        [b'P', b'1'..=b'7', b'\n' | b' ' | b'\r' | b'\t', ..] => {
            Err("portable pixmaps are not supported: save it as PNG".to_owned().into())
        }
        _ => Err("expected a PNG, JPEG, WebP, BMP or GIF image, found something else".to_owned().into()),
    }
}

/// Runs a decoder and turns a panic into an error, because the file is untrusted and the decoder may have a
/// bug. Its working data is dropped.
fn without_panic<T>(decode: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panic::catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|payload: Box<dyn Any + Send>| {
        let said = payload.downcast_ref::<&str>().map(|&said| said.to_owned());
        let said = said.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(format!("the decoder panicked on it: {said}").into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_an_error_that_quotes_it() {
        let faults: [fn() -> u8; 3] = [|| panic!("a fault"), || panic!("a {}", "fault"), || vec![1][..0][0]];
        for fault in faults {
            let Err(Failure::Image(problem)) = without_panic(|| Ok(fault())) else { panic!() };
            assert!(problem.starts_with("the decoder panicked on it: "), "{problem}");
            assert!(problem.ends_with("a fault") || problem.contains("index out of bounds"), "{problem}");
        }
    }
}
