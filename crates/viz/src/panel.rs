//! The inside of a plot: what series draw with, in their own numbers.

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle};

use crate::axis::Axis;
use crate::canvas::{Canvas, FINE, Pen, Pixels, fine};
use crate::clip::{self, Place};
use crate::text::{self, Weight};
use crate::theme;

/// The room of a label, in pixels from the upper left of the plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Box {
    centre: (f64, f64),
    half: (f64, f64),
}

impl Box {
    fn overlaps(&self, other: &Box) -> bool {
        (self.centre.0 - other.centre.0).abs() < self.half.0 + other.half.0
            && (self.centre.1 - other.centre.1).abs() < self.half.1 + other.half.1
    }

    fn is_within(&self, width: f64, height: f64) -> bool {
        (self.half.0..=width - self.half.0).contains(&self.centre.0)
            && (self.half.1..=height - self.half.1).contains(&self.centre.1)
    }

    /// Whether a segment passes through it.
    fn meets(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        let unit = |(x, y): (f64, f64)| {
            (
                (x - self.centre.0 + self.half.0) / (2.0 * self.half.0),
                (y - self.centre.1 + self.half.1) / (2.0 * self.half.1),
            )
        };
        clip::segment(unit(from), unit(to)).is_some()
    }
}

/// A part of the paper that is measured in canvas units.
pub(crate) type Area<'c> = DrawingArea<&'c Canvas, Shift>;
/// What the plotting library says if it cannot draw.
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<std::convert::Infallible>>;

pub(crate) type Chart<'c> = ChartContext<'c, &'c Canvas, Cartesian2d<Axis, Axis>>;

/// A plot between its axes.
pub(crate) struct Panel<'c> {
    pub(crate) chart: Chart<'c>,
    pub(crate) canvas: &'c Canvas,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// What has been drawn so far, for labels to keep clear of.
    lines: Vec<(Place, Place)>,
    labels: Vec<Box>,
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub(crate) color: RGBAColor,
    /// In pixels.
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

impl Stroke {
    pub(crate) fn solid(color: impl Color, width: f64) -> Self {
        Stroke { color: color.to_rgba(), width, dashed: false }
    }

    pub(crate) fn style(self) -> ShapeStyle {
        self.color.stroke_width(fine(self.width).unsigned_abs())
    }

    pub(crate) fn pen(self) -> Pen {
        let dash = (fine(self.width * 2.6) as u32, fine(self.width * 2.2) as u32);
        Pen { dash: self.dashed.then_some(dash), ..Pen::default() }
    }
}

/// The shape of a point: another one for each series, so that colour is not all that tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Shape {
    pub(crate) fn of_series(idx: usize) -> Self {
        [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond][idx % 4]
    }

    /// The corners around the centre, such that all shapes cover about the same area.
    fn corners(self, radius: f64) -> Vec<(f64, f64)> {
        let corners: &[(f64, f64)] = match self {
            Shape::Circle => &[],
            Shape::Square => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
            Shape::Triangle => &[(0.0, -1.35), (1.17, 0.68), (-1.17, 0.68)],
            Shape::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        };
        corners.iter().map(|&(x, y)| (x * radius, y * radius)).collect()
    }
}

/// A text of `size` pixels whose anchor is `pos`.
pub(crate) fn text_style(size: f64, color: RGBColor, bold: bool, (h, v): (HPos, VPos)) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    TextStyle {
        font: FontDesc::new(FontFamily::Name("Inter"), size * FINE, style),
        color: color.to_backend_color(),
        pos: Pos::new(h, v),
    }
}

/// Draws `shape` of `radius` pixels at a place in canvas units.
pub(crate) fn draw_shape(
    area: &Area,
    (x, y): (i32, i32),
    shape: Shape,
    radius: f64,
    color: impl Color,
) -> Drawn {
    let style = color.filled();
    if shape == Shape::Circle {
        return area.draw(&Circle::new((x, y), fine(radius), style));
    }
    let corner = |(dx, dy)| (x + fine(dx), y + fine(dy));
    area.draw(&Polygon::new(shape.corners(radius).into_iter().map(corner).collect::<Vec<_>>(), style))
}

impl<'c> Panel<'c> {
    pub(crate) fn new(chart: Chart<'c>, canvas: &'c Canvas, x: Axis, y: Axis) -> Self {
        Panel { chart, canvas, x, y, lines: Vec::new(), labels: Vec::new() }
    }

    /// Width and height of the plot in pixels.
    pub(crate) fn size(&self) -> (f64, f64) {
        let (width, height) = self.chart.plotting_area().dim_in_pixel();
        (f64::from(width) / FINE, f64::from(height) / FINE)
    }

    /// Where a point lies, of which a coordinate is NaN if the axes cannot show it.
    pub(crate) fn place(&self, (x, y): (f64, f64)) -> Place {
        (self.x.place(x), self.y.place(y))
    }

