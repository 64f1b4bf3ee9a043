//! Images in rows and columns.

use crate::bounds::checked_count;
use crate::canvas::{Anchor, Canvas, Point, Rect, TextStyle};
use crate::error::{Error, Result};
use crate::frame;
use crate::legend::Key;
use crate::pixels::{CLEAR, Image};
use crate::plot::{Draw, ShowLegend};
use crate::sizes::MARGIN;
use crate::text::{self, Weight};
use crate::theme::{GREEN, INK, VERMILION};

/// Images in rows, each with its caption and an optional coloured border.
///
/// ```
/// use viz::{Border, ImageGrid, Plot, Theme, Tile};
///
/// let pixels = [200; 32 * 32 * 3];
/// let grid = ImageGrid::new("The most confident mistakes", 4)
///     .tile(Tile::rgb(32, 32, &pixels).caption("cat 98 %\nis: dog").border(Border::Bad))
///     .tile(Tile::rgb(32, 32, &pixels).caption("ship 99 %").border(Border::Good));
/// assert!(grid.svg(Theme::Auto)?.starts_with("<svg"));
/// # Ok::<(), viz::Error>(())
/// ```
pub struct ImageGrid {
    title: String,
    n_columns: usize,
    tile_width: u32,
    tiles: Vec<Tile>,
}

/// An image of an [`ImageGrid`].
#[derive(Clone)]
pub struct Tile {
    image: Image,
    caption: Vec<String>,
    border: Option<Border>,
}

/// The colour of a [`Tile`]'s border, by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Green: correct.
    Good,
    /// Vermilion: wrong.
    Bad,
}

impl Tile {
    /// A colour image: `pixels` are row-major from the top, with three bytes each for red, green and blue.
    ///
    /// # Panics
    /// If there are not `height * width * 3` bytes, or none.
    #[track_caller]
    pub fn rgb(height: usize, width: usize, pixels: &[u8]) -> Self {
        check_pixels("Tile::rgb", pixels.len(), &[(height, "rows"), (width, "columns"), (3, "")]);
        let color = |rgb: &[u8]| [rgb[0], rgb[1], rgb[2], 255];
        Tile::new(Image::new(width, height, pixels.chunks_exact(3).map(color)))
    }

    /// A grey image of row-major `values` from the top: the smallest is black, the largest white. A value
    /// that is not finite is transparent.
    ///
    /// # Panics
    /// If there are not `height * width` values, or none.
    #[track_caller]
    pub fn gray(height: usize, width: usize, values: &[f32]) -> Self {
        check_pixels("Tile::gray", values.len(), &[(height, "rows"), (width, "columns")]);
        let finite = values.iter().filter(|v| v.is_finite());
        let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| {
            (lo.min(f64::from(v)), hi.max(f64::from(v)))
        });
        let color = |&v: &f32| {
            if !v.is_finite() {
                return CLEAR;
            }
            let share = if hi > lo { (f64::from(v) - lo) / (hi - lo) } else { 0.5 };
            let gray = (share * 255.0).round() as u8;
            [gray, gray, gray, 255]
        };
        Tile::new(Image::new(width, height, values.iter().map(color)))
    }

    fn new(image: Image) -> Self {
        Tile { image, caption: Vec::new(), border: None }
    }

    /// The ratio of height to width, as drawn.
    fn aspect(&self) -> f64 {
        (self.image.height as f64 / self.image.width as f64).clamp(1.0 / MAX_ASPECT, MAX_ASPECT)
    }

    /// Sets the text under the image; `\n` starts a new line. At most 8 lines are shown.
    pub fn caption(mut self, caption: impl AsRef<str>) -> Self {
        self.caption = caption.as_ref().lines().take(MAX_LINES).map(str::to_owned).collect();
        self
    }

    /// Sets a border around the image.
    pub fn border(mut self, border: Border) -> Self {
        self.border = Some(border);
        self
    }
}

#[track_caller]
fn check_pixels(op: &str, found: usize, shape: &[(usize, &str)]) {
    checked_count(op, found, shape);
    assert!(found > 0, "{op}: expected at least one pixel");
}

/// An image is drawn with an aspect ratio of at most this.
const MAX_ASPECT: f64 = 8.0;
/// A caption has at most this many lines.
const MAX_LINES: usize = 8;
const CAPTION_SIZE: f64 = 11.5;
const LINE_HEIGHT: f64 = 14.0;
const TITLE_SIZE: f64 = 15.5;
const BORDER_WIDTH: f64 = 3.0;
/// The space between tiles.
const GUTTER: f64 = 14.0;

