//! The strip beside a heat map that says what its colours mean.

use plotters::element::Text;
use plotters::style::text_anchor::{HPos, VPos};

use crate::axis::Axis;
use crate::canvas::{Pixels, fine};
use crate::frame::{self, GAP, MARGIN, Sizes};
use crate::panel::{Area, Drawn, Panel, text_style};
use crate::pixels::{self, ColorMap};
use crate::text::{self, Weight};
use crate::theme::MUTED;

const WIDTH: f64 = 12.0;

/// The room that it takes to the right of the plot, in pixels.
pub(crate) fn room(colors: &Axis) -> f64 {
    let widest = colors.ticks().iter().map(|tick| text::width(&tick.1, Weight::Regular)).fold(0.0, f64::max);
    MARGIN + WIDTH + GAP + widest * Sizes::for_width(f64::INFINITY).tick + MARGIN
}

/// Draws all colours from the lowest value to the highest, with ticks.
pub(crate) fn draw(panel: &Panel, area: &Area, color_map: ColorMap, colors: &Axis) -> Drawn {
    const N_STEPS: usize = 128;
    let (x0, y0) = area.get_base_pixel();
    let map = |place| panel.chart.plotting_area().map_coordinate(&place);
    let ((edge, top), (_, bottom)) = (map((1.0, 1.0)), map((1.0, 0.0)));
    let (left, right) = (edge + fine(MARGIN), edge + fine(MARGIN + WIDTH));
    let color = |i: usize| color_map.color(1.0 - (i as f64 + 0.5) / N_STEPS as f64);
    let png = pixels::encode(1, N_STEPS, (0..N_STEPS).map(color));
    panel.canvas.image((left, top), (right, bottom), &png, Pixels::Smooth);
    let size = Sizes::for_width(frame::size(area).0).tick;
    let style = text_style(size, MUTED, false, (HPos::Left, VPos::Center));
    for (place, label) in colors.ticks() {
        let y = bottom + (f64::from(top - bottom) * place).round() as i32;
        area.draw(&Text::new(label.clone(), (right - x0 + fine(GAP), y - y0), style.clone()))?;
    }
    Ok(())
}
