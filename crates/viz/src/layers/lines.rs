//! Lines, bands between two lines, and rules across the plot.

use crate::bounds::Bounds;
use crate::canvas::Stroke;
use crate::dots::Shape;
use crate::layer::Layer;
use crate::legend::{Key, Symbol};
use crate::panel::Panel;
use crate::scale::Scale;
use crate::theme::{self, MUTED};

use super::points::POINT_PAD;

/// A line through points.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// The points of a function sampled evenly for a logarithmic x axis.
    pub(crate) log_points: Option<Vec<(f64, f64)>>,
    pub(crate) dashed: bool,
    /// Whether a few points are dots, too.
    pub(crate) dotted: bool,
}

/// With more points, dots would hide the line.
const MOST_DOTS: usize = 40;

impl Line {
    /// A line through given points.
    pub(crate) fn through(name: String, points: Vec<(f64, f64)>, dashed: bool) -> Self {
        Line { name, points, log_points: None, dashed, dotted: false }
    }

    /// The same with a dot at each point, if they are few.
    pub(crate) fn dotted(self) -> Self {
        let dotted = self.points.len() <= MOST_DOTS;
        Line { dotted, ..self }
    }

    /// The graph of `f` over a range, for either scale of the x axis.
    pub(crate) fn graph(name: String, range: (f64, f64), f: impl Fn(f64) -> f64) -> Self {
        const N_SAMPLES: u32 = 512;
        let sampled = |scale: Scale, range| -> Vec<(f64, f64)> {
            let x = |i: u32| scale.at(range, f64::from(i) / f64::from(N_SAMPLES));
            (0..=N_SAMPLES).map(|i| (x(i), f(x(i)))).collect()
        };
        let points = sampled(Scale::Linear, range);
        // If the range begins at 0 or below, a logarithmic axis starts at the first positive point.
        let first = points.iter().map(|point| point.0).find(|&x| x > 0.0).filter(|&x| x < range.1);
        let log_points = first.map(|first| sampled(Scale::Log, (first, range.1)));
        Line { name, points, log_points, dashed: false, dotted: false }
    }

    fn points(&self, x_scale: Scale) -> &[(f64, f64)] {
        match (x_scale, &self.log_points) {
            (Scale::Log, Some(points)) => points,
            _ => &self.points,
        }
    }

    fn is_dashed(&self, color_idx: usize) -> bool {
        self.dashed != theme::is_repeated(color_idx)
    }
}

impl Layer for Line {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.points.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        if self.dotted {
            bounds.pad(POINT_PAD, 0.0);
        }
        self.points(bounds.scales.0).iter().for_each(|&point| bounds.include(point));
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        let symbol = Symbol::Line { dashed: self.is_dashed(color_idx) };
        Key::named(&self.name, symbol, theme::series_color(color_idx))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) {
        let stroke = Stroke {
            dashed: self.is_dashed(color_idx),
            ..Stroke::solid(theme::series_color(color_idx), 1.8)
        };
        panel.line(self.points(panel.x.scale()).iter().copied(), stroke);
        for &point in self.points.iter().filter(|_| self.dotted) {
            panel.point(point, Shape::Circle, 2.6, stroke.color);
        }
    }
}

/// The area between two lines over the same x values.
pub(crate) struct Band {
    pub(crate) name: String,
    pub(crate) lo: Vec<(f64, f64)>,
    pub(crate) hi: Vec<(f64, f64)>,
}

impl Layer for Band {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_values(&self) -> usize {
        self.lo.len()
    }

    fn extend(&self, bounds: &mut Bounds) {
        self.lo.iter().chain(&self.hi).for_each(|&point| bounds.include(point));
    }

    fn takes_color(&self) -> bool {
        !self.name.is_empty()
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        Key::named(&self.name, Symbol::Box, theme::series_color(color_idx).faded(BAND_OPACITY))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) {
        let color = theme::series_color(color_idx).faded(BAND_OPACITY);
        let pairs: Vec<_> = self.lo.iter().copied().zip(self.hi.iter().copied()).collect();
        let is_gap = |point| {
            let (x, y) = panel.place(point);
            x.is_nan() || y.is_nan()
        };
        let shown: Vec<Vec<_>> =
            pairs.split(|&(lo, hi)| is_gap(lo) || is_gap(hi)).map(<[_]>::to_vec).collect();
        for run in shown {
            if let [(lo, hi)] = run[..] {
                // As wide as a line, so that it is visible.
                panel.line([lo, hi], Stroke::solid(color, 4.0));
                continue;
            }
            let there = run.iter().map(|pair| pair.0);
            let back = run.iter().rev().map(|pair| pair.1);
            panel.area(there.chain(back), color);
        }
    }
}

const BAND_OPACITY: f64 = 0.22;

/// A dashed line across the plot, at an x or y value.
pub(crate) struct Rule {
    pub(crate) label: String,
    pub(crate) x: Option<f64>,
    pub(crate) y: Option<f64>,
}

impl Rule {
    /// Its x position, if the axis shows it.
    fn x_place(&self, panel: &Panel) -> Option<f64> {
        self.x.map(|x| panel.x.place(x)).filter(|place| (0.0..=1.0).contains(place))
    }

    fn y_place(&self, panel: &Panel) -> Option<f64> {
        self.y.map(|y| panel.y.place(y)).filter(|place| (0.0..=1.0).contains(place))
    }
}

impl Layer for Rule {
    fn name(&self) -> &str {
        &self.label
    }

    fn n_values(&self) -> usize {
        1
    }

    fn extend(&self, bounds: &mut Bounds) {
        self.x.into_iter().for_each(|x| bounds.include_x(x));
        self.y.into_iter().for_each(|y| bounds.include_y(y));
    }

    fn takes_color(&self) -> bool {
        false
    }

    fn key(&self, _: usize) -> Option<Key> {
        None
    }

    fn draw(&self, panel: &mut Panel, _: usize) {
        let stroke = Stroke { dashed: true, ..Stroke::solid(MUTED, 1.2) };
        if let Some(x) = self.x_place(panel) {
            panel.rule((x, 0.0), (x, 1.0), stroke);
        }
        if let Some(y) = self.y_place(panel) {
            panel.rule((0.0, y), (1.0, y), stroke);
        }
    }

    /// Draws the label once it is known what it must not cover.
    fn draw_above(&self, panel: &mut Panel, _: usize) {
        if let Some(x) = self.x_place(panel) {
            panel.label_beside_vertical(x, &self.label);
        }
        if let Some(y) = self.y_place(panel) {
            panel.label_beside_horizontal(y, &self.label);
        }
    }
}
