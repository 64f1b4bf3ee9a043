//! Small images in a figure, and colour maps.

use tiny_skia::Pixmap;

use crate::theme::{BLUE, Color, Theme, VERMILION};

/// A colour with opacity (red, green, blue, opacity), each 0 to 255. Transparent parts show the paper, so one
/// image suits light and dark.
pub(crate) type Rgba = [u8; 4];

pub(crate) const CLEAR: Rgba = [0; 4];

/// `color` with an opacity of 0 to 255, by its light-theme value, because an image is the same on every
/// paper.
pub(crate) fn rgba(color: Color, opacity: u8) -> Rgba {
    let (red, green, blue) = Theme::Light.value(color);
    [red, green, blue, opacity]
}

/// An image, row-major from the top.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pixels: Vec<Rgba>,
}

impl Image {
    pub(crate) fn new(width: usize, height: usize, pixels: impl Iterator<Item = Rgba>) -> Self {
        Image { width, height, pixels: pixels.collect() }
    }

    /// The image for the rasteriser.
    pub(crate) fn pixmap(&self) -> Pixmap {
        let mut pixmap = Pixmap::new(self.width as u32, self.height as u32).expect("the image has pixels");
        for (place, &[r, g, b, a]) in pixmap.pixels_mut().iter_mut().zip(&self.pixels) {
            *place = tiny_skia::ColorU8::from_rgba(r, g, b, a).premultiply();
        }
        pixmap
    }

    /// The image as a PNG file.
    pub(crate) fn png(&self) -> Vec<u8> {
        self.pixmap().encode_png().expect("memory takes all")
    }
}

/// Maps a fraction, 0 to 1, to a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMap {
    /// From paper to blue, for values of one sign; larger is bluer.
    #[default]
    Sequential,
    /// From vermilion through paper to blue, for values of both signs; the middle of the range, by default 0,
    /// is paper.
    Diverging,
}

impl ColorMap {
    /// The colour of `share`; transparent for NaN.
    pub(crate) fn color(self, share: f64) -> Rgba {
        let opacity = |share: f64| (share.clamp(0.0, 1.0) * 255.0).round() as u8;
        match self {
            _ if share.is_nan() => CLEAR,
            ColorMap::Sequential => rgba(BLUE, opacity(share)),
            ColorMap::Diverging if share >= 0.5 => rgba(BLUE, opacity(2.0 * share - 1.0)),
            ColorMap::Diverging => rgba(VERMILION, opacity(1.0 - 2.0 * share)),
        }
    }

    /// Whether the colour of `share` is so strong that white text is more legible on it than dark text.
    pub(crate) fn is_strong(self, share: f64) -> bool {
        self.color(share)[3] > 215
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_survives_its_png() {
        let pixels = [[255, 0, 0, 255], [0, 0, 0, 0], [10, 20, 30, 255], [0, 114, 178, 128]];
        let png = Image::new(2, 2, pixels.into_iter()).png();
        let decoded = Pixmap::decode_png(&png).expect("it is a PNG");
        assert_eq!((decoded.width(), decoded.height()), (2, 2));
        for (found, expected) in decoded.pixels().iter().zip(pixels) {
            let found = found.demultiply();
            let found = [found.red(), found.green(), found.blue(), found.alpha()];
            assert!(
                found.iter().zip(expected).all(|(f, e)| f.abs_diff(e) <= 1),
                "{found:?} for {expected:?}"
            );
        }
    }

    #[test]
    fn zero_is_paper_and_nan_is_nothing() {
        assert_eq!(ColorMap::Sequential.color(0.0)[3], 0);
        assert_eq!(ColorMap::Diverging.color(0.5)[3], 0);
        assert_eq!(ColorMap::Diverging.color(0.0)[..3], [213, 94, 0]);
        assert_eq!(ColorMap::Diverging.color(1.0), ColorMap::Sequential.color(1.0));
        assert_eq!(ColorMap::Sequential.color(f64::NAN), CLEAR);
    }
}
