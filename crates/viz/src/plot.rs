//! What all plots have in common: writing SVG, PNG, or a file.

use std::path::Path;

use crate::canvas::{Canvas, Rect};
use crate::error::{Error, Result};
use crate::legend::Key;
use crate::theme::{PAPER, Theme};
use crate::{raster, svg};

/// A plot that can be written as SVG or PNG, or saved as either. Implemented only by this crate's plots.
///
/// The same numbers give the same bytes on every machine: text is drawn with the font embedded in this crate,
/// and no system library is used.
pub trait Plot: Draw {
    /// The figure as an SVG document, for use on its own or in a page.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::NothingToDraw`] if there is nothing to draw; [`Error::LogRange`] if a
    /// logarithmic axis was given a range that begins at 0 or below.
    fn svg(&self, theme: Theme) -> Result<String> {
        self.check()?;
        Ok(svg::document(&canvas(self), self.title(), self.size(), theme))
    }

    /// The figure as the bytes of a PNG file, twice as wide and high in pixels as [`svg`](Plot::svg), for
    /// high-resolution screens. [`Theme::Auto`] is light.
    ///
    /// # Errors
    /// As for [`svg`](Plot::svg); [`Error::TooLarge`] for a figure of more than 2²⁶ pixels, before doubling.
    fn png(&self, theme: Theme) -> Result<Vec<u8>> {
        const SCALE: u32 = 2;
        /// This many take a gibibyte to draw.
        const MAX_PIXELS: u64 = 1 << 26;
        self.check()?;
        let (width, height) = self.size();
        let too_large =
            || Error::TooLarge { plot: self.title().to_owned(), width, height, max_pixels: MAX_PIXELS };
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(too_large());
        }
        raster::png(&canvas(self), (width, height), theme, SCALE).ok_or_else(too_large)
    }

    /// Writes the figure to `path`, by its extension: SVG for light and dark ([`Theme::Auto`]) or a light
    /// PNG. The file is replaced atomically, so readers see the old figure or the new one.
    ///
    /// # Errors
    /// As for [`svg`](Plot::svg) or [`png`](Plot::png); [`Error::Extension`] for another extension,
    /// [`Error::Write`] if the file cannot be written.
    fn save(&self, path: impl AsRef<Path>) -> Result<()>
    where
        Self: Sized,
    {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let bytes = match extension.as_deref() {
            Some("svg") => self.svg(Theme::Auto)?.into_bytes(),
            Some("png") => self.png(Theme::Light)?,
            _ => return Err(Error::Extension { path: path.to_owned() }),
        };
        atomic_file::write(path, &bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}

impl<P: Draw + ?Sized> Plot for P {}

/// Draws the whole plot on paper.
fn canvas(plot: &(impl Draw + ?Sized)) -> Canvas {
    let (width, height) = plot.size();
    let area = Rect { left: 0.0, top: 0.0, width: width.into(), height: height.into() };
    let mut canvas = Canvas::default();
    canvas.rect(area, PAPER);
    plot.draw(&mut canvas, area, ShowLegend::Here);
    canvas
}

/// What shows the legend: the plot itself, or the grid it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowLegend {
    /// The plot.
    Here,
    /// The grid.
    Elsewhere,
}

/// What each kind of plot implements.
pub trait Draw: Send + Sync {
    /// The plot's title.
    fn title(&self) -> &str;
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);
    /// Checks that there is something to draw.
    fn check(&self) -> Result<()>;
    /// The entries of the legend.
    fn keys(&self) -> Vec<Key>;
    /// Draws the plot to fill `area`.
    fn draw(&self, canvas: &mut Canvas, area: Rect, legend: ShowLegend);
}

impl<P: Draw + ?Sized> Draw for Box<P> {
    fn title(&self) -> &str {
        (**self).title()
    }

    fn size(&self) -> (u32, u32) {
        (**self).size()
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn keys(&self) -> Vec<Key> {
        (**self).keys()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, legend: ShowLegend) {
        (**self).draw(canvas, area, legend);
    }
}
