//! The outside of a plot: title, legend, axes and their labels, and the room that each of them takes.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBAColor, ShapeStyle};

use crate::axis::Axis;
use crate::canvas::{Canvas, FINE, Pen, fine};
use crate::panel::{Area, Chart, Drawn, Panel, Shape, Stroke, draw_shape, text_style};
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

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub(crate) name: String,
    pub(crate) symbol: Symbol,
    pub(crate) color: RGBAColor,
}

impl Key {
    /// An entry for a series that has a name.
    pub(crate) fn named(name: &str, symbol: Symbol, color: impl Color) -> Option<Self> {
        (!name.is_empty()).then(|| Key { name: name.to_owned(), symbol, color: color.to_rgba() })
    }
}

/// What stands for a series in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Symbol {
    Line { dashed: bool },
    Points(Shape),
    Path,
    Box,
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

impl Frame<'_> {
    /// Draws the frame and, with `inside`, what it holds.
    pub(crate) fn draw<'c>(
        &self,
        area: &Area<'c>,
        canvas: &'c Canvas,
        inside: impl FnOnce(&mut Panel<'c>) -> Drawn,
    ) -> Drawn {
        let (width, height) = size(area);
        let sizes = Sizes::for_width(width);
        let top = self.draw_head(area, canvas, sizes)?;

        let y = (self.y)(((height - top) / 46.0) as usize);
        let tick_width = widest(y.ticks(), sizes.tick);
        let label_room = |label: &str| if label.is_empty() { 0.0 } else { sizes.label + GAP };
        let left = (tick_width + GAP + label_room(self.y_label)).max(MARGIN);
        let right = self.right.max(MARGIN + GAP);
        let mut plot_width = (width - MARGIN - left - right).max(1.0);
        let x = (self.x)((plot_width / (8.0 * sizes.tick)) as usize);
        let slanted = is_crowded(&x, plot_width, sizes.tick);
        let names_room =
            if slanted { widest(x.ticks(), sizes.tick) * SLANT.1 + sizes.tick } else { sizes.tick };
        let bottom = names_room + GAP + label_room(self.x_label);
        let mut plot_height = (height - top - bottom - MARGIN).max(1.0);
        if let Some(aspect) = self.aspect {
            plot_width = plot_width.min(plot_height * aspect);
            plot_height = plot_height.min(plot_width / aspect);
        }
        let used = (left + plot_width + MARGIN, top + plot_height + bottom + MARGIN);
        let margins = [top, (height - used.1 + MARGIN).max(0.0), MARGIN, (width - used.0).max(0.0)].map(fine);

        let mut chart = ChartBuilder::on(area)
            .margin_top(margins[0])
            .margin_bottom(margins[1])
            .margin_left(margins[2])
            .margin_right(margins[3])
            .set_label_area_size(LabelAreaPosition::Left, fine(left))
            .set_label_area_size(LabelAreaPosition::Bottom, fine(bottom))
            .build_cartesian_2d(x.clone(), y.clone())?;
        self.draw_axes(&mut chart, (&x, &y), sizes, slanted)?;
        let mut panel = Panel::new(chart, canvas, x, y);
        if slanted {
            draw_slanted(&panel, area, sizes.tick)?;
        }
        inside(&mut panel)
    }

    /// Grid, axes, the labels at the ticks (those of x only unless they are `slanted`) and of the axes.
    fn draw_axes(&self, chart: &mut Chart, (x, y): (&Axis, &Axis), sizes: Sizes, slanted: bool) -> Drawn {
        let style = |size, color| text_style(size, color, false, (HPos::Center, VPos::Center));
        let x_tick = |place: &f64| if slanted { String::new() } else { x.label(*place) };
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

    /// Title and legend, above the plot where they cover no data. Returns the room they take, in pixels.
    fn draw_head(&self, area: &Area, canvas: &Canvas, sizes: Sizes) -> Result<f64, DrawError> {
        let mut top = MARGIN;
        if !self.title.is_empty() {
            top += draw_title(area, self.title, top, sizes.title)?;
        }
        if !self.keys.is_empty() {
            top += draw_legend(area, canvas, self.keys, top, sizes.tick)?;
        }
        // The uppermost tick's label rises above the plot by half its height.
        Ok(top + sizes.tick / 2.0)
    }
}

