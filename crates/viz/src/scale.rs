//! Conversion between numbers and distances along an axis.

/// Two numbers closer than this, relative to their size, count as equal: an `f64` then has too few digits to
/// position anything between them.
pub(crate) const NARROWEST: f64 = 1e-12;

/// The absolute minimum width of a range, for numbers near the smallest.
pub(crate) const TINIEST: f64 = 1e-310;

/// How numbers map to distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    #[default]
    Linear,
    Log,
}

impl Scale {
    /// Whether `value` has a place on this scale.
    pub(crate) fn can_show(self, value: f64) -> bool {
        value.is_finite() && (self == Scale::Linear || value > 0.0)
    }

    /// The position of `value`, as a fraction of the way from `lo` to `hi`; NaN if the scale cannot show it.
    pub(crate) fn share(self, (lo, hi): (f64, f64), value: f64) -> f64 {
        if !self.can_show(value) {
            return f64::NAN;
        }
        let [lo, hi, value] = [lo, hi, value].map(|v| if self == Scale::Log { v.ln() } else { v });
        // Prevents overflow of the differences.
        let unit = if lo.abs().max(hi.abs()).max(value.abs()) > 1e300 { 0.25 } else { 1.0 };
        (value * unit - lo * unit) / (hi * unit - lo * unit)
    }

    /// The number at `share` of the way from `lo` to `hi`.
    pub(crate) fn at(self, (lo, hi): (f64, f64), share: f64) -> f64 {
        match self {
            Scale::Linear if (hi - lo).is_finite() => lo + (hi - lo) * share,
            Scale::Linear => lo * (1.0 - share) + hi * share,
            Scale::Log if share == 0.0 => lo,
            Scale::Log if share == 1.0 => hi,
            Scale::Log => (lo.ln() * (1.0 - share) + hi.ln() * share).exp().clamp(lo, hi),
        }
    }
}

/// Whether an axis can tell the ends of a range apart.
pub(crate) fn is_wide(lo: f64, hi: f64) -> bool {
    hi - lo >= (lo.abs().max(hi.abs()) * NARROWEST).max(TINIEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_share_is_where_its_number_is(lo in -300.0..300f64, width in 0.01..300f64, share in 0.0..=1.0f64) {
            let range = (10f64.powf(lo), 10f64.powf((lo + width).min(308.0)));
            prop_assume!(range.0 < range.1 * 0.99);
            for scale in [Scale::Linear, Scale::Log] {
                let there = scale.share(range, scale.at(range, share));
                prop_assert!((there - share).abs() < 1e-9, "{scale:?}: {there} for {share}");
            }
        }
    }

    #[test]
    fn the_largest_numbers_have_a_place() {
        let all = (f64::MIN, f64::MAX);
        assert_eq!([f64::MIN, 0.0, f64::MAX].map(|v| Scale::Linear.share(all, v)), [0.0, 0.5, 1.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| Scale::Linear.at(all, share)), [f64::MIN, 0.0, f64::MAX]);
        assert!(
            Scale::Linear.share(all, f64::INFINITY).is_nan() && Scale::Log.share((1.0, 2.0), 0.0).is_nan()
        );
        let positive = (5e-324, f64::MAX);
        assert_eq!([5e-324, f64::MAX].map(|v| Scale::Log.share(positive, v)), [0.0, 1.0]);
    }

    #[test]
    fn what_an_f64_tells_apart_is_wide() {
        assert!(is_wide(1.7e9, 1.7e9 + 1.0) && is_wide(0.0, 1e-310) && is_wide(f64::MIN, f64::MAX));
        assert!(!is_wide(1.0, 1.0 + f64::EPSILON) && !is_wide(0.0, 5e-324) && !is_wide(1.0, 1.0));
        assert!(!is_wide(f64::NAN, 1.0));
    }
}
