//! Axes: from a number to its place between 0 and 1.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::frame;
use crate::text::Weight;
use crate::ticks::{self, Tick};

/// Numbers beyond this count as infinite, and those nearer to 0 than its reciprocal as 0, so that no
/// difference or quotient of two of them overflows.
pub(crate) const HUGE: f64 = 1e300;

/// A place so far from the plot, in plot widths, that a line to it might as well go on for ever.
pub(crate) const FAR: f64 = 1e6;

/// A longer name is cut; in em.
const MAX_NAME_WIDTH: f64 = 14.0;

/// How numbers become distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    #[default]
    Linear,
    Log,
}

impl Scale {
    /// `value` as this scale can show it, if it can.
    fn drawable(self, value: f64) -> Option<f64> {
        let value = if value.abs() < 1.0 / HUGE { 0.0 } else { value };
        (value.abs() <= HUGE && (self == Scale::Linear || value > 0.0)).then_some(value)
    }

    /// Linear in the distance along the axis.
    fn transform(self, value: f64) -> f64 {
        if self == Scale::Log { value.ln() } else { value }
    }
}

/// The smallest range that holds all the numbers it was shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    scale: Scale,
    lo: f64,
    hi: f64,
}

impl Extent {
    pub(crate) fn new(scale: Scale) -> Self {
        Extent { scale, lo: f64::INFINITY, hi: f64::NEG_INFINITY }
    }

    /// Widens to hold `value`; says whether the scale can show it.
    pub(crate) fn include(&mut self, value: f64) -> bool {
        let drawable = self.scale.drawable(value);
        if let Some(value) = drawable {
            self.lo = self.lo.min(value);
            self.hi = self.hi.max(value);
        }
        drawable.is_some()
    }

    /// The range of an axis: some room beyond the data, as a share `pad` of its range, though not across 0;
    /// never of no width. None if no number was shown.
    pub(crate) fn padded(self, pad: f64) -> Option<(f64, f64)> {
        let Extent { scale, lo, hi } = self;
        if lo > hi {
            return None;
        }
        if scale == Scale::Log {
            let factor = if hi < lo * 1.001 { 2.0 } else { (hi / lo).min(HUGE).powf(pad) };
            return Some(((lo / factor).max(1.0 / HUGE), (hi * factor).min(HUGE)));
        }
        let size = lo.abs().max(hi.abs());
        let (lo_pad, hi_pad) = match hi - lo {
            _ if size == 0.0 => (1.0, 1.0),
            width if width < size * 1e-6 => (size * 0.05, size * 0.05),
            // Nothing falls below 0 by itself: an axis for losses or counts begins there.
            width => ((if lo >= 0.0 { lo.min(width * pad) } else { width * pad }), width * pad),
        };
        let hi = if hi <= 0.0 && lo < 0.0 { (hi + hi_pad).min(0.0) } else { hi + hi_pad };
        Some((lo - lo_pad, hi))
    }
}

/// An axis: a range, a scale, and ticks. For the plotting library its values are places from 0 to 1, so that
/// no number that it could stumble over ever reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    scale: Scale,
    range: (f64, f64),
    ticks: Vec<(f64, String)>,
    fine: Vec<f64>,
    grid: bool,
}

impl Axis {
    /// An axis of numbers with about `max_ticks` ticks.
    pub(crate) fn numbers(scale: Scale, (lo, hi): (f64, f64), max_ticks: usize) -> Self {
        let (ticks, fine) = match scale {
            Scale::Linear => (ticks::linear(lo, hi, max_ticks), Vec::new()),
            Scale::Log => ticks::logarithmic(lo, hi, max_ticks),
        };
        let mut axis = Axis { scale, range: (lo, hi), ticks: Vec::new(), fine: Vec::new(), grid: true };
        let place = |v: f64| axis.place(v).clamp(0.0, 1.0);
        let fine = fine.into_iter().map(place).collect();
        let ticks = ticks.into_iter().map(|Tick { value, label }| (place(value), label)).collect();
        axis.fine = fine;
        axis.ticks = ticks;
        axis
    }

