//! The outside of a plot: title, legend, axes and their labels, and the room that each of them takes.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::element::Text;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use crate::axis::Axis;
use crate::canvas::{Canvas, FINE, Pen, fine};
use crate::legend::{Key, Legend};
use crate::panel::{Area, Chart, Drawn, Panel, text_style};
use crate::text::{self, Weight};
use crate::theme::{AXIS, GRID, INK, MUTED};

/// Room around everything, and between one thing and the next, in pixels.
pub(crate) const MARGIN: f64 = 12.0;
pub(crate) const GAP: f64 = 6.0;

/// Sizes of text in pixels; a small panel has smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) title: f64,
    pub(crate) label: f64,
    pub(crate) tick: f64,
}

impl Sizes {
    pub(crate) fn for_width(width: f64) -> Self {
        if width < 420.0 {
            Sizes { title: 12.5, label: 11.0, tick: 10.0 }
        } else {
            Sizes { title: 15.5, label: 12.5, tick: 11.5 }
        }
    }
}

/// Axes are made when their length is known, for it decides the number of ticks.
pub(crate) type MakeAxis<'f> = &'f dyn Fn(usize) -> Axis;

/// A plot but for its inside.
pub(crate) struct Frame<'f> {
    pub(crate) title: &'f str,
    pub(crate) x_label: &'f str,
    pub(crate) y_label: &'f str,
    pub(crate) keys: &'f [Key],
    pub(crate) x: MakeAxis<'f>,
    pub(crate) y: MakeAxis<'f>,
    /// Room to the right of the plot, in pixels.
    pub(crate) right: f64,
    /// Width over height of the plot, if it is fixed.
    pub(crate) aspect: Option<f64>,
}

/// Where the parts of a frame are, in pixels.
struct Layout<'k> {
    sizes: Sizes,
    legend: Legend<'k>,
    /// Room for the title, and for title and legend together.
    title_room: f64,
    top: f64,
    /// Room for ticks and labels.
    left: f64,
    bottom: f64,
    plot: (f64, f64),
    x: Axis,
    y: Axis,
    slanted: bool,
}

impl<'f> Frame<'f> {
    /// The height at which a plot of fixed aspect fills a figure of `width`.
    pub(crate) fn natural_height(&self, width: f64) -> f64 {
        let layout = self.layout((width, 1e6));
        layout.top + layout.plot.1 + layout.bottom + MARGIN
    }

    /// Draws the frame and, with `inside`, what it holds.
    pub(crate) fn draw<'c>(
        &self,
        area: &Area<'c>,
        canvas: &'c Canvas,
        inside: impl FnOnce(&mut Panel<'c>) -> Drawn,
    ) -> Drawn {
        let (width, height) = size(area);
        let layout = self.layout((width, height));
        if !self.title.is_empty() {
            draw_title(area, self.title, MARGIN, layout.sizes.title)?;
        }
        layout.legend.draw(area, canvas, MARGIN + layout.title_room)?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(fine(layout.top))
            .margin_bottom(fine((height - layout.top - layout.plot.1 - layout.bottom).max(0.0)))
            .margin_left(fine(MARGIN))
            .margin_right(fine((width - MARGIN - layout.left - layout.plot.0).max(0.0)))
            .set_label_area_size(LabelAreaPosition::Left, fine(layout.left))
            .set_label_area_size(LabelAreaPosition::Bottom, fine(layout.bottom))
            .build_cartesian_2d(layout.x.clone(), layout.y.clone())?;
        self.draw_axes(&mut chart, &layout)?;
        let mut panel = Panel::new(chart, canvas, layout.x, layout.y);
        if layout.slanted {
            draw_slanted(&panel, area, layout.sizes.tick)?;
        }
        inside(&mut panel)
    }

    fn layout(&self, (width, height): (f64, f64)) -> Layout<'f> {
        let sizes = Sizes::for_width(width);
        let legend = Legend::new(self.keys, width, sizes.tick);
        let title_room = if self.title.is_empty() { 0.0 } else { sizes.title + GAP };
        // The uppermost tick's label rises above the plot by half its height.
        let top = MARGIN + title_room + legend.height + sizes.tick / 2.0;

        let y = (self.y)(((height - top) / 46.0).max(2.0) as usize).thinned(sizes.tick / (height - top));
        let label_room = |label: &str| if label.is_empty() { 0.0 } else { sizes.label + GAP };
        let left = widest(&y, sizes.tick) + GAP + label_room(self.y_label);
        let right = self.right.max(MARGIN + GAP);
        let mut plot_width = (width - MARGIN - left - right).max(1.0);

