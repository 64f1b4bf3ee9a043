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
use crate::labels::LabelBox;
use crate::theme;

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
    pub(crate) lines: Vec<(Place, Place)>,
    pub(crate) labels: Vec<LabelBox>,
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

    /// A label as [`label`](Panel::label), turned by so many degrees.
    pub(crate) fn turned_label(
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

    /// An image between two places.
    pub(crate) fn image(&self, lower_left: Place, upper_right: Place, png: &[u8], pixels: Pixels) {
        let map = |place| self.chart.plotting_area().map_coordinate(&place);
        let ((x0, y1), (x1, y0)) = (map(lower_left), map(upper_right));
        self.canvas.image((x0, y0), (x1, y1), png, pixels);
    }

    /// A thin line around the plot.
    pub(crate) fn outline(&mut self, color: RGBColor) -> Drawn {
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
        let element = PathElement::new(corners, Stroke::solid(color, 1.0).style());
        self.chart.draw_series([element]).map(|_| ())
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
