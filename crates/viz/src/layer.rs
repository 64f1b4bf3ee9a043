//! The parts of a figure: what each kind of series and annotation implements.

use crate::bounds::Bounds;
use crate::legend::Key;
use crate::panel::Panel;

/// A series or an annotation.
pub(crate) trait Layer: Send + Sync {
    /// Its name in the legend and errors.
    fn name(&self) -> &str;
    /// The number of its values.
    fn n_values(&self) -> usize;
    /// Extends the bounds to make room for it.
    fn extend(&self, bounds: &mut Bounds);
    /// Whether it takes the next colour of the palette.
    fn takes_color(&self) -> bool {
        true
    }
    /// Its entry in the legend.
    fn key(&self, color_idx: usize) -> Option<Key>;
    /// Draws it.
    fn draw(&self, panel: &mut Panel, color_idx: usize);
    /// Draws what must be above all layers.
    fn draw_above(&self, _panel: &mut Panel, _color_idx: usize) {}
}
