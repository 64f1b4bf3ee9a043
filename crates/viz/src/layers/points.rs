//! Points: scattered, on a path, or marked with a label.

use crate::bounds::Bounds;
use crate::canvas::Stroke;
use crate::dots::Shape;
use crate::layer::Layer;
use crate::legend::{Key, Symbol};
use crate::panel::Panel;
use crate::theme::{self, INK, PAPER};

/// Padding around points, which would otherwise be cut off at the edge.
pub(super) const POINT_PAD: f64 = 0.03;
/// Space for a label above or below the highest or lowest point.
const LABEL_PAD: f64 = 0.1;

/// Separate points.
pub(crate) struct Scatter {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Layer for Scatter {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.points.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        bounds.pad(POINT_PAD, 0.0);
        self.points.iter().for_each(|&point| bounds.include(point));
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        Key::named(&self.name, Symbol::Points(Shape::of_series(color_idx)), theme::series_color(color_idx))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) {
        let color = theme::series_color(color_idx);
        // Large numbers of points are drawn smaller and translucent.
        let (radius, opacity) = match self.points.len() {
            0..=200 => (3.4, 0.85),
            201..=2000 => (2.4, 0.6),
            _ => (1.6, 0.4),
        };
        for &point in &self.points {
            panel.point(point, Shape::of_series(color_idx), radius, color.faded(opacity));
        }
    }
}

/// The steps of a descent.
pub(crate) struct Path {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Layer for Path {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.points.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        bounds.pad(POINT_PAD, 0.0);
        self.points.iter().for_each(|&point| bounds.include(point));
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        Key::named(&self.name, Symbol::Path, theme::series_color(color_idx))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) {
        let color = theme::series_color(color_idx);
        panel.line(self.points.iter().copied(), Stroke::solid(color, 1.6));
        // Hundreds of dots would hide the line.
        if self.points.len() <= 100 {
            for &point in &self.points {
                panel.point(point, Shape::Circle, 2.4, color);
            }
        }
    }

    fn draw_above(&self, panel: &mut Panel, color_idx: usize) {
        let color = theme::series_color(color_idx);
        if let [start, .., end] = self.points[..] {
            panel.marker(start, Shape::Circle, 4.4, color);
            panel.point(start, Shape::Circle, 2.6, PAPER);
            panel.marker(end, Shape::Circle, 4.6, color);
        } else if let [only] = self.points[..] {
            panel.marker(only, Shape::Circle, 4.6, color);
        }
    }
}

/// A single point with its label.
pub(crate) struct Mark {
    pub(crate) label: String,
    pub(crate) point: (f64, f64),
}

impl Layer for Mark {
    fn name(&self) -> &str {
        &self.label
    }

    fn n_values(&self) -> usize {
        1
    }

    fn extend(&self, bounds: &mut Bounds) {
        bounds.pad(POINT_PAD, LABEL_PAD);
        bounds.include(self.point);
    }

    fn takes_color(&self) -> bool {
        false
    }

    fn key(&self, _: usize) -> Option<Key> {
        None
    }

    fn draw(&self, _: &mut Panel, _: usize) {}

    fn draw_above(&self, panel: &mut Panel, _: usize) {
        panel.marker(self.point, Shape::Circle, 4.0, INK);
        panel.label_beside(self.point, &self.label);
    }
}