        let x = legible_axis(self.x, plot_width, sizes.tick);
        let slanted = !x.has_grid() && !is_legible(&x, plot_width, sizes.tick);
        let x = if slanted { x.thinned(1.4 * sizes.tick / plot_width) } else { x };
        let ticks_room = match widest(&x, sizes.tick) {
            0.0 => 0.0,
            width if slanted => GAP + width * SLANT.1 + sizes.tick * SLANT.0,
            _ => GAP + sizes.tick,
        };
        let bottom = ticks_room + label_room(self.x_label);
        let mut plot_height = (height - top - bottom - MARGIN).max(1.0);
        if let Some(aspect) = self.aspect {
            plot_width = plot_width.min(plot_height * aspect);
            plot_height = plot_height.min(plot_width / aspect);
        }
        let plot = (plot_width, plot_height);
        Layout { sizes, legend, title_room, top, left, bottom, plot, x, y, slanted }
    }

    /// Grid, axes, the labels at the ticks (those of x only unless they are slanted) and of the axes.
    fn draw_axes(&self, chart: &mut Chart, Layout { x, y, sizes, slanted, .. }: &Layout) -> Drawn {
        let style = |size, color| text_style(size, color, false, (HPos::Center, VPos::Center));
        let x_tick = |place: &f64| if *slanted { String::new() } else { x.label(*place) };
        let y_tick = |place: &f64| y.label(*place);
        let mut mesh = chart.configure_mesh();
        if !x.has_grid() {
            mesh.disable_x_mesh();
        }
        if !y.has_grid() {
            mesh.disable_y_mesh();
        }
        if !self.x_label.is_empty() {
            mesh.x_desc(self.x_label);
        }
        if !self.y_label.is_empty() {
            mesh.y_desc(self.y_label);
        }
        mesh.bold_line_style(GRID.stroke_width(fine(1.0) as u32))
            .light_line_style(GRID.mix(0.6).stroke_width(fine(0.6) as u32))
            .axis_style(AXIS.stroke_width(fine(1.0) as u32))
            .set_all_tick_mark_size(fine(GAP / 2.0))
            .label_style(style(sizes.tick, MUTED))
            .x_label_formatter(&x_tick)
            .y_label_formatter(&y_tick)
            .axis_desc_style(style(sizes.label, INK))
            .draw()
    }
}

/// Width and height of an area in pixels.
pub(crate) fn size(area: &Area) -> (f64, f64) {
    let (width, height) = area.dim_in_pixel();
    (f64::from(width) / FINE, f64::from(height) / FINE)
}

/// Draws a title `top` pixels from the top.
pub(crate) fn draw_title(area: &Area, title: &str, top: f64, font_size: f64) -> Drawn {
    let title = fitted(title, Weight::SemiBold, (size(area).0 - 2.0 * MARGIN) / font_size);
    let style = text_style(font_size, INK, true, (HPos::Left, VPos::Top));
    area.draw(&Text::new(title, (fine(MARGIN), fine(top)), style))
}

/// `text`, cut with an ellipsis if it is wider than `width` em.
pub(crate) fn fitted(text: &str, weight: Weight, width: f64) -> String {
    if text::width(text, weight) <= width {
        return text.to_owned();
    }
    let mut cut: String = text.to_owned();
    while !cut.is_empty() && text::width(&format!("{cut}…"), weight) > width {
        cut.pop();
    }
    format!("{}…", cut.trim_end())
}

/// The width of the widest label of an axis, in pixels.
fn widest(axis: &Axis, font_size: f64) -> f64 {
    axis.ticks().iter().map(|tick| text::width(&tick.1, Weight::Regular) * font_size).fold(0.0, f64::max)
}

/// The axis with the most ticks whose labels stand clear of each other.
fn legible_axis(make: MakeAxis, length: f64, font_size: f64) -> Axis {
    let most = (length / 45.0).clamp(2.0, 12.0) as usize;
    let axes = (1..=most).rev().map(make);
    let mut legible = axes.filter(|axis| is_legible(axis, length, font_size) && axis.ticks().len() > 1);
    legible.next().unwrap_or_else(|| make(most))
}

/// Whether the labels of a horizontal axis stand clear of each other.
fn is_legible(axis: &Axis, length: f64, font_size: f64) -> bool {
    let ends = axis.ticks().iter().map(|(place, label)| {
        let half = text::width(label, Weight::Regular) * font_size / 2.0;
        (place * length - half, place * length + half)
    });
    let ends: Vec<(f64, f64)> = ends.collect();
    let gap = if axis.has_grid() { 2.0 * GAP } else { GAP };
    ends.windows(2).all(|pair| pair[0].1 + gap <= pair[1].0)
}

/// Cosine and sine of the angle of slanted labels, 40°.
const SLANT: (f64, f64) = (0.766, 0.643);

/// The labels of the x axis, slanted, each with its end at its tick.
fn draw_slanted(panel: &Panel, area: &Area, font_size: f64) -> Drawn {
    let style = text_style(font_size, MUTED, false, (HPos::Right, VPos::Center));
    let (x0, y0) = area.get_base_pixel();
    for (place, label) in panel.x.ticks() {
        let (x, y) = panel.chart.plotting_area().map_coordinate(&(*place, 0.0));
        let at = (x - x0 + fine(3.0), y - y0 + fine(GAP + 3.0));
        let pen = Pen { turn: -40, ..Pen::default() };
        panel.canvas.with_pen(pen, || area.draw(&Text::new(label.clone(), at, style.clone())))?;
    }
    Ok(())
}
