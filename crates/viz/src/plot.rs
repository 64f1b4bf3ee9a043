//! What all plots have in common: they become SVG, PNG, or a file.

use std::path::Path;

use plotters::drawing::IntoDrawingArea;
use plotters::element::Rectangle;
use plotters::style::Color;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::canvas::{Canvas, fine};
use crate::error::{Error, Result};
use crate::legend::Key;
use crate::panel::{Area, Drawn};
use crate::theme::{PAPER, Theme};

/// A picture in the making: it becomes SVG or PNG, or is saved as either. Every plot of this crate is one, and
/// nothing else can be.
///
/// The same numbers give the same bytes on every machine: text is drawn with the font in this crate, and no
/// system library has a part in it.
pub trait Plot: Draw {
    /// The picture as an SVG document. It can stand alone or within a page.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::NothingToDraw`] if there is nothing to see.
    fn svg(&self, theme: Theme) -> Result<String> {
        self.check()?;
        let (width, height) = self.size();
        let canvas = Canvas::new(self.title(), (width, height), theme);
        let area = (&canvas).into_drawing_area();
        let corners = [(0, 0), (fine(f64::from(width)), fine(f64::from(height)))];
        area.draw(&Rectangle::new(corners, PAPER.filled()))
            .and_then(|()| self.draw(&area, &canvas, ShowLegend::Here))
            .map_err(|reason| Error::Draw { plot: self.title().to_owned(), reason: reason.to_string() })?;
        drop(area);
        Ok(canvas.into_svg(self.title()))
    }

    /// The picture as a PNG file's bytes, two pixels for each of [`svg`](Plot::svg), as sharp screens have
    /// them.
    ///
    /// # Errors
    /// As [`svg`](Plot::svg).
    fn png(&self, theme: Theme) -> Result<Vec<u8>> {
        const SCALE: u32 = 2;
        // The rasteriser knows no CSS variables.
        let theme = if theme == Theme::Auto { Theme::Light } else { theme };
        let svg = self.svg(theme)?;
        let failed = |reason: String| Error::Draw { plot: self.title().to_owned(), reason };
        let tree = Tree::from_str(&svg, &Options::default()).map_err(|e| failed(e.to_string()))?;
        let (width, height) = self.size();
        let mut pixmap = Pixmap::new(width * SCALE, height * SCALE)
            .ok_or_else(|| failed(format!("{width} × {height} pixels are too many")))?;
        resvg::render(&tree, Transform::from_scale(SCALE as f32, SCALE as f32), &mut pixmap.as_mut());
        pixmap.encode_png().map_err(|e| failed(e.to_string()))
    }

    /// Writes the picture to `path`: SVG for light and dark ([`Theme::Auto`]) or a light PNG, by the file
    /// name's ending. Whoever reads the file finds the old picture or the new one, never half of one.
    ///
    /// # Errors
    /// As [`svg`](Plot::svg); [`Error::Extension`] for another ending, [`Error::Write`] if the file cannot be
    /// written.
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

/// Who shows the legend: the plot itself, or the grid that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowLegend {
    /// The plot.
    Here,
    /// The grid.
    Elsewhere,
}

/// What each kind of plot does its own way.
pub trait Draw: Send + Sync {
    /// The plot's title.
    fn title(&self) -> &str;
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);
    /// Whether there is something to draw.
    fn check(&self) -> Result<()>;
    /// The entries of the legend.
    fn keys(&self) -> Vec<Key>;
    /// Draws the plot to fill `area`.
    fn draw<'c>(&self, area: &Area<'c>, canvas: &'c Canvas, legend: ShowLegend) -> Drawn;
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

    fn draw<'c>(&self, area: &Area<'c>, canvas: &'c Canvas, legend: ShowLegend) -> Drawn {
        (**self).draw(area, canvas, legend)
    }
}