    /// A line through the points; those that cannot be shown are gaps. A point between two gaps is a dot.
    pub(crate) fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke) -> Drawn {
        let places: Vec<Place> = points.into_iter().map(|point| self.place(point)).collect();
        let n_columns = self.size().0 * 2.0;
        for piece in clip::polyline(places) {
            let piece = thin(&piece, n_columns);
            self.lines.extend(piece.windows(2).map(|w| (w[0], w[1])));
            let series = LineSeries::new(piece, stroke.style());
            let canvas = self.canvas;
            canvas.with_pen(stroke.pen(), || self.chart.draw_series(series).map(|_| ()))?;
        }
        Ok(())
    }

    /// A filled polygon. One with a corner that cannot be shown is left out.
    pub(crate) fn area(&mut self, points: impl IntoIterator<Item = (f64, f64)>, color: impl Color) -> Drawn {
        let places: Vec<Place> = points.into_iter().map(|point| self.place(point)).collect();
        if places.iter().any(|p| p.0.is_nan() || p.1.is_nan()) {
            return Ok(());
        }
        let corners = clip::polygon(&places);
        if corners.len() < 3 {
            return Ok(());
        }
        self.chart.draw_series([Polygon::new(corners, color.filled())]).map(|_| ())
    }

    /// A bar from one height to another; a height that the axis cannot show, such as 0 on a logarithmic one,
    /// is its lower end.
    pub(crate) fn bar(
        &mut self,
        (left, right): (f64, f64),
        (foot, head): (f64, f64),
        color: impl Color,
    ) -> Drawn {
        let height = |v| Some(self.y.place(v)).filter(|place| !place.is_nan()).unwrap_or(0.0);
        let (left, right, foot, head) = (self.x.place(left), self.x.place(right), height(foot), height(head));
        let corners = clip::polygon(&[(left, foot), (right, foot), (right, head), (left, head)]);
        if corners.len() < 3 {
            return Ok(());
        }
        self.chart.draw_series([Polygon::new(corners, color.filled())]).map(|_| ())
    }

    /// A point, if it lies in the plot.
    pub(crate) fn point(&mut self, point: (f64, f64), shape: Shape, radius: f64, color: impl Color) -> Drawn {
        let place = self.place(point);
        if !clip::inside(place) {
            return Ok(());
        }
        let (area, at) = self.pixel(place);
        draw_shape(&area, at, shape, radius, color)
    }

    /// A point with a rim of paper, if it lies in the plot.
    pub(crate) fn marker(
        &mut self,
        point: (f64, f64),
        shape: Shape,
        radius: f64,
        color: impl Color,
    ) -> Drawn {
        self.point(point, shape, radius + 1.0, theme::PAPER)?;
        self.point(point, shape, radius, color)
    }

    /// Text beside a place, `dx` and `dy` pixels from it, with a rim of paper.
    pub(crate) fn label(
        &mut self,
        place: Place,
        (dx, dy): (f64, f64),
        text: &str,
        style: &TextStyle<'static>,
    ) -> Drawn {
        self.turned_label(place, (dx, dy), text, style, 0)
    }

    /// Text in the middle of a place, without a rim.
    pub(crate) fn plain_label(&mut self, place: Place, text: &str, style: &TextStyle<'static>) -> Drawn {
        let (area, at) = self.pixel(place);
        area.draw(&Text::new(text.to_owned(), at, style.clone()))
    }

    fn turned_label(
        &mut self,
        place: Place,
        (dx, dy): (f64, f64),
        text: &str,
        style: &TextStyle<'static>,
        turn: i32,
    ) -> Drawn {
        let (area, (x, y)) = self.pixel(place);
        let text = Text::new(text.to_owned(), (x + fine(dx), y + fine(dy)), style.clone());
        self.canvas.with_pen(Pen { halo: true, turn, ..Pen::default() }, || area.draw(&text))
    }

    /// The plot as an area of canvas units, and a place in it.
    fn pixel(&self, place: Place) -> (Area<'c>, (i32, i32)) {
        let area = self.chart.plotting_area().strip_coord_spec();
        let (x0, y0) = area.get_base_pixel();
        let (x, y) = self.chart.plotting_area().map_coordinate(&place);
        (area, (x - x0, y - y0))
    }

    /// A label for a point, on the side where it covers the fewest lines and no label.
    pub(crate) fn label_beside(&mut self, point: (f64, f64), text: &str) -> Drawn {
        const SIZE: f64 = 11.5;
        let place = self.place(point);
        if !clip::inside(place) {
            return Ok(());
        }
        let (width, height) = (text::width(text, Weight::Regular) * SIZE, SIZE);
        let plot = self.size();
        let sides = [
            (0.0, -1.0),
            (0.0, 1.0),
            (1.0, 0.0),
            (-1.0, 0.0),
            (1.0, -1.0),
            (-1.0, -1.0),
            (1.0, 1.0),
            (-1.0, 1.0),
        ];
        let boxes = sides.map(|(dx, dy): (f64, f64)| {
            let reach = if dx != 0.0 && dy != 0.0 { 5.0 } else { 9.0 };
            let centre = (
                place.0 * plot.0 + dx * (width / 2.0 + reach),
                (1.0 - place.1) * plot.1 + dy * (height / 2.0 + reach),
            );
            Box { centre, half: (width / 2.0 + 2.0, height / 2.0 + 1.0) }
        });
        let best =
            boxes.iter().enumerate().min_by_key(|(i, b)| (self.cost(b), *i)).expect("there are sides").1;
        self.labels.push(*best);
        let place = (best.centre.0 / plot.0, 1.0 - best.centre.1 / plot.1);
        self.label(
            place,
            (0.0, 0.0),
            text,
            &text_style(SIZE, theme::INK, false, (HPos::Center, VPos::Center)),
        )
    }

    /// How much a label here would cover, and how much of it would stick out.
    fn cost(&self, label: &Box) -> usize {
        let (width, height) = self.size();
        let place = |(x, y): Place| (x * width, (1.0 - y) * height);
        let n_lines = self.lines.iter().filter(|line| label.meets(place(line.0), place(line.1))).count();
        let n_labels = self.labels.iter().filter(|other| label.overlaps(other)).count();
        n_lines + 1000 * n_labels + if label.is_within(width, height) { 0 } else { 500 }
    }

    /// A label in the middle of a line and in its direction, unless the line is too short for it or it would
    /// cover another.
    pub(crate) fn label_along(
        &mut self,
        line: &[(f64, f64)],
        text: &str,
        style: &TextStyle<'static>,
    ) -> Drawn {
        let (width, height) = self.size();
        let pixel = |&point: &(f64, f64)| {
            let (x, y) = self.place(point);
            (x * width, (1.0 - y) * height)
        };
        let pixels: Vec<(f64, f64)> = line.iter().map(pixel).collect();
        let length: f64 = pixels.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum();
        let size = style.font.get_size() / FINE;
        let text_width = text::width(text, Weight::Regular) * size;
        if length < 3.0 * text_width {
            return Ok(());
        }
        // The middle, or if it is taken, a place a little off it.
        for share in [0.5, 0.4, 0.6, 0.3, 0.7] {
            let i = ((pixels.len() - 1) as f64 * share) as usize;
            let (before, after) = (pixels[i.saturating_sub(2)], pixels[(i + 2).min(pixels.len() - 1)]);
            let angle = (after.1 - before.1).atan2(after.0 - before.0).to_degrees().round() as i32;
            let turn = (angle + 90).rem_euclid(180) - 90;
            // The box does not turn with the text: it is the square that the text turns in.
            let half = (text_width / 2.0 + 3.0).max(size / 2.0);
            let label = Box { centre: pixels[i], half: (half, half) };
            if label.is_within(width, height) && !self.labels.iter().any(|other| label.overlaps(other)) {
                self.labels.push(label);
                return self.turned_label(self.place(line[i]), (0.0, 0.0), text, style, turn);
            }
        }
        Ok(())
    }

    /// An image between two places.
    pub(crate) fn image(&self, lower_left: Place, upper_right: Place, png: &[u8], pixels: Pixels) {
        let map = |place| self.chart.plotting_area().map_coordinate(&place);
        let ((x0, y1), (x1, y0)) = (map(lower_left), map(upper_right));
        self.canvas.image((x0, y0), (x1, y1), png, pixels);
    }

    /// A straight line between two places.
    pub(crate) fn rule(&mut self, from: Place, to: Place, stroke: Stroke) -> Drawn {
        let canvas = self.canvas;
        let element = PathElement::new(vec![from, to], stroke.style());
        canvas.with_pen(stroke.pen(), || self.chart.draw_series([element]).map(|_| ()))
    }
}

