//! The frame of a plot: title, legend, axes and labels, and the space each of them needs.

use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, Point, Rect, Stroke, TextStyle};
use crate::legend::{Key, Legend};
use crate::panel::Panel;
use crate::sizes::{GAP, MARGIN, Sizes};
use crate::text::{self, Weight};
use crate::theme::{AXIS, GRID, INK, MUTED};

/// Axes are made once their length is known, because it determines the number of ticks.
pub(crate) type MakeAxis<'f> = &'f dyn Fn(usize) -> Axis;

/// A plot without its contents.
pub(crate) struct Frame<'f> {
    pub(crate) title: &'f str,
    pub(crate) x_label: &'f str,
    pub(crate) y_label: &'f str,
    pub(crate) keys: &'f [Key],
    pub(crate) x: MakeAxis<'f>,
    pub(crate) y: MakeAxis<'f>,
    /// Space to the right of the plot, in pixels.
    pub(crate) right: f64,
    /// The ratio of width to height of the plot, if it is fixed.
    pub(crate) aspect: Option<f64>,
}

/// The positions of a frame's parts, in pixels from its upper left.
struct Layout<'k> {
    sizes: Sizes,
    legend: Legend<'k>,
    /// Space for the title, and for the title and legend together.
    title_room: f64,
    top: f64,
    /// Space for ticks and labels.
    left: f64,
    bottom: f64,
    plot: (f64, f64),
    x: Axis,
    y: Axis,
    slanted: bool,
}

/// Names and keys take at most this fraction of the width or height.
const MOST: f64 = 0.4;

impl<'f> Frame<'f> {
    /// The height at which a plot with a fixed aspect ratio fills a figure of `width`.
    pub(crate) fn natural_height(&self, width: f64) -> f64 {
        let layout = self.layout((width, 1e6));
        layout.top + layout.plot.1 + layout.bottom + MARGIN
    }

    /// Draws the frame and, by `inside`, its contents.
    pub(crate) fn draw(&self, canvas: &mut Canvas, area: Rect, inside: impl FnOnce(&mut Panel)) {
        let layout = self.layout((area.width, area.height));
        draw_title(canvas, area, self.title, layout.sizes.title);
        layout.legend.draw(canvas, (area.left, area.top + MARGIN + layout.title_room));
        let plot = Rect {
            left: area.left + MARGIN + layout.left,
            top: area.top + layout.top,
            width: layout.plot.0,
            height: layout.plot.1,
        };
        draw_axes(canvas, plot, &layout);
        self.draw_labels(canvas, plot, &layout);
        inside(&mut Panel::new(canvas, plot, layout.x, layout.y));
    }

    fn layout(&self, (width, height): (f64, f64)) -> Layout<'f> {
        let sizes = Sizes::for_width(width);
        let legend = Legend::new(self.keys, width, height * MOST, sizes.tick);
        let title_room = if self.title.is_empty() { 0.0 } else { sizes.title + GAP };
        // The label of the top tick extends above the plot by half its height.
        let top = MARGIN + title_room + legend.height + sizes.tick / 2.0;

        let y = (self.y)(((height - top) / 46.0).max(2.0) as usize).thinned(sizes.tick / (height - top));
        let y = y.cut(|_| width * MOST / sizes.tick);
        let label_room = |label: &str, axis: &Axis| {
            if label.is_empty() && axis.offset().is_none() { 0.0 } else { sizes.label + GAP }
        };
        let left = widest(&y, sizes.tick) + GAP + label_room(self.y_label, &y);
        let right = self.right.max(MARGIN + GAP);
        let mut plot_width = (width - MARGIN - left - right).max(1.0);

        let x = legible_axis(self.x, plot_width, sizes.tick);
        let slanted = !x.has_grid() && !is_legible(&x, plot_width, sizes.tick);
        let x = if slanted { x.thinned(1.4 * sizes.tick / plot_width) } else { x };
        let x = x.cut(|place| {
            let (before, after) = (MARGIN + left + place * plot_width, (1.0 - place) * plot_width + right);
            // A slanted label ends at its tick and is about as high as it is long.
            let room = if slanted {
                (height * MOST / SLANT.1).min(before / SLANT.0)
            } else {
                2.0 * before.min(after)
            };
            room / sizes.tick
        });
        let ticks_room = match widest(&x, sizes.tick) {
            0.0 => 0.0,
            width if slanted => GAP + width * SLANT.1 + sizes.tick * SLANT.0,
            _ => GAP + sizes.tick,
        };
        let bottom = ticks_room + label_room(self.x_label, &x);
        let mut plot_height = (height - top - bottom - MARGIN).max(1.0);
        if let Some(aspect) = self.aspect {
            plot_width = plot_width.min(plot_height * aspect);
            plot_height = plot_height.min(plot_width / aspect);
        }
        let plot = (plot_width, plot_height);
        Layout { sizes, legend, title_room, top, left, bottom, plot, x, y, slanted }
    }

    /// Draws the axis labels, each beside its axis and no longer than the figure.
    fn draw_labels(&self, canvas: &mut Canvas, plot: Rect, layout: &Layout) {
        let style = TextStyle::new(layout.sizes.label, INK, Anchor::Middle, Anchor::Middle);
        let half = style.size / 2.0;
        let middle = (plot.left + plot.width / 2.0, plot.top + plot.height / 2.0);
        // As long as it can be while centred on the axis.
        let width = 2.0 * (middle.0 - (plot.left - layout.left)).min(plot.right() + GAP - middle.0);
        let x = axis_label(self.x_label, &layout.x, width / style.size);
        canvas.text(x, (middle.0, plot.bottom() + layout.bottom - half), style);
        let y = axis_label(self.y_label, &layout.y, (plot.height + layout.sizes.tick) / style.size);
        canvas.text(y, (plot.left - layout.left + half, middle.1), TextStyle { turn: -90, ..style });
    }
}

