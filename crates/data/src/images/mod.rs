//! Image files: decoded, laid on white, turned upright, cropped and resampled.

mod bmp;
mod decode;
mod exif;
mod gif;
mod jpeg;
mod limits;
mod pixels;
mod png;
mod resample;
mod webp;

use std::path::Path;

use crate::{Error, ImageShape};
use pixels::{Pixels, View};

/// Reads a PNG, JPEG, WebP, BMP or GIF (its first frame) of any size as an image of `shape`, and returns its
/// bytes as planes (C × H × W).
///
/// Transparent pixels are laid on white, and the image is turned according to its EXIF entry. The largest
/// centred window with the proportions of `shape` is cropped and resampled with a triangle filter that widens
/// when shrinking (torchvision's antialiased bilinear). One channel is the ITU-R BT.601 luma,
/// (299 R + 587 G + 114 B) / 1000, rounded as by PIL and torchvision's `Grayscale`.
///
/// # Errors
/// When the file cannot be read, has no supported format, is broken or truncated, would need more than 256
/// MiB (its pixels and what the decoder holds, such as the file and the coefficients of a JPEG), has a side
/// of more than 32,768 pixels, claims more pixels than its bytes can hold, or is a JPEG whose scans cover
/// more than 2³⁰ pixels in all. A decoder's panic is also returned as an error, but the panic hook is called.
///
/// # Panics
/// When `shape` has neither one nor three channels, or no pixels.
#[track_caller]
pub fn read_image(path: impl AsRef<Path>, shape: ImageShape) -> Result<Vec<u8>, Error> {
    assert!(
        matches!(shape.channels, 1 | 3) && !shape.is_empty(),
        "read_image: an image has one or three channels and at least one pixel, found {shape:?}",
    );
    Ok(Picture::open(path)?.to_shape(shape))
}

/// A decoded image of any size.
pub struct Picture(Pixels);

impl Picture {
    /// Reads an image as [`read_image`] does.
    ///
    /// # Errors
    /// As for [`read_image`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        decode::decode(path.as_ref()).map(Self)
    }

    /// Decodes the image in `bytes`, as [`open`](Self::open) does for a file; errors refer to it as `name`.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn from_bytes(name: impl AsRef<Path>, bytes: &[u8]) -> Result<Self, Error> {
        decode::decode_bytes(name.as_ref(), bytes).map(Self)
    }

    /// The width, height and channels (1 for grey, 3 for colour) in the file, turned upright.
    pub fn shape(&self) -> ImageShape {
        let View { width, height, channels, .. } = self.0.view();
        ImageShape { height, width, channels }
    }

    /// Crops and resamples the image to `shape` as [`read_image`] does: C × H × W.
    ///
    /// # Panics
    /// When `shape` has neither one nor three channels, or no pixels.
    #[track_caller]
    pub fn to_shape(&self, shape: ImageShape) -> Vec<u8> {
        assert!(
            matches!(shape.channels, 1 | 3) && !shape.is_empty(),
            "Picture::to_shape: an image has one or three channels and at least one pixel, found {shape:?}",
        );
        let window = self.0.view().centred_window(shape.height, shape.width);
        let resampled = resample::resample(&window, shape.height, shape.width);
        match (self.0.channels, shape.channels) {
            (1, n_planes) => resampled.repeat(n_planes),
            (_, 1) => resampled.chunks_exact(3).map(luma).collect(),
            _ => (0..3).flat_map(|channel| resampled.iter().skip(channel).step_by(3)).copied().collect(),
        }
    }
}

/// PIL's conversion to `L`: the BT.601 weights in 16 bits of fraction, rounded to nearest.
fn luma(rgb: &[u8]) -> u8 {
    let weighted = |value: u8, weight: u32| u32::from(value) * weight;
    ((weighted(rgb[0], 19_595) + weighted(rgb[1], 38_470) + weighted(rgb[2], 7_471) + 0x8000) >> 16) as u8
}
