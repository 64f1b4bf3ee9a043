//! The parts of a figure: what each kind of series and annotation does its own way.

use crate::bounds::Bounds;
use crate::legend::Key;
use crate::panel::Panel;

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
    fn draw(&self, panel: &mut Panel, color_idx: usize);
    /// Draws what must lie above all layers.
    fn draw_above(&self, _panel: &mut Panel, _color_idx: usize) {}
}
