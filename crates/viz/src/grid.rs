//! Small multiples: plots in rows and columns.

use crate::bounds::checked_size;
use crate::canvas::{Canvas, Rect};
use crate::error::{Error, Result};
use crate::frame;
use crate::legend::{Key, Legend};
use crate::plot::{Draw, Plot, ShowLegend};
use crate::sizes::MARGIN;

/// Plots in rows and columns. If all have the same legend, it is drawn once above them.
///
/// ```
/// use viz::{Figure, Grid, Plot, Theme};
///
/// let panel = |lr: f64| {
///     let xs: Vec<f64> = (0..10).map(|t| 1.5 * (1.0 - 2.0 * lr).powi(t)).collect();
///     let ys: Vec<f64> = xs.iter().map(|x| x * x).collect();
///     Figure::new(format!("lr {lr}")).function("x²", -1.6, 1.6, |x| x * x).path("descent", &xs, &ys)
/// };
/// let grid = Grid::new("Gradient descent on x²", 2).panel(panel(0.1)).panel(panel(0.9));
/// assert!(grid.svg(Theme::Auto)?.starts_with("<svg"));
/// # Ok::<(), viz::Error>(())
/// ```
pub struct Grid {
    title: String,
    n_columns: usize,
    panel_size: (u32, u32),
    panels: Vec<Box<dyn Plot>>,
}

const TITLE_SIZE: f64 = 17.0;
const LEGEND_SIZE: f64 = 11.5;

impl Grid {
    /// An empty grid with `n_columns` columns of 320 × 240 pixels.
    ///
    /// # Panics
    /// If `n_columns` is not in 1..=20.
    #[track_caller]
    pub fn new(title: impl Into<String>, n_columns: usize) -> Self {
        assert!((1..=20).contains(&n_columns), "Grid::new: expected 1 to 20 columns, got {n_columns}");
        Grid { title: title.into(), n_columns, panel_size: (320, 240), panels: Vec::new() }
    }

    /// Sets the width and height of each plot in pixels, overriding its own size.
    ///
    /// # Panics
    /// If either is not in 100..=10000.
    #[track_caller]
    pub fn panel_size(mut self, width: u32, height: u32) -> Self {
        self.panel_size = checked_size("Grid::panel_size", width, height);
        self
    }

    /// Adds a plot.
    pub fn panel(mut self, plot: impl Plot + 'static) -> Self {
        self.panels.push(Box::new(plot));
        self
    }

    /// The common legend of all panels, if there is one.
    fn common_keys(&self) -> Vec<Key> {
        let first = self.panels.first().map(|panel| panel.keys()).unwrap_or_default();
        if self.panels.iter().all(|panel| panel.keys() == first) { first } else { Vec::new() }
    }

    fn title_room(&self) -> f64 {
        if self.title.is_empty() { 0.0 } else { MARGIN + TITLE_SIZE + MARGIN }
    }

    fn width(&self) -> f64 {
        self.n_columns.min(self.panels.len()).max(1) as f64 * f64::from(self.panel_size.0)
    }

    /// The legend above all panels, at most as high as one of them.
    fn common_legend<'k>(&self, keys: &'k [Key]) -> Legend<'k> {
        Legend::new(keys, self.width(), self.panel_size.1.into(), LEGEND_SIZE)
    }
}

impl Draw for Grid {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let n_rows = self.panels.len().div_ceil(self.n_columns) as f64;
        let top = self.title_room() + self.common_legend(&self.common_keys()).height;
        (self.width() as u32, (n_rows * f64::from(self.panel_size.1) + top).ceil() as u32)
    }

    fn check(&self) -> Result<()> {
        if self.panels.is_empty() {
            return Err(Error::Empty { plot: self.title.clone(), part: "the grid".to_owned() });
        }
        self.panels.iter().try_for_each(|panel| panel.check())
    }

    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, _: ShowLegend) {
        frame::draw_title(canvas, area, &self.title, TITLE_SIZE);
        let keys = self.common_keys();
        let common = self.common_legend(&keys);
        common.draw(canvas, (area.left, area.top + self.title_room()));
        let legend = if keys.is_empty() { ShowLegend::Here } else { ShowLegend::Elsewhere };
        let top = area.top + self.title_room() + common.height;
        let (width, height) = (f64::from(self.panel_size.0), f64::from(self.panel_size.1));
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = ((i / self.n_columns) as f64, (i % self.n_columns) as f64);
            let (left, top) = (area.left + column * width, top + row * height);
            panel.draw(canvas, Rect { left, top, width, height }, legend);
        }
    }
}
