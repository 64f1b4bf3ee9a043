//! Pictures from files: one, or a folder of them by class.

use std::fs;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};
use rayon::prelude::*;

use crate::{Error, ImageShape, InMemory, files};

/// The longest side of a picture that is decoded.
const MAX_SIDE: u32 = 1 << 15;
/// The most memory that a decoder may take: a photograph of 64 megapixels.
const MAX_DECODED_BYTES: u64 = 192 << 20;

/// The most pixels that a byte of a file can stand for. The decoder of JPEG takes a scan that ends early for one whose
/// rest is grey, so that without this bound a few hundred bytes could cost seconds.
fn max_pixels_per_byte(format: ImageFormat) -> u64 {
    match format {
        // Each block of 64 pixels takes a bit; twice that, for odd ways to sample the colours.
        ImageFormat::Jpeg => 2 * 8 * 64,
        // Eight pixels in a byte, and 258 such bytes in two bits of deflate.
        _ => 8 * 258 * 4,
    }
}

/// Reads a PNG or JPEG of any size as an image of `shape`: its bytes plane after plane (C × H × W).
///
/// The picture is turned as its EXIF entry says; what is transparent becomes white; the largest centred
/// window of the right proportions is cut out and resampled with a triangle filter that widens when it
/// shrinks (torchvision's antialiased bilinear). One channel is the luma of the colours.
///
/// # Errors
/// When the file cannot be read, is neither a PNG nor a JPEG, is broken or cut short, would need more than 192 MiB, or claims more
/// pixels than its bytes can hold.
///
/// # Panics
/// When `shape` has neither one nor three channels, or no pixels.
#[track_caller]
pub fn read_image(path: impl AsRef<Path>, shape: ImageShape) -> Result<Vec<u8>, Error> {
    assert!(
        matches!(shape.channels, 1 | 3) && !shape.is_empty(),
        "read_image: an image has one or three channels and at least one pixel, found {shape:?}",
    );
    let path = path.as_ref();
    let picture = decode(path)?;
    let (height, width) = (shape.height as u32, shape.width as u32);
    let picture = centred_window(&picture, height, width).resize_exact(width, height, FilterType::Triangle);
    let picture = DynamicImage::ImageRgba8(on_white(picture.into_rgba8()));
    Ok(match shape.channels {
        1 => picture.into_luma8().into_raw(),
        _ => planes(&picture.into_rgb8().into_raw()),
    })
}

impl InMemory {
    /// Reads a folder that has one folder of pictures for each class, as torchvision's `ImageFolder`.
    ///
    /// The classes are the folders in the order of their names; within a class the pictures (`.png`, `.jpg`,
    /// `.jpeg`) are in the order of theirs. Other files, and whatever starts with a dot, are passed over.
    /// Each picture is read as [`read_image`] does it and held in memory.
    ///
    /// # Errors
    /// When there is no class, a class has no picture, or a picture cannot be read.
    ///
    /// # Panics
    /// When `shape` has neither one nor three channels, or no pixels.
    pub fn from_folder(dir: impl AsRef<Path>, shape: ImageShape) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let classes = sorted_entries(dir, |path| path.is_dir())?;
        if classes.is_empty() {
            let problem = "expected one folder of pictures for each class, found no folder".into();
            return Err(Error::Folder { path: dir.to_path_buf(), problem });
        }
        let mut paths = Vec::new();
        let mut labels = Vec::new();
        for (label, class) in (0..).zip(&classes) {
            let pictures = sorted_entries(class, is_picture)?;
            if pictures.is_empty() {
                let problem = "expected pictures (.png, .jpg, .jpeg), found none".into();
                return Err(Error::Folder { path: class.clone(), problem });
            }
            labels.resize(labels.len() + pictures.len(), label);
            paths.extend(pictures);
        }
        let images = paths.par_iter().map(|path| read_image(path, shape)).collect::<Result<Vec<_>, _>>()?;
        let name = |class: &PathBuf| class.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::new(shape, images.concat(), labels, classes.iter().map(name)))
    }
}

