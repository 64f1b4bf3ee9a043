//! The colour bar of a heat map.

use crate::axis::Axis;
use crate::canvas::{Anchor, Rect, TextStyle};
use crate::panel::Panel;
use crate::pixels::{ColorMap, Image};
use crate::sizes::{GAP, MARGIN, Sizes};
use crate::text::{self, Weight};
use crate::theme::MUTED;

const WIDTH: f64 = 12.0;

/// The space it takes to the right of the plot, in pixels.
pub(crate) fn room(colors: &Axis) -> f64 {
    let labels = colors.ticks().iter().map(|tick| tick.1.as_str());
    let width = |label| text::width(label, Weight::Regular) * Sizes::for_width(f64::INFINITY).tick;
    let beside = labels.map(width).fold(0.0, f64::max);
    let above = colors.offset().map_or(0.0, width);
    MARGIN + (WIDTH + GAP + beside).max(above) + MARGIN
}

/// Draws all colours from the lowest to the highest value, with ticks, beside the plot of a figure of this
/// width.
pub(crate) fn draw(panel: &mut Panel, figure_width: f64, color_map: ColorMap, colors: &Axis) {
    const N_STEPS: usize = 128;
    let Rect { top, height, .. } = panel.rect;
    let left = panel.rect.right() + MARGIN;
    let color = |i: usize| color_map.color(1.0 - (i as f64 + 0.5) / N_STEPS as f64);
    let image = Image::new(1, N_STEPS, (0..N_STEPS).map(color));
    panel.canvas.image(Rect { left, top, width: WIDTH, height }, image, true);
    let size = Sizes::for_width(figure_width).tick;
    let style = TextStyle::new(size, MUTED, Anchor::Start, Anchor::Middle);
    for (place, label) in colors.ticks() {
        let y = top + height * (1.0 - place);
        panel.canvas.text(label, (left + WIDTH + GAP, y), style);
    }
    if let Some(offset) = colors.offset() {
        let style = TextStyle::new(size, MUTED, Anchor::Start, Anchor::End);
        panel.canvas.text(offset, (left, top - size / 2.0 - 2.0), style);
    }
}