    /// An axis of names, the `i`-th in the middle of `i..i + 1`.
    pub(crate) fn names(names: &[String]) -> Self {
        let n = names.len() as f64;
        let label = |name: &String| frame::fitted(name, Weight::Regular, MAX_NAME_WIDTH);
        let ticks = names.iter().enumerate().map(|(i, name)| ((i as f64 + 0.5) / n, label(name))).collect();
        Axis { scale: Scale::Linear, range: (0.0, n), ticks, fine: Vec::new(), grid: false }
    }

    /// An axis of names as [`names`](Axis::names), but from the top to the bottom.
    pub(crate) fn names_from_top(names: &[String]) -> Self {
        let mut axis = Axis::names(names);
        axis.range = (axis.range.1, 0.0);
        axis.ticks.iter_mut().for_each(|tick| tick.0 = 1.0 - tick.0);
        axis
    }

    /// The axis without those ticks that are nearer than `distance` to one before.
    pub(crate) fn thinned(mut self, distance: f64) -> Self {
        let mut last = f64::INFINITY;
        self.ticks.retain(|(place, _)| {
            let kept = (place - last).abs() >= distance;
            last = if kept { *place } else { last };
            kept
        });
        self
    }

    /// Where `value` lies: 0 to 1 on the axis, NaN if the scale cannot show it; what lies further off than
    /// [`FAR`] is moved there, which no eye sees.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let at = |v| self.scale.transform(v);
        let (lo, hi) = (at(self.range.0), at(self.range.1));
        self.scale.drawable(value).map_or(f64::NAN, |v| ((at(v) - lo) / (hi - lo)).clamp(-FAR, FAR))
    }

    pub(crate) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// Whether lines are drawn across the plot at the ticks.
    pub(crate) fn has_grid(&self) -> bool {
        self.grid
    }

    /// The label of the tick at `place`.
    pub(crate) fn label(&self, place: f64) -> String {
        self.ticks.iter().find(|tick| tick.0 == place).map_or(String::new(), |tick| tick.1.clone())
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * place.clamp(-1.0, 2.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.fine.clone()
        } else {
            self.ticks.iter().map(|tick| tick.0).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hostile() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>(),
            -10.0..10.0f64,
            prop::sample::select(vec![
                0.0,
                -0.0,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MAX,
                f64::MIN,
                5e-324,
                1.0
            ]),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_numbers_an_axis_holds_them(
            values in prop::collection::vec(hostile(), 1..8),
            scale in prop::sample::select(vec![Scale::Linear, Scale::Log]),
        ) {
            let mut extent = Extent::new(scale);
            let n_drawable = values.iter().filter(|&&v| extent.include(v)).count();
            let range = extent.padded(0.05);
            prop_assert_eq!(range.is_some(), n_drawable > 0);
            let Some(range) = range else { return Ok(()) };
            prop_assert!(range.0 < range.1, "{range:?}");
            let axis = Axis::numbers(scale, range, 6);
            prop_assert!(!axis.ticks().is_empty() && axis.ticks().len() <= 14, "{axis:?}");
            for &v in &values {
                let place = axis.place(v);
                prop_assert!(place.is_nan() || (-1e-9..=1.0 + 1e-9).contains(&place), "{v} at {place}");
            }
            prop_assert_eq!(values.iter().filter(|&&v| !axis.place(v).is_nan()).count(), n_drawable);
        }
    }

    #[test]
    fn room_stops_at_zero() {
        let padded = |values: &[f64]| {
            let mut extent = Extent::new(Scale::Linear);
            values.iter().for_each(|&v| assert!(extent.include(v)));
            extent.padded(0.25).expect("there are numbers")
        };
        assert_eq!(padded(&[0.5, 4.5]), (0.0, 5.5));
        assert_eq!(padded(&[-1.0, 1.0]), (-1.5, 1.5));
        assert_eq!(padded(&[2.0]), (1.9, 2.1));
        assert_eq!(padded(&[0.0]), (-1.0, 1.0));
    }
}
