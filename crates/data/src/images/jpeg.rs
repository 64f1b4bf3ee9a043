//! JPEG: sequential and progressive, whole.

use std::io::Read;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::decode::{Failure, MAX_BYTES, check_claims};
use super::{Pixels, exif};

/// The most pixels that a byte of a file can stand for: each block of 64 takes a bit; twice that, for odd ways to
/// sample the colours.
const MAX_PIXELS_PER_BYTE: u64 = 2 * 8 * 64;

/// The most pixels that all scans together may go over: a scan of a few bytes can take as long as a whole image.
const MAX_SCANNED_PIXELS: u64 = 1 << 30;

/// What takes the place of the end of the image: bits that are all ones, which no code is, so that a scan that ends too
/// early is an error, and not an image whose rest is grey. A whole scan's are read ahead, 64 at most, and not decoded.
const END: [u8; 18] = [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0xd9];

impl From<DecodeErrors> for Failure {
    fn from(error: DecodeErrors) -> Self {
        Self::Image(format!("the JPEG is broken: {error:?}"))
    }
}

pub(super) fn decode(file: impl Read, file_len: u64) -> Result<Pixels, Failure> {
    if file_len > MAX_BYTES {
        return Err(format!("a JPEG of {file_len} bytes, expected at most {MAX_BYTES}").into());
    }
    let mut jpeg = Vec::with_capacity(file_len as usize + END.len());
    file.take(file_len).read_to_end(&mut jpeg)?;
    let Some(outline) = Outline::new(&jpeg) else {
        return Err("the JPEG is cut short: it ends before its end-of-image marker".to_owned().into());
    };
    // What follows the image (a film, in some cameras' files) must not be taken for its missing end.
    jpeg.truncate(outline.len - 2);
    jpeg.extend(END);
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&jpeg), options);
    decoder.decode_headers()?;
    let (width, height) = decoder.dimensions().expect("the headers were decoded");
    let n_pixels = (width * height) as u64;
    let colors = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    let channels = colors.num_components();
    let n_bytes = file_len + n_pixels * channels as u64 + outline.coefficient_bytes(width, height);
    check_claims((width as u64, height as u64), n_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    if outline.n_scans * n_pixels > MAX_SCANNED_PIXELS {
        let n_scans = outline.n_scans;
        return Err(format!(
            "it has {n_scans} scans of {width} × {height} pixels, expected at most {MAX_SCANNED_PIXELS} in all",
        )
        .into());
    }
    let orientation = decoder.exif().map_or(1, |exif| exif::orientation(exif));
    // From here on strictly: what cannot be decoded is an error.
    decoder.set_options(options.set_strict_mode(true).jpeg_set_out_colorspace(colors));
    let mut bytes = vec![0; n_pixels as usize * channels];
    decoder.decode_into(&mut bytes)?;
    Ok(Pixels { bytes, width, height, channels, orientation })
}

/// What a JPEG's markers say, up to the end of the image.
#[derive(Default)]
struct Outline {
    /// Where the image ends.
    len: usize,
    n_scans: u64,
    is_progressive: bool,
    /// For each component how often it is sampled across and down in a block of the coarsest.
    samplings: Vec<(usize, usize)>,
}

impl Outline {
    /// `None` when the markers lead past the end of the bytes: the decoder would make up what is missing.
    fn new(jpeg: &[u8]) -> Option<Self> {
        let mut outline = Self::default();
        let mut rest = jpeg;
        loop {
            let at = rest.iter().position(|&byte| byte == 0xff)?;
            rest = match &rest[at + 1..] {
                // End of image.
                [0xd9, after @ ..] => {
                    outline.len = jpeg.len() - after.len();
                    return Some(outline);
                }
                // A byte that fills, and 0xff itself within a scan, restarts, the start of the image: no length follows.
                marker @ [0xff, ..] => marker,
                [0x00 | 0x01 | 0xd0..=0xd8, after @ ..] => after,
                // A segment. The length counts its own two bytes.
                [marker, segment @ ..] => {
                    let (segment, after) =
                        segment.split_at_checked(usize::from(u16::from_be_bytes(*segment.first_chunk()?)))?;
                    outline.note(*marker, segment);
                    after
                }
                [] => return None,
            };
        }
    }

    fn note(&mut self, marker: u8, segment: &[u8]) {
        match marker {
            0xda => self.n_scans += 1,
            // Start of frame: length, precision, height, width, and three bytes for each component.
            0xc0..=0xc2 => {
                self.is_progressive |= marker == 0xc2;
                let components = segment.get(8..).unwrap_or_default().chunks_exact(3);
                let sampling = |component: &[u8]| (component[1] >> 4, component[1] & 15);
                self.samplings
                    .extend(components.map(sampling).map(|(across, down)| (across.into(), down.into())));
            }
            _ => {}
        }
    }

    /// How many bytes the decoder holds until the last scan: two for each coefficient, if there is more than one scan.
    fn coefficient_bytes(&self, width: usize, height: usize) -> u64 {
        if !self.is_progressive && self.n_scans <= 1 {
            return 0;
        }
        let across = self.samplings.iter().map(|sampling| sampling.0).max().unwrap_or(1).max(1);
        let down = self.samplings.iter().map(|sampling| sampling.1).max().unwrap_or(1).max(1);
        let n_groups = width.div_ceil(8 * across) * height.div_ceil(8 * down);
        let n_blocks = self.samplings.iter().map(|(across, down)| across * down).sum::<usize>() * n_groups;
        2 * 64 * n_blocks as u64
    }
}
