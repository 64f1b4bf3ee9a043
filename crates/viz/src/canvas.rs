//! The canvas: the elements of a figure, in pixels from its upper left, before it is written as SVG or PNG.

use crate::pixels::Image;
use crate::text::{self, CAP_HEIGHT, Weight};
use crate::theme::Color;

/// A point in pixels from the upper left of the figure.
pub(crate) type Point = (f64, f64);

/// A part of the canvas.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn right(self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// The style of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

impl Stroke {
    pub(crate) fn solid(color: Color, width: f64) -> Self {
        Stroke { color, width, dashed: false }
    }

    /// The lengths of dash and gap.
    pub(crate) fn dash(self) -> Option<(f64, f64)> {
        self.dashed.then_some((self.width * 2.6, self.width * 2.2))
    }
}

/// The part of a text that is at its point: left, middle or right horizontally; top, middle or baseline
/// vertically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The style of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextStyle {
    /// Pixels per em.
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) color: Color,
    pub(crate) anchor: (Anchor, Anchor),
    /// Clockwise rotation about its point, in degrees.
    pub(crate) turn: i32,
    /// Whether it has a paper-coloured outline, to be legible on top of data.
    pub(crate) halo: bool,
}

/// The width of a halo's line, in em; half of it is outside the letters.
pub(crate) const HALO: f64 = 0.25;

impl TextStyle {
    pub(crate) fn new(size: f64, color: Color, horizontal: Anchor, vertical: Anchor) -> Self {
        let anchor = (horizontal, vertical);
        TextStyle { size, weight: Weight::Regular, color, anchor, turn: 0, halo: false }
    }
}

/// An element of a figure.
pub(crate) enum Element {
    Line { points: Vec<Point>, stroke: Stroke },
    Polygon { corners: Vec<Point>, fill: Color },
    Circle { centre: Point, radius: f64, fill: Color },
    Text { text: String, at: Point, style: TextStyle },
    Image { rect: Rect, image: Image, smooth: bool },
}

/// A figure being drawn: its elements, each on top of the previous ones.
#[derive(Default)]
pub struct Canvas {
    pub(crate) elements: Vec<Element>,
}

impl Canvas {
    /// Straight lines through `points`, with round joins and caps.
    pub(crate) fn line(&mut self, points: impl Into<Vec<Point>>, stroke: Stroke) {
        self.elements.push(Element::Line { points: points.into(), stroke });
    }

    pub(crate) fn polygon(&mut self, corners: impl Into<Vec<Point>>, fill: Color) {
        self.elements.push(Element::Polygon { corners: corners.into(), fill });
    }

    pub(crate) fn rect(&mut self, rect: Rect, fill: Color) {
        let Rect { left, top, .. } = rect;
        self.polygon(
            [(left, top), (rect.right(), top), (rect.right(), rect.bottom()), (left, rect.bottom())],
            fill,
        );
    }

    pub(crate) fn circle(&mut self, centre: Point, radius: f64, fill: Color) {
        self.elements.push(Element::Circle { centre, radius, fill });
    }

    pub(crate) fn text(&mut self, text: impl Into<String>, at: Point, style: TextStyle) {
        self.elements.push(Element::Text { text: text.into(), at, style });
    }

    /// An image that fills `rect`, scaled smoothly or with its pixels as rectangles.
    pub(crate) fn image(&mut self, rect: Rect, image: Image, smooth: bool) {
        self.elements.push(Element::Image { rect, image, smooth });
    }
}

/// The offset from a text's point to the left end of its baseline, before rotation, and its width.
pub(crate) fn baseline(text: &str, style: &TextStyle) -> (f64, f64, f64) {
    let width = text::width(text, style.weight) * style.size;
    let dx = match style.anchor.0 {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    let dy = match style.anchor.1 {
        Anchor::Start => CAP_HEIGHT * style.size,
        Anchor::Middle => CAP_HEIGHT * style.size / 2.0,
        Anchor::End => 0.0,
    };
    (dx, dy, width)
}
