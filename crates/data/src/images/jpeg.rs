//! JPEG: sequential and progressive, complete files only.

use std::io::Read;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::exif;
use super::limits::{Failure, MAX_BYTES, check_claims};
use super::pixels::Pixels;

/// The most pixels that a byte of a file can represent: each block of 64 takes a bit. Doubled for unusual
/// chroma subsampling.
const MAX_PIXELS_PER_BYTE: u64 = 2 * 8 * 64;

/// The most pixels that all scans together may cover: a scan of a few bytes can take as long as a whole
/// image.
const MAX_SCANNED_PIXELS: u64 = 1 << 30;

/// Replaces the end of the image by bits that are all ones, which is not a valid code, so that a scan that
/// ends too early is an error instead of an image with a grey rest. In a complete scan these bits are read
/// ahead, at most 64 of them, but not decoded.
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
        return Err("the JPEG is truncated: it ends before its end-of-image marker".to_owned().into());
    };
    // Data after the image (in some cameras' files a video) must not be taken for a missing part of it.
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
    outline.check()?;
    let channels = colors.num_components();
    let n_bytes = file_len
        + outline.n_metadata_bytes
        + n_pixels * channels as u64
        + outline.coefficient_bytes(width, height);
    check_claims((width as u64, height as u64), n_bytes, file_len, MAX_PIXELS_PER_BYTE)?;
    if outline.n_scans * n_pixels > MAX_SCANNED_PIXELS {
        let n_scans = outline.n_scans;
        return Err(format!(
            "it has {n_scans} scans of {width} × {height} pixels, expected at most {MAX_SCANNED_PIXELS} in all",
        )
        .into());
    }
    let orientation = decoder.exif().map_or(1, |exif| exif::orientation(exif));
    // Strict from here: anything that cannot be decoded is an error.
    decoder.set_options(options.set_strict_mode(true).jpeg_set_out_colorspace(colors));
    let mut bytes = vec![0; n_pixels as usize * channels];
    decoder.decode_into(&mut bytes)?;
    Ok(Pixels { bytes, width, height, channels, orientation })
}

/// The information in a JPEG's markers, up to the end of the image.
#[derive(Default)]
struct Outline {
    /// The end of the image.
    len: usize,
    n_scans: u64,
    /// The bytes of colour profiles and other metadata, of which the decoder keeps a copy.
    n_metadata_bytes: u64,
    is_progressive: bool,
    /// Whether Adobe's marker says how the colours are stored.
    has_adobe: bool,
    /// For each component, how often it is sampled across and down in a block of the coarsest component.
    samplings: Vec<(usize, usize)>,
}

impl Outline {
    /// `None` if the markers lead past the end of the bytes, because the decoder would make up the missing
    /// part.
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
                // Fill bytes, escaped 0xff in a scan, restarts and the start of the image are not followed by
                // a length.
                marker @ [0xff, ..] => marker,
                [0x00 | 0x01 | 0xd0..=0xd8, after @ ..] => after,
                // A segment. Its length includes its own two bytes.
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
            0xe0..=0xef => {
                self.has_adobe |= marker == 0xee && segment.get(2..7) == Some(b"Adobe");
                self.n_metadata_bytes += segment.len() as u64;
            }
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

    /// Refuses what the decoder would read wrongly without an error.
    fn check(&self) -> Result<(), String> {
        let unsupported = |what: &str| {
            Err(format!("a JPEG {what} is not supported: save it with another program, or as PNG"))
        };
        if !self.is_progressive && self.n_scans > 1 {
            return unsupported("that is not progressive and has its components in separate scans");
        }
        if let [(across, down), others @ ..] = &self.samplings[..]
            && others.iter().any(|other| other.0 > *across || other.1 > *down)
        {
            return unsupported("with more samples of its colours than of its brightness");
        }
        if self.samplings.len() == 4 && !self.has_adobe {
            return unsupported("in CMYK without Adobe's marker");
        }
        Ok(())
    }

    /// The number of bytes the decoder holds until the last scan: two per coefficient if there are several
    /// scans.
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