impl ImageGrid {
    /// An empty grid with `n_columns` columns of 88 pixels.
    ///
    /// # Panics
    /// If `n_columns` is not in 1..=100.
    #[track_caller]
    pub fn new(title: impl Into<String>, n_columns: usize) -> Self {
        assert!((1..=100).contains(&n_columns), "ImageGrid::new: expected 1 to 100 columns, got {n_columns}");
        ImageGrid { title: title.into(), n_columns, tile_width: 88, tiles: Vec::new() }
    }

    /// Sets the width of the images in pixels. Narrower images are enlarged. Their pixels stay square, unless
    /// one side would be more than eight times as long as the other.
    ///
    /// # Panics
    /// If it is not in 8..=1000.
    #[track_caller]
    pub fn tile_width(mut self, width: u32) -> Self {
        assert!((8..=1000).contains(&width), "ImageGrid::tile_width: expected 8 to 1000 pixels, got {width}");
        self.tile_width = width;
        self
    }

    /// Adds an image.
    pub fn tile(mut self, tile: Tile) -> Self {
        self.tiles.push(tile);
        self
    }

    fn n_rows(&self) -> usize {
        self.tiles.len().div_ceil(self.n_columns)
    }

    fn top(&self) -> f64 {
        if self.title.is_empty() { MARGIN } else { MARGIN + TITLE_SIZE + GUTTER }
    }

    fn n_columns(&self) -> f64 {
        self.n_columns.min(self.tiles.len()).max(1) as f64
    }

    /// The ratio of height to width of the tallest image.
    fn aspect(&self) -> f64 {
        self.tiles.iter().map(Tile::aspect).fold(0.0, f64::max)
    }

    /// The space for the longest caption.
    fn caption_room(&self) -> f64 {
        let n_lines = self.tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or(0);
        n_lines as f64 * LINE_HEIGHT + if n_lines > 0 { 4.0 } else { 0.0 }
    }

    /// The width of the images that lets all of them fit; smaller than requested in a small panel of a grid.
    fn fitting_width(&self, (width, height): (f64, f64)) -> f64 {
        let by_width = (width - 2.0 * MARGIN + GUTTER) / self.n_columns() - GUTTER;
        let row_height = (height - self.top() - MARGIN + GUTTER) / self.n_rows() as f64 - GUTTER;
        let by_height = (row_height - self.caption_room()) / self.aspect();
        f64::from(self.tile_width).min(by_width).min(by_height).max(1.0)
    }

    fn draw_tile(canvas: &mut Canvas, tile: &Tile, (left, top): Point, width: f64) {
        let height = width * tile.aspect();
        if let Some(border) = tile.border {
            let color = if border == Border::Good { GREEN } else { VERMILION };
            let (left, top) = (left - BORDER_WIDTH, top - BORDER_WIDTH);
            let (width, height) = (width + 2.0 * BORDER_WIDTH, height + 2.0 * BORDER_WIDTH);
            canvas.rect(Rect { left, top, width, height }, color);
        }
        canvas.image(Rect { left, top, width, height }, tile.image.clone(), false);
        let style = TextStyle::new(CAPTION_SIZE, INK, Anchor::Middle, Anchor::Start);
        for (i, line) in tile.caption.iter().enumerate() {
            let line = text::fitted(line, Weight::Regular, (width + GUTTER - 4.0) / CAPTION_SIZE);
            canvas.text(line, (left + width / 2.0, top + height + 7.0 + i as f64 * LINE_HEIGHT), style);
        }
    }
}

impl Draw for ImageGrid {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let tile_width = f64::from(self.tile_width);
        let row_height = tile_width * self.aspect() + self.caption_room();
        let width = 2.0 * MARGIN + self.n_columns() * (tile_width + GUTTER) - GUTTER;
        let height = self.top() + self.n_rows() as f64 * (row_height + GUTTER) - GUTTER + MARGIN;
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn check(&self) -> Result<()> {
        if self.tiles.is_empty() {
            return Err(Error::Empty { plot: self.title.clone(), part: "the grid of images".to_owned() });
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, _: ShowLegend) {
        frame::draw_title(canvas, area, &self.title, TITLE_SIZE);
        let tile_width = self.fitting_width((area.width, area.height));
        let row_height = tile_width * self.aspect() + self.caption_room();
        for (i, tile) in self.tiles.iter().enumerate() {
            let (row, column) = ((i / self.n_columns) as f64, (i % self.n_columns) as f64);
            let left = area.left + MARGIN + column * (tile_width + GUTTER);
            let top = area.top + self.top() + row * (row_height + GUTTER);
            Self::draw_tile(canvas, tile, (left, top), tile_width);
        }
    }
}