fn decode(path: &Path) -> Result<DynamicImage, Error> {
    let file = BufReader::new(files::open_regular(path)?);
    let broken = |error: image::ImageError| match error {
        image::ImageError::IoError(source) if source.kind() != ErrorKind::UnexpectedEof => {
            Error::Io { path: path.to_path_buf(), source }
        }
        image::ImageError::Limits(_) => {
            let problem =
                format!("decoding it takes more than {MAX_DECODED_BYTES} bytes, which is the limit");
            Error::Image { path: path.to_path_buf(), problem }
        }
        error => Error::Image { path: path.to_path_buf(), problem: error.to_string() },
    };
    let file_len = file.get_ref().metadata().map_err(Error::io(path))?.len();
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(Error::io(path))?;
    let Some(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = reader.format() else {
        let problem = "expected a PNG or JPEG picture, found something else".into();
        return Err(Error::Image { path: path.to_path_buf(), problem });
    };
    if format == ImageFormat::Jpeg && is_cut_short(&fs::read(path).map_err(Error::io(path))?) {
        let problem = "the JPEG is cut short: it ends before its end-of-image marker".into();
        return Err(Error::Image { path: path.to_path_buf(), problem });
    }
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(broken)?;
    check_claims(decoder.dimensions(), decoder.total_bytes(), file_len, max_pixels_per_byte(format))
        .map_err(|problem| Error::Image { path: path.to_path_buf(), problem })?;
    decoder.set_limits(limits).map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG's markers lead past the end of its bytes: the decoder would make up what is missing.
/// What comes after the end of the image (a film, in some cameras' files) is no matter.
fn is_cut_short(jpeg: &[u8]) -> bool {
    let mut rest = jpeg;
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        rest = match &rest[at + 1..] {
            // End of image.
            [0xd9, ..] => return false,
            // A byte that fills, and 0xff itself within a scan, restarts, the start of the image: no length follows.
            marker @ [0xff, ..] => marker,
            [0x00 | 0x01 | 0xd0..=0xd8, after @ ..] => after,
            // A segment. The length counts its own two bytes.
            [_, segment @ ..] => match segment.first_chunk() {
                Some(&len) => segment.get(usize::from(u16::from_be_bytes(len))..).unwrap_or_default(),
                None => return true,
            },
            [] => return true,
        };
    }
    true
}

/// Whether a picture that says it is so large, and takes so many bytes when it is decoded, may be decoded.
fn check_claims(
    (width, height): (u32, u32),
    n_bytes: u64,
    file_len: u64,
    max_pixels_per_byte: u64,
) -> Result<(), String> {
    let size = format!("it claims {width} × {height} pixels");
    if width.max(height) > MAX_SIDE {
        return Err(format!("{size}, expected at most {MAX_SIDE} a side"));
    }
    if n_bytes > MAX_DECODED_BYTES {
        return Err(format!("{size}, which take {n_bytes} bytes, expected at most {MAX_DECODED_BYTES}"));
    }
    let max_pixels = file_len.saturating_mul(max_pixels_per_byte);
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(format!("{size} in {file_len} bytes, which hold at most {max_pixels}"));
    }
    Ok(())
}

/// The largest window of the proportions height : width, as near to the centre as whole pixels allow.
fn centred_window(picture: &DynamicImage, height: u32, width: u32) -> DynamicImage {
    let scaled = |side: u32, by: u32, over: u32| (u64::from(side) * u64::from(by) / u64::from(over)) as u32;
    let window_width = picture.width().min(scaled(picture.height(), width, height)).max(1);
    let window_height = picture.height().min(scaled(picture.width(), height, width)).max(1);
    let (left, top) = ((picture.width() - window_width) / 2, (picture.height() - window_height) / 2);
    picture.crop_imm(left, top, window_width, window_height)
}

fn on_white(mut picture: RgbaImage) -> RgbaImage {
    for pixel in picture.pixels_mut() {
        let alpha = u32::from(pixel.0[3]);
        for value in &mut pixel.0 {
            *value = ((u32::from(*value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    picture
}

/// From red, green, blue, red, … to all red, all green, all blue.
fn planes(pixels: &[u8]) -> Vec<u8> {
    (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3)).copied().collect()
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_file() && matches!(&*extension, "png" | "jpg" | "jpeg")
}

/// What lies in `dir`, is not hidden and wanted, in the order of the names.
fn sorted_entries(dir: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && wanted(&entry.path()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
