//! The numbers a list of rounds is summed up by.

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
    /// Of at least one finite value; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }

    /// The spread of `a[k] / b[k]`: both of a pair come from the same round, so that a slow minute of the machine
    /// falls out.
    pub fn of_ratios(a: &[f64], b: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = a.iter().zip(b).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }

    /// True if no value of one lies within the other.
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
