//! The axis ranges of a figure: set by the caller, or fitted to all series.

use crate::axis::Extent;
use crate::scale::{self, NARROWEST, Scale, TINIEST};

/// The options of one axis.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) label: String,
    pub(crate) scale: Scale,
    pub(crate) range: Option<(f64, f64)>,
    /// Whether all ticks are whole numbers.
    pub(crate) whole: bool,
}

/// The range of all series, updated by one after another.
pub(crate) struct Bounds {
    pub(crate) scales: (Scale, Scale),
    x: Extent,
    y: Extent,
    x_fixed: Option<(f64, f64)>,
    y_fixed: Option<(f64, f64)>,
    /// Padding on each side of the data, as a fraction of their range.
    x_pad: f64,
    y_pad: f64,
    /// The number of points the axes can show.
    pub(crate) n_drawable: usize,
}

impl Bounds {
    pub(crate) fn new(x: &Side, y: &Side) -> Self {
        Bounds {
            scales: (x.scale, y.scale),
            x: Extent::new(x.scale),
            y: Extent::new(y.scale),
            x_fixed: x.range,
            y_fixed: y.range,
            x_pad: 0.0,
            y_pad: 0.05,
            n_drawable: 0,
        }
    }

    /// The ranges of the two axes.
    pub(crate) fn ranges(&self) -> [(f64, f64); 2] {
        let range = |fixed: Option<(f64, f64)>, extent: Extent, pad| {
            fixed.or(extent.padded(pad)).unwrap_or((0.0, 1.0))
        };
        [range(self.x_fixed, self.x, self.x_pad), range(self.y_fixed, self.y, self.y_pad)]
    }

    /// Keeps at least these fractions of the ranges free beside the data, for labels and for dots, which
    /// would otherwise be cut off at the edge.
    pub(crate) fn pad(&mut self, x: f64, y: f64) {
        self.x_pad = self.x_pad.max(x);
        self.y_pad = self.y_pad.max(y);
    }

    /// Makes room for a point. A point outside a fixed range makes no room on the other axis.
    pub(crate) fn include(&mut self, (x, y): (f64, f64)) {
        let beyond =
            |range: Option<(f64, f64)>, v: f64| range.is_some_and(|(lo, hi)| !(lo..=hi).contains(&v));
        if beyond(self.x_fixed, x) || beyond(self.y_fixed, y) {
            return;
        }
        let drawable = self.x.include(x) & self.y.include(y);
        self.n_drawable += usize::from(drawable);
    }

    /// Fills the plot from edge to edge, unless the caller has set a range.
    pub(crate) fn fill(&mut self, x: (f64, f64), y: (f64, f64)) {
        self.x_fixed.get_or_insert(x);
        self.y_fixed.get_or_insert(y);
        self.n_drawable += 1;
    }

    /// Makes room for a height only: the bottom of a bar, or a horizontal rule.
    pub(crate) fn include_y(&mut self, y: f64) {
        self.y.include(y);
    }

    /// Makes room for an x position only.
    pub(crate) fn include_x(&mut self, x: f64) {
        self.x.include(x);
    }
}

/// # Panics
/// If the two differ in length.
#[track_caller]
pub(crate) fn zipped(op: &str, name: &str, xs: &[f64], ys: &[f64]) -> Vec<(f64, f64)> {
    assert!(
        xs.len() == ys.len(),
        "{op}: series {name:?} has {} x values and {} y values, expected as many of each",
        xs.len(),
        ys.len()
    );
    xs.iter().copied().zip(ys.iter().copied()).collect()
}

/// # Panics
/// If an axis cannot show this range.
#[track_caller]
pub(crate) fn checked_range(op: &str, lo: f64, hi: f64) -> (f64, f64) {
    assert!(
        lo.is_finite() && hi.is_finite() && lo < hi,
        "{op}: expected a finite range that ascends, got {lo}..={hi}"
    );
    assert!(
        scale::is_wide(lo, hi),
        "{op}: expected a range at least {NARROWEST:e} times as wide as its numbers are large, and {TINIEST:e}, got {lo:?}..={hi:?}"
    );
    (lo, hi)
}

/// # Panics
/// If this is not a reasonable figure size.
#[track_caller]
pub(crate) fn checked_size(op: &str, width: u32, height: u32) -> (u32, u32) {
    let sensible = 100..=10_000;
    assert!(
        sensible.contains(&width) && sensible.contains(&height),
        "{op}: expected 100 to 10000 pixels each way, got {width} × {height}"
    );
    (width, height)
}

/// # Panics
/// If the number of values is not the product of the numbers in `shape`; the strings there are for the
/// message.
#[track_caller]
pub(crate) fn checked_count(op: &str, found: usize, shape: &[(usize, &str)]) {
    let expected = shape.iter().try_fold(1usize, |n, (m, _)| n.checked_mul(*m));
    let shape: Vec<String> =
        shape.iter().map(|(n, what)| format!("{n} {what}").trim_end().to_owned()).collect();
    let product = expected.map_or("more than there can be".to_owned(), |n| n.to_string());
    assert!(expected == Some(found), "{op}: {found} values, expected {} = {product}", shape.join(" × "));
}
