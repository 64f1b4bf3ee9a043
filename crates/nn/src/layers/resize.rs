//! Layers that resize images: by interpolation, or by rearranging channels.

use autograd::{Graph, Interpolation, ResizeTo, Var};

use super::pair::Pair;
use crate::config::{Args, Describe, described};
use crate::layer::Layer;

/// Resizes images, `[n, h, w, c]` to `[n, h', w', c]`: takes the nearest pixel, or interpolates between the
/// nearest four.
///
/// ```
/// use nn::{Interpolation, Upsample};
/// let up = Upsample::scale_factor(2.0).mode(Interpolation::Bilinear { align_corners: false });
/// assert_eq!(format!("{up:?}"), "Upsample(scale_factor=2.0, mode='bilinear')");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Upsample {
    to: ResizeTo,
    mode: Interpolation,
}

impl Upsample {
    /// Resizes to this size with the nearest pixel; one number or `[height, width]`.
    pub fn size(size: impl Into<Pair>) -> Self {
        Self { to: ResizeTo::Size(size.into().0), mode: Interpolation::Nearest }
    }

    /// Resizes to this many times the height and width, rounded down, with the nearest pixel.
    pub fn scale_factor(factor: f64) -> Self {
        Self { to: ResizeTo::ScaleFactor([factor; 2]), mode: Interpolation::Nearest }
    }

    /// Sets the interpolation; the default is [`Interpolation::Nearest`].
    pub fn mode(mut self, mode: Interpolation) -> Self {
        self.mode = mode;
        self
    }
}

/// Rearranges each pixel's channels into a square of pixels: `[n, h, w, c·r²]` to `[n, h·r, w·r, c]`,
/// channels numbered as in PyTorch. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
/// Efficient Sub-Pixel Convolutional Neural Network", 2016.
#[derive(Clone)]
#[must_use]
pub struct PixelShuffle {
    upscale_factor: usize,
}

impl PixelShuffle {
    /// Creates a layer with squares of `upscale_factor` × `upscale_factor` pixels.
    pub fn new(upscale_factor: usize) -> Self {
        Self { upscale_factor }
    }
}

/// Rearranges squares of pixels into the channels of one pixel, the inverse of [`PixelShuffle`]: `[n, h·r,
/// w·r, c]` to `[n, h, w, c·r²]`.
#[derive(Clone)]
#[must_use]
pub struct PixelUnshuffle {
    downscale_factor: usize,
}

impl PixelUnshuffle {
    /// Creates a layer with squares of `downscale_factor` × `downscale_factor` pixels.
    pub fn new(downscale_factor: usize) -> Self {
        Self { downscale_factor }
    }
}

impl Layer for Upsample {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.interpolate(x, self.to, self.mode)
    }
}

impl Layer for PixelShuffle {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.pixel_shuffle(x, self.upscale_factor)
    }
}

impl Layer for PixelUnshuffle {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.pixel_unshuffle(x, self.downscale_factor)
    }
}

impl Describe for Upsample {
    const NAME: &str = "Upsample";

    fn blank() -> Self {
        Self::scale_factor(1.0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        let (mut size, mut factor) = match self.to {
            ResizeTo::Size(size) => (Some(size), None),
            // Both axes have the same factor.
            ResizeTo::ScaleFactor([factor, _]) => (None, Some(factor)),
        };
        args.option("size", &mut size, None);
        args.option("scale_factor", &mut factor, None);
        let (mut mode, mut align_corners) = match self.mode {
            Interpolation::Nearest => ("nearest".to_owned(), false),
            Interpolation::Bilinear { align_corners } => ("bilinear".to_owned(), align_corners),
        };
        args.shown("mode", &mut mode, "nearest".to_owned());
        args.option("align_corners", &mut align_corners, false);
        match (size, factor) {
            (Some(size), None) => self.to = ResizeTo::Size(size),
            (None, Some(factor)) => self.to = ResizeTo::ScaleFactor([factor; 2]),
            _ => args.refuse("give either a size or a scale_factor"),
        }
        match mode.as_str() {
            "nearest" if align_corners => args.refuse("align_corners=True needs the mode 'bilinear'"),
            "nearest" => self.mode = Interpolation::Nearest,
            "bilinear" => self.mode = Interpolation::Bilinear { align_corners },
            other => args.refuse(&format!("the mode is '{other}', expected 'nearest' or 'bilinear'")),
        }
    }
}

impl Describe for PixelShuffle {
    const NAME: &str = "PixelShuffle";

    fn blank() -> Self {
        Self::new(1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("upscale_factor", &mut self.upscale_factor);
    }
}

impl Describe for PixelUnshuffle {
    const NAME: &str = "PixelUnshuffle";

    fn blank() -> Self {
        Self::new(1)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.named("downscale_factor", &mut self.downscale_factor);
    }
}

described!(Upsample, PixelShuffle, PixelUnshuffle);
