//! The parts of a plot that labels must not cover.

use crate::canvas::Point;
use crate::clip;

/// Lines and labels drawn so far, in pixels from the upper left of the plot.
pub(crate) struct Clutter {
    /// Width and height of the plot.
    size: (f64, f64),
    lines: Vec<(Point, Point)>,
    labels: Vec<LabelBox>,
}

impl Clutter {
    pub(crate) fn new(size: (f64, f64)) -> Self {
        Clutter { size, lines: Vec::new(), labels: Vec::new() }
    }

    pub(crate) fn add_line(&mut self, points: &[Point]) {
        self.lines.extend(points.windows(2).map(|w| (w[0], w[1])));
    }

    pub(crate) fn add_label(&mut self, label: LabelBox) {
        self.labels.push(label);
    }

    /// How much a label here would cover, and how much of it would be outside the plot.
    pub(crate) fn cost(&self, label: &LabelBox) -> usize {
        let n_lines = self.lines.iter().filter(|line| label.meets(line.0, line.1)).count();
        let n_labels = self.labels.iter().filter(|other| label.overlaps(other)).count();
        n_lines + 1000 * n_labels + if label.is_within(self.size) { 0 } else { 500 }
    }
}

/// The box of a label, in pixels from the upper left of the plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelBox {
    pub(crate) centre: Point,
    pub(crate) half: (f64, f64),
}

impl LabelBox {
    fn overlaps(&self, other: &LabelBox) -> bool {
        (self.centre.0 - other.centre.0).abs() < self.half.0 + other.half.0
            && (self.centre.1 - other.centre.1).abs() < self.half.1 + other.half.1
    }

    fn is_within(&self, (width, height): (f64, f64)) -> bool {
        (self.half.0..=width - self.half.0).contains(&self.centre.0)
            && (self.half.1..=height - self.half.1).contains(&self.centre.1)
    }

    /// Moved by as little as necessary to fit into a plot of this size.
    pub(crate) fn moved_within(self, (width, height): (f64, f64)) -> Self {
        let within = |centre: f64, half: f64, size: f64| centre.min(size - half).max(half.min(size / 2.0));
        let (x, y) = self.centre;
        LabelBox { centre: (within(x, self.half.0, width), within(y, self.half.1, height)), ..self }
    }

    /// Whether a segment crosses the box.
    fn meets(&self, from: Point, to: Point) -> bool {
        let unit = |(x, y): Point| {
            (
                (x - self.centre.0 + self.half.0) / (2.0 * self.half.0),
                (y - self.centre.1 + self.half.1) / (2.0 * self.half.1),
            )
        };
        clip::segment(unit(from), unit(to)).is_some()
    }
}
