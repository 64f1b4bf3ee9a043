//! Summary statistics of a list of rounds.

/// The median and the extremes of some rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle value, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of finite values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }

    /// The spread of `a[k] / b[k]`: both of a pair come from the same round, so that slow minutes of the
    /// machine cancel out.
    pub fn of_ratios(a: &[f64], b: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = a.iter().zip(b).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }

    /// The median of some values within a 95 % confidence interval, for any distribution: the k-th smallest
    /// and the k-th largest of n, with the largest k for which a fair coin shows fewer than k heads in n
    /// throws at most 2.5 % of the time. `None` for fewer than six values, which are too few.
    pub fn confidence(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        // P(heads < k), summed up until it passes 2.5 %. For many rounds, 0.5ⁿ is too small to be a number.
        let (mut log_term, mut below) = (-std::f64::consts::LN_2 * n as f64, 0.0);
        let mut k = 0;
        while below + log_term.exp() <= 0.025 {
            below += log_term.exp();
            log_term += ((n - k) as f64 / (k + 1) as f64).ln();
            k += 1;
        }
        let rank = k.checked_sub(1)?;
        Some(Self { min: sorted[rank], max: sorted[n - 1 - rank], ..Self::of(&sorted)? })
    }

    /// True if the two ranges do not overlap.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.max < other.min || other.max < self.min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).map(|s| s.median), Some(2.5));
    }

    #[test]
    fn the_interval_of_a_median_covers_what_the_tables_say() {
        // The ranks of the sign test's interval: n = 6 takes the extremes, n = 15 the 4th from each end, n =
        // 25 the 8th.
        let interval = |n: usize| {
            let values: Vec<_> = (1..=n).map(|v| v as f64).collect();
            Spread::confidence(&values).map(|s| (s.min, s.median, s.max))
        };
        assert_eq!(interval(0), None);
        assert_eq!(interval(5), None);
        assert_eq!(interval(6), Some((1.0, 3.5, 6.0)));
        assert_eq!(interval(15), Some((4.0, 8.0, 12.0)));
        assert_eq!(interval(25), Some((8.0, 13.0, 18.0)));
        // Summed up exactly, as fractions.
        assert_eq!(interval(2000), Some((956.0, 1000.5, 1045.0)));
    }

    #[test]
    fn a_slow_round_of_both_leaves_the_ratio_alone() {
        let ratios = Spread::of_ratios(&[40.0, 20.0, 44.0], &[10.0, 5.0, 11.0]);
        assert_eq!(ratios, Some(Spread { median: 4.0, min: 4.0, max: 4.0 }));
    }

    #[test]
    fn touching_spreads_are_not_apart() {
        let spread = |min, max| Spread { median: f64::midpoint(min, max), min, max };
        assert!(spread(1.0, 2.0).is_apart_from(&spread(2.5, 3.0)));
        assert!(spread(2.5, 3.0).is_apart_from(&spread(1.0, 2.0)));
        assert!(!spread(1.0, 2.0).is_apart_from(&spread(2.0, 3.0)));
    }
}
