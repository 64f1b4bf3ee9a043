//! Dots that mark points.

use crate::canvas::{Canvas, Point};
use crate::theme::Color;

/// The shape of a dot. It differs between series, so that they can be told apart without colour.
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

    /// Draws a dot of `radius` pixels.
    pub(crate) fn draw(self, canvas: &mut Canvas, centre: Point, radius: f64, color: Color) {
        if self == Shape::Circle {
            return canvas.circle(centre, radius, color);
        }
        let corner = |(dx, dy): &(f64, f64)| (centre.0 + dx * radius, centre.1 + dy * radius);
        canvas.polygon(self.corners().iter().map(corner).collect::<Vec<_>>(), color);
    }

    /// The corners relative to the centre, such that all shapes have about the same area.
    fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Shape::Circle => &[],
            Shape::Square => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
            Shape::Triangle => &[(0.0, -1.35), (1.17, 0.68), (-1.17, 0.68)],
            Shape::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        }
    }
}