type DrawError = plotters::drawing::DrawingAreaErrorKind<std::convert::Infallible>;

/// Width and height of an area in pixels.
pub(crate) fn size(area: &Area) -> (f64, f64) {
    let (width, height) = area.dim_in_pixel();
    (f64::from(width) / FINE, f64::from(height) / FINE)
}

/// Draws a title `top` pixels from the top; returns the room it takes.
pub(crate) fn draw_title(area: &Area, title: &str, top: f64, font_size: f64) -> Result<f64, DrawError> {
    let title = fitted(title, Weight::SemiBold, (size(area).0 - 2.0 * MARGIN) / font_size);
    let style = text_style(font_size, INK, true, (HPos::Left, VPos::Top));
    area.draw(&Text::new(title, (fine(MARGIN), fine(top)), style))?;
    Ok(font_size + GAP)
}

/// Draws the keys in rows, `top` pixels from the top; returns the room they take.
pub(crate) fn draw_legend(
    area: &Area,
    canvas: &Canvas,
    keys: &[Key],
    top: f64,
    font_size: f64,
) -> Result<f64, DrawError> {
    const SYMBOL_WIDTH: f64 = 20.0;
    let row_height = font_size + 7.0;
    let right = size(area).0 - MARGIN;
    let style = text_style(font_size, INK, false, (HPos::Left, VPos::Center));
    let (mut x, mut y) = (MARGIN, top + row_height / 2.0);
    for key in keys {
        let name = fitted(&key.name, Weight::Regular, (right - MARGIN - SYMBOL_WIDTH - GAP) / font_size);
        let key_width = SYMBOL_WIDTH + GAP + text::width(&name, Weight::Regular) * font_size;
        if x > MARGIN && x + key_width > right {
            (x, y) = (MARGIN, y + row_height);
        }
        draw_symbol(area, canvas, key, (x, y), SYMBOL_WIDTH)?;
        area.draw(&Text::new(name, (fine(x + SYMBOL_WIDTH + GAP), fine(y)), style.clone()))?;
        x += key_width + 3.0 * GAP;
    }
    Ok(y + row_height / 2.0 + 2.0 - top)
}

fn draw_symbol(area: &Area, canvas: &Canvas, key: &Key, (x, y): (f64, f64), width: f64) -> Drawn {
    let middle = (fine(x + width / 2.0), fine(y));
    let line = |dashed| {
        let stroke = Stroke { color: key.color, width: 2.0, dashed };
        let element = PathElement::new(vec![(fine(x), fine(y)), (fine(x + width), fine(y))], stroke.style());
        canvas.with_pen(stroke.pen(), || area.draw(&element))
    };
    match key.symbol {
        Symbol::Line { dashed } => line(dashed),
        Symbol::Points(shape) => draw_shape(area, middle, shape, 4.0, key.color),
        Symbol::Path => {
            line(false)?;
            draw_shape(area, middle, Shape::Circle, 3.5, key.color)
        }
        Symbol::Box => {
            let corners = [(fine(x + 4.0), fine(y - 5.5)), (fine(x + width), fine(y + 5.5))];
            area.draw(&Rectangle::new(corners, ShapeStyle::from(&key.color).filled()))
        }
    }
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

fn widest(ticks: &[(f64, String)], font_size: f64) -> f64 {
    ticks.iter().map(|tick| text::width(&tick.1, Weight::Regular) * font_size).fold(0.0, f64::max)
}

/// Cosine and sine of the angle of slanted labels, 40°.
const SLANT: (f64, f64) = (0.766, 0.643);

/// Whether the labels below a plot are too wide to stand side by side.
fn is_crowded(axis: &Axis, plot_width: f64, font_size: f64) -> bool {
    let slot = plot_width / axis.ticks().len().max(1) as f64;
    !axis.has_grid() && widest(axis.ticks(), font_size) + GAP > slot
}

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