/// An axis label with the offset of its ticks, truncated to `width` em.
fn axis_label(label: &str, axis: &Axis, width: f64) -> String {
    let Some(offset) = axis.offset() else {
        return text::fitted(label, Weight::Regular, width);
    };
    let offset = if label.is_empty() { offset.to_owned() } else { format!(" ({offset})") };
    let label = text::fitted(label, Weight::Regular, width - text::width(&offset, Weight::Regular));
    text::fitted(&(label + &offset), Weight::Regular, width)
}

/// Draws the grid, axes and tick labels.
fn draw_axes(canvas: &mut Canvas, plot: Rect, Layout { x, y, sizes, slanted, .. }: &Layout) {
    let (left, right, top, bottom) = (plot.left, plot.right(), plot.top, plot.bottom());
    let at_x = |place: f64| left + place * plot.width;
    let at_y = |place: f64| bottom - place * plot.height;
    let upright = |place| [(at_x(place), top), (at_x(place), bottom)];
    let level = |place| [(left, at_y(place)), (right, at_y(place))];
    let fine = Stroke::solid(GRID.faded(0.6), 0.6);
    x.fine().iter().for_each(|&place| canvas.line(upright(place), fine));
    y.fine().iter().for_each(|&place| canvas.line(level(place), fine));
    let (grid, axis) = (Stroke::solid(GRID, 1.0), Stroke::solid(AXIS, 1.0));
    if x.has_grid() {
        x.ticks().iter().for_each(|tick| canvas.line(upright(tick.0), grid));
    }
    if y.has_grid() {
        y.ticks().iter().for_each(|tick| canvas.line(level(tick.0), grid));
    }

    let mark = GAP / 2.0;
    canvas.line([(left, top), (left, bottom)], axis);
    for (place, label) in y.ticks() {
        canvas.line([(left - mark, at_y(*place)), (left, at_y(*place))], axis);
        let style = TextStyle::new(sizes.tick, MUTED, Anchor::End, Anchor::Middle);
        canvas.text(label, (left - GAP, at_y(*place)), style);
    }
    canvas.line([(left, bottom), (right, bottom)], axis);
    for (place, label) in x.ticks() {
        canvas.line([(at_x(*place), bottom), (at_x(*place), bottom + mark)], axis);
        let (at, style): (Point, _) = if *slanted {
            let style = TextStyle::new(sizes.tick, MUTED, Anchor::End, Anchor::Middle);
            ((at_x(*place) + 3.0, bottom + GAP + 3.0), TextStyle { turn: -40, ..style })
        } else {
            ((at_x(*place), bottom + GAP), TextStyle::new(sizes.tick, MUTED, Anchor::Middle, Anchor::Start))
        };
        canvas.text(label, at, style);
    }
}

/// Draws a title at the top of an area.
pub(crate) fn draw_title(canvas: &mut Canvas, area: Rect, title: &str, font_size: f64) {
    let title = text::fitted(title, Weight::SemiBold, (area.width - 2.0 * MARGIN) / font_size);
    let style = TextStyle::new(font_size, INK, Anchor::Start, Anchor::Start);
    canvas.text(
        title,
        (area.left + MARGIN, area.top + MARGIN),
        TextStyle { weight: Weight::SemiBold, ..style },
    );
}

/// The width of the widest label of an axis, in pixels.
fn widest(axis: &Axis, font_size: f64) -> f64 {
    axis.ticks().iter().map(|tick| text::width(&tick.1, Weight::Regular) * font_size).fold(0.0, f64::max)
}

/// The axis with the most ticks whose labels do not overlap.
fn legible_axis(make: MakeAxis, length: f64, font_size: f64) -> Axis {
    let most = (length / 45.0).clamp(2.0, 12.0) as usize;
    let axes = (1..=most).rev().map(make);
    let mut legible = axes.filter(|axis| is_legible(axis, length, font_size) && axis.ticks().len() > 1);
    legible.next().unwrap_or_else(|| make(most))
}

/// Whether the labels of a horizontal axis do not overlap.
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
