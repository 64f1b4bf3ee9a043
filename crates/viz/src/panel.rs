//! The inside of a plot, where series draw in their own coordinates.

use crate::axis::Axis;
use crate::canvas::{Canvas, Point, Rect, Stroke};
use crate::clip::{self, Place};
use crate::clutter::Clutter;
use crate::dots::Shape;
use crate::pixels::Image;
use crate::theme::{Color, PAPER};

/// A plot between its axes.
pub(crate) struct Panel<'c> {
    pub(crate) canvas: &'c mut Canvas,
    pub(crate) rect: Rect,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) clutter: Clutter,
}

impl<'c> Panel<'c> {
    pub(crate) fn new(canvas: &'c mut Canvas, rect: Rect, x: Axis, y: Axis) -> Self {
        Panel { canvas, rect, x, y, clutter: Clutter::new((rect.width, rect.height)) }
    }

    /// The width and height of the plot in pixels.
    pub(crate) fn size(&self) -> (f64, f64) {
        (self.rect.width, self.rect.height)
    }

    /// The position of a point; a coordinate is NaN if the axes cannot show it.
    pub(crate) fn place(&self, (x, y): (f64, f64)) -> Place {
        clip::near((self.x.place(x), self.y.place(y)))
    }

    /// A position in pixels from the upper left of the plot.
    pub(crate) fn within(&self, (x, y): Place) -> Point {
        (x * self.rect.width, (1.0 - y) * self.rect.height)
    }

    /// A position on the canvas.
    pub(crate) fn pixel(&self, place: Place) -> Point {
        let (x, y) = self.within(place);
        (self.rect.left + x, self.rect.top + y)
    }

    /// Draws a line through the points; those that cannot be shown are gaps. A line without length, for
    /// example between two gaps, is a dot.
    pub(crate) fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke) {
        self.stroke(points, stroke, true);
    }

    /// Draws a background line, which labels may cover.
    pub(crate) fn ground_line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke) {
        self.stroke(points, stroke, false);
    }

    fn stroke(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke, is_clutter: bool) {
        let places: Vec<Place> = points.into_iter().map(|point| self.place(point)).collect();
        let n_columns = self.size().0 * 2.0;
        for piece in clip::polyline(places) {
            let piece = thin(&piece, n_columns);
            let within: Vec<Point> = piece.iter().map(|&place| self.within(place)).collect();
            if is_clutter {
                self.clutter.add_line(&within);
            }
            let points: Vec<Point> = piece.iter().map(|&place| self.pixel(place)).collect();
            let start = points[0];
            if points.iter().all(|p| (p.0 - start.0).abs().max((p.1 - start.1).abs()) < stroke.width / 4.0) {
                self.canvas.line([start], Stroke::solid(stroke.color, stroke.width * 2.8));
            } else {
                self.canvas.line(points, stroke);
            }
        }
    }

    /// Draws a filled polygon, unless one of its corners cannot be shown.
    pub(crate) fn area(&mut self, points: impl IntoIterator<Item = (f64, f64)>, color: Color) {
        let places: Vec<Place> = points.into_iter().map(|point| self.place(point)).collect();
        if places.iter().all(|p| !p.0.is_nan() && !p.1.is_nan()) {
            self.polygon(&places, color);
        }
    }

    /// Draws a bar from one height to another. A height that the axis cannot show, such as 0 on a logarithmic
    /// one, is replaced by the axis's lower end.
    pub(crate) fn bar(&mut self, (left, right): (f64, f64), (foot, head): (f64, f64), color: Color) {
        let height = |v| Some(self.y.place(v)).filter(|place| !place.is_nan()).unwrap_or(0.0);
        let (left, right, foot, head) = (self.x.place(left), self.x.place(right), height(foot), height(head));
        let corners = [(left, foot), (right, foot), (right, head), (left, head)].map(clip::near);
        self.polygon(&corners, color);
    }

    fn polygon(&mut self, places: &[Place], color: Color) {
        let corners: Vec<Point> = clip::polygon(places).into_iter().map(|place| self.pixel(place)).collect();
        if corners.len() >= 3 {
            self.canvas.polygon(corners, color);
        }
    }

    /// Draws a point, if it is in the plot.
    pub(crate) fn point(&mut self, point: (f64, f64), shape: Shape, radius: f64, color: Color) {
        let place = self.place(point);
        if clip::inside(place) {
            let at = self.pixel(place);
            shape.draw(self.canvas, at, radius, color);
        }
    }

    /// Draws a point with a paper-coloured outline, if it is in the plot.
    pub(crate) fn marker(&mut self, point: (f64, f64), shape: Shape, radius: f64, color: Color) {
        self.point(point, shape, radius + 1.0, PAPER);
        self.point(point, shape, radius, color);
    }

    /// Draws an image between two positions.
    pub(crate) fn image(&mut self, lower_left: Place, upper_right: Place, image: Image, smooth: bool) {
        let ((left, bottom), (right, top)) = (self.pixel(lower_left), self.pixel(upper_right));
        self.canvas.image(Rect { left, top, width: right - left, height: bottom - top }, image, smooth);
    }

    /// Draws a straight line between two positions.
    pub(crate) fn rule(&mut self, from: Place, to: Place, stroke: Stroke) {
        let points = [self.pixel(from), self.pixel(to)];
        self.canvas.line(points, stroke);
    }
}

/// Reduces the line to at most four points in each of `n_columns`: the first, the lowest, the highest and the
/// last. It looks the same, however many steps the history has.
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
