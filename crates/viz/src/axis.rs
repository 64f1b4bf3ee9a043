//! Axes: map numbers to positions between 0 and 1.

use crate::scale::{self, Scale};
use crate::text::{self, Weight};
use crate::ticks::{self, Tick, Ticks};

/// The smallest range containing all the given numbers.
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

    /// Widens the range to include `value`; returns whether the scale can show it.
    pub(crate) fn include(&mut self, value: f64) -> bool {
        let can_show = self.scale.can_show(value);
        if can_show {
            self.lo = self.lo.min(value);
            self.hi = self.hi.max(value);
        }
        can_show
    }

    /// The range of an axis: the data plus a fraction `pad` of its range on each side, but not across 0, and
    /// wide enough to tell its ends apart. None if there are no numbers.
    pub(crate) fn padded(self, pad: f64) -> Option<(f64, f64)> {
        let Extent { scale, lo, hi } = self;
        if lo > hi {
            return None;
        }
        let is_wide = scale::is_wide(lo, hi);
        if scale == Scale::Log {
            let factor = if is_wide { (hi / lo).min(f64::MAX).powf(pad) } else { 2.0 };
            let lo = (lo / factor).max(f64::from_bits(1));
            return Some((lo, (hi * factor).min(f64::MAX).max(lo + scale::TINIEST)));
        }
        let size = lo.abs().max(hi.abs());
        let (lo_pad, hi_pad) = match pad {
            _ if size == 0.0 => (1.0, 1.0),
            _ if !is_wide => [(size * 0.05).max(scale::TINIEST); 2].into(),
            pad => {
                // In two steps, because the difference may overflow.
                let room = hi * pad - lo * pad;
                // Padding does not go below 0, so an axis for losses or counts begins at 0.
                (if lo >= 0.0 { lo.min(room) } else { room }, room)
            }
        };
        let hi = if hi <= 0.0 && lo < 0.0 { (hi + hi_pad).min(0.0) } else { hi + hi_pad };
        Some(((lo - lo_pad).max(f64::MIN), hi.min(f64::MAX)))
    }
}

/// An axis: a range, a scale, and ticks.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    scale: Scale,
    range: (f64, f64),
    ticks: Vec<(f64, String)>,
    fine: Vec<f64>,
    offset: Option<String>,
    grid: bool,
}

impl Axis {
    /// A numeric axis with about `max_ticks` ticks.
    pub(crate) fn numbers(scale: Scale, range: (f64, f64), max_ticks: usize) -> Self {
        let ticks = match scale {
            Scale::Linear => ticks::linear(range.0, range.1, max_ticks),
            Scale::Log => ticks::logarithmic(range.0, range.1, max_ticks),
        };
        Self::with_ticks(scale, range, ticks)
    }

    fn with_ticks(scale: Scale, range: (f64, f64), ticks: Ticks) -> Self {
        let Ticks { ticks, fine, offset } = ticks;
        let place = |v: f64| scale.share(range, v).clamp(0.0, 1.0);
        let fine = fine.into_iter().map(place).collect();
        let ticks = ticks.into_iter().map(|Tick { value, label }| (place(value), label)).collect();
        Axis { scale, range, ticks, fine, offset, grid: true }
    }

    /// A linear axis with about `max_ticks` ticks, all of them whole numbers.
    pub(crate) fn whole_numbers(range: (f64, f64), max_ticks: usize) -> Self {
        Self::with_ticks(Scale::Linear, range, ticks::whole(range.0, range.1, max_ticks))
    }

    /// An axis of names, where the `i`-th is in the middle of `i..i + 1`.
    pub(crate) fn names(names: &[String]) -> Self {
        /// Longer names are truncated; in em.
        const MAX_WIDTH: f64 = 14.0;
        let n = names.len() as f64;
        let label = |name: &String| text::fitted(name, Weight::Regular, MAX_WIDTH);
        let ticks = names.iter().enumerate().map(|(i, name)| ((i as f64 + 0.5) / n, label(name))).collect();
        Axis { scale: Scale::Linear, range: (0.0, n), ticks, fine: Vec::new(), offset: None, grid: false }
    }

    /// An axis of names as in [`names`](Axis::names), but from top to bottom.
    pub(crate) fn names_from_top(names: &[String]) -> Self {
        let mut axis = Axis::names(names);
        axis.range = (axis.range.1, 0.0);
        axis.ticks.iter_mut().for_each(|tick| tick.0 = 1.0 - tick.0);
        axis
    }

    /// Drops ticks that are closer than `distance` to the previous one.
    pub(crate) fn thinned(mut self, distance: f64) -> Self {
        let mut last = f64::INFINITY;
        self.ticks.retain(|(place, _)| {
            let kept = (place - last).abs() >= distance;
            last = if kept { *place } else { last };
            kept
        });
        self
    }

    /// Truncates the labels to the width, in em, available at each position.
    pub(crate) fn cut(mut self, width: impl Fn(f64) -> f64) -> Self {
        for (place, label) in &mut self.ticks {
            *label = text::fitted(label, Weight::Regular, width(*place));
        }
        self
    }

    /// The position of `value`: 0 to 1 on the axis, NaN if the scale cannot show it.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.scale.share(self.range, value)
    }

    pub(crate) fn scale(&self) -> Scale {
        self.scale
    }

    pub(crate) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// Positions of fine lines between the ticks.
    pub(crate) fn fine(&self) -> &[f64] {
        &self.fine
    }

    /// The offset to add to the tick labels.
    pub(crate) fn offset(&self) -> Option<&str> {
        self.offset.as_deref()
    }

    /// Whether lines are drawn across the plot at the ticks.
    pub(crate) fn has_grid(&self) -> bool {
        self.grid
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
        assert_eq!(padded(&[f64::MIN, f64::MAX]), (f64::MIN, f64::MAX));
        let unix_times = (1.7e9, 1.7e9 + 60.0);
        assert_eq!(padded(&[unix_times.0, unix_times.1]), (unix_times.0 - 15.0, unix_times.1 + 15.0));
    }
}
