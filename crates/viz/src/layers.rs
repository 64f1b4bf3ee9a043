//! What can be drawn on a pair of axes.

mod contour;
mod histogram;
mod lines;
mod points;

pub(crate) use contour::Contour;
pub(crate) use histogram::Histogram;
pub(crate) use lines::{Band, Line, Rule};
pub(crate) use points::{Mark, Path, Scatter};

use crate::bounds::Bounds;
use crate::legend::Key;
use crate::panel::{Drawn, Panel};

/// A series or an annotation.
pub(crate) trait Layer: Send + Sync {
    /// What it is called in legend and errors.
    fn name(&self) -> &str;
    /// How many values it was given.
    fn n_values(&self) -> usize;
    /// Makes room for it.
    fn extend(&self, bounds: &mut Bounds);
    /// Whether it takes the next colour of the palette.
    fn takes_color(&self) -> bool {
        true
    }
    /// Its entry in the legend.
    fn key(&self, color_idx: usize) -> Option<Key>;
    /// Draws it.
    fn draw(&self, panel: &mut Panel, color_idx: usize) -> Drawn;
    /// Draws what must lie above all layers.
    fn draw_above(&self, _panel: &mut Panel, _color_idx: usize) -> Drawn {
        Ok(())
    }
}
