//! Lines, bands between two lines, and rules across the plot.

use plotters::style::Color;

use super::Layer;
use crate::bounds::Bounds;
use crate::legend::{Key, Symbol};
use crate::panel::{Drawn, Panel, Stroke};
use crate::theme::{self, MUTED};

/// A line through points.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) dashed: bool,
}

impl Line {
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
        self.points.iter().for_each(|&point| bounds.include(point));
    }

    fn key(&self, color_idx: usize) -> Option<Key> {
        let symbol = Symbol::Line { dashed: self.is_dashed(color_idx) };
        Key::named(&self.name, symbol, theme::series_color(color_idx))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) -> Drawn {
        let stroke = Stroke {
            dashed: self.is_dashed(color_idx),
            ..Stroke::solid(theme::series_color(color_idx), 1.8)
        };
        panel.line(self.points.iter().copied(), stroke)
    }
}

/// The area between two lines over the same xs.
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
        Key::named(&self.name, Symbol::Box, theme::series_color(color_idx).mix(BAND_OPACITY))
    }

    fn draw(&self, panel: &mut Panel, color_idx: usize) -> Drawn {
        let color = theme::series_color(color_idx).mix(BAND_OPACITY);
        let pairs: Vec<_> = self.lo.iter().copied().zip(self.hi.iter().copied()).collect();
        let is_gap = |point| {
            let (x, y) = panel.place(point);
            x.is_nan() || y.is_nan()
        };
        let shown: Vec<Vec<_>> =
            pairs.split(|&(lo, hi)| is_gap(lo) || is_gap(hi)).map(<[_]>::to_vec).collect();
        for run in shown {
            let there = run.iter().map(|pair| pair.0);
            let back = run.iter().rev().map(|pair| pair.1);
            panel.area(there.chain(back), color)?;
        }
        Ok(())
    }
}

const BAND_OPACITY: f64 = 0.22;

/// A broken line across the plot, at an x or at a y.
pub(crate) struct Rule {
    pub(crate) label: String,
    pub(crate) x: Option<f64>,
    pub(crate) y: Option<f64>,
}

impl Rule {
    /// Where it stands, if the axis shows it.
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

    fn draw(&self, panel: &mut Panel, _: usize) -> Drawn {
        let stroke = Stroke { dashed: true, ..Stroke::solid(MUTED, 1.2) };
        if let Some(x) = self.x_place(panel) {
            panel.rule((x, 0.0), (x, 1.0), stroke)?;
        }
        if let Some(y) = self.y_place(panel) {
            panel.rule((0.0, y), (1.0, y), stroke)?;
        }
        Ok(())
    }

    /// The label, when it is known what it must keep clear of.
    fn draw_above(&self, panel: &mut Panel, _: usize) -> Drawn {
        if let Some(x) = self.x_place(panel) {
            panel.label_beside_vertical(x, &self.label)?;
        }
        if let Some(y) = self.y_place(panel) {
            panel.label_beside_horizontal(y, &self.label)?;
        }
        Ok(())
    }
}