/// The line with at most four points left in each of `n_columns`, the first, the lowest, the highest and the
/// last: it looks the same, however many steps the history has.
fn thin(line: &[Place], n_columns: f64) -> Vec<Place> {
    let column = |p: &Place| (p.0 * n_columns) as i64;
    let mut kept = Vec::new();
    for run in line.chunk_by(|a, b| column(a) == column(b)) {
        if run.len() <= 4 {
            kept.extend_from_slice(run);
            continue;
        }
        let by_height = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let lowest = (0..run.len()).min_by(by_height).expect("a run has points");
        let highest = (0..run.len()).max_by(by_height).expect("a run has points");
        let mut idxs = [0, lowest.min(highest), lowest.max(highest), run.len() - 1].to_vec();
        idxs.dedup();
        kept.extend(idxs.into_iter().map(|i| run[i]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_thinned_and_keeps_its_peaks() {
        let line: Vec<Place> = (0..100_000).map(|i| (f64::from(i) / 1e5, f64::from(i % 77) / 77.0)).collect();
        let thinned = thin(&line, 1000.0);
        assert!(thinned.len() <= 4001, "{} points", thinned.len());
        for column in thinned.chunk_by(|a, b| (a.0 * 1000.0) as i64 == (b.0 * 1000.0) as i64) {
            let (lo, hi) = column.iter().fold((1.0f64, 0.0f64), |(lo, hi), p| (lo.min(p.1), hi.max(p.1)));
            assert!(lo < 1e-9 && hi > 0.98, "{column:?}");
        }
        assert_eq!(thin(&line[..3], 1000.0), line[..3]);
    }
}
