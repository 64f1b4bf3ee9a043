//! Errors of a rule, a schedule, a group of parameters or a saved state.

use std::fmt;
use std::ops::Range;

/// An error of this crate; each names the given value and what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A hyperparameter outside its range.
    #[error("{owner}: {field} = {value} is outside {allowed}")]
    Hyperparameter {
        /// The rule or schedule: `adam`, `step`, …
        owner: &'static str,
        /// The field: `lr`, `beta1`, …
        field: &'static str,
        /// The value.
        value: f64,
        /// The allowed values.
        allowed: Interval,
    },
    /// Hyperparameters that cannot be combined.
    #[error("{owner}: {rule}")]
    Combination {
        /// The rule or schedule.
        owner: &'static str,
        /// What must hold.
        rule: &'static str,
    },
    /// A hyperparameter that a rule does not have.
    #[error("{owner} has no hyperparameter `{field}`; it has {known}")]
    NoHyperparameter {
        /// The rule.
        owner: &'static str,
        /// The requested name.
        field: String,
        /// The known names.
        known: String,
    },
    /// Text that is invalid for a hyperparameter or an option.
    #[error("{owner}: {field} = {text} is not {expected}")]
    Option {
        /// The rule or schedule.
        owner: &'static str,
        /// The hyperparameter or option.
        field: String,
        /// The text.
        text: String,
        /// The expected text.
        expected: &'static str,
    },
    /// A name that no rule or schedule has.
    #[error("unknown {kind} `{name}`; expected one of {known}")]
    UnknownName {
        /// `optimizer` or `schedule`.
        kind: &'static str,
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// A pattern of [`Groups`](crate::Groups), or a path of [`clip_norm_under`](crate::clip_norm_under), that
    /// matches no trainable parameter.
    #[error("{call}: {pattern} matches no trainable parameter; the parameters are {known}")]
    NoMatch {
        /// The call: `only`, `no_decay`, `lr_scale`, `rule`, `clip_norm_under`.
        call: &'static str,
        /// The path, or a note that it is a condition.
        pattern: String,
        /// The known names.
        known: String,
    },
    /// A parameter whose shape does not fill its range.
    #[error("parameter `{name}`: shape {shape:?} has {} elements, range {range:?} has {}", n_elements(.shape), .range.len())]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its range.
        range: Range<usize>,
    },
    /// A parameter whose shape a rule does not accept.
    #[error(
        "parameter `{name}`: {owner} takes {expected}, not shape {shape:?}: set the parameter's shape \
         with `Param::with_shape`, or choose another rule with `Groups::rule`"
    )]
    RuleShape {
        /// The rule.
        owner: &'static str,
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The shapes that the rule accepts.
        expected: &'static str,
    },
    /// Two parameters that overlap in memory, or a name used twice.
    #[error(
        "parameters `{first}` ({first_range:?}) and `{second}` ({second_range:?}) overlap or share a name"
    )]
    Overlap {
        /// One parameter.
        first: String,
        /// Its range.
        first_range: Range<usize>,
        /// The other.
        second: String,
        /// Its range.
        second_range: Range<usize>,
    },
    /// A saved state that does not fit.
    #[error("state `{slot}`: {problem}")]
    State {
        /// The slot.
        slot: String,
        /// What does not fit.
        problem: String,
    },
    /// A value that is NaN or infinite.
    #[error("`{name}` is {value} at index {index}")]
    NonFinite {
        /// The parameter.
        name: String,
        /// The index within the parameter.
        index: usize,
        /// NaN, ∞ or −∞.
        value: f64,
    },
}

/// The number of elements of a shape; the largest `usize` if there are more.
pub(crate) fn n_elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n: usize, &len| n.saturating_mul(len))
}

/// The values a hyperparameter may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
    low_is_in: bool,
    high_is_in: bool,
}

impl Interval {
    /// [0, ∞).
    pub const NON_NEGATIVE: Self = Self { low: 0.0, high: f64::INFINITY, low_is_in: true, high_is_in: false };
    /// (0, ∞).
    pub const POSITIVE: Self = Self { low_is_in: false, ..Self::NON_NEGATIVE };
    /// [0, ∞], infinity included.
    pub const NON_NEGATIVE_OR_INFINITE: Self = Self { high_is_in: true, ..Self::NON_NEGATIVE };
    /// [1, ∞).
    pub const AT_LEAST_ONE: Self = Self { low: 1.0, ..Self::NON_NEGATIVE };
    /// (1, ∞).
    pub const ABOVE_ONE: Self = Self { low: 1.0, ..Self::POSITIVE };
    /// (−∞, 0].
    pub const NON_POSITIVE: Self =
        Self { low: f64::NEG_INFINITY, high: 0.0, low_is_in: false, high_is_in: true };
    /// (−∞, ∞).
    pub const FINITE: Self = Self { low: f64::NEG_INFINITY, ..Self::POSITIVE };
    /// [0, 1): a decay rate.
    pub const DECAY_RATE: Self = Self { high: 1.0, ..Self::NON_NEGATIVE };
    /// (0, 1).
    pub const INSIDE_UNIT: Self = Self { low_is_in: false, ..Self::DECAY_RATE };
    /// [0, 1].
    pub const UNIT: Self = Self { high_is_in: true, ..Self::DECAY_RATE };
    /// [0, ½].
    pub const HALF: Self = Self { high: 0.5, ..Self::UNIT };
    /// (0, 1].
    pub const POSITIVE_UNIT: Self = Self { low_is_in: false, ..Self::UNIT };

    /// [low, high).
    pub const fn half_open(low: f64, high: f64) -> Self {
        Self { low, high, low_is_in: true, high_is_in: false }
    }

    /// Whether `x` is in the interval; NaN never is.
    pub fn contains(&self, x: f64) -> bool {
        let above = if self.low_is_in { x >= self.low } else { x > self.low };
        let below = if self.high_is_in { x <= self.high } else { x < self.high };
        above && below
    }

    /// Returns an error with owner, field and value unless `value` is in the interval.
    pub fn check(self, owner: &'static str, field: &'static str, value: f64) -> Result<(), Error> {
        if self.contains(value) {
            return Ok(());
        }
        Err(Error::Hyperparameter { owner, field, value, allowed: self })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.low_is_in { '[' } else { '(' };
        let close = if self.high_is_in { ']' } else { ')' };
        let end = |x: f64| {
            if x.is_infinite() { if x > 0.0 { "∞".into() } else { "−∞".into() } } else { x.to_string() }
        };
        write!(f, "{open}{}, {}{close}", end(self.low), end(self.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_know_their_ends_and_no_nan() {
        for (interval, text, inside, outside) in [
            (Interval::NON_NEGATIVE, "[0, ∞)", vec![0.0, 1e300], vec![-1e-300, f64::INFINITY]),
            (Interval::POSITIVE, "(0, ∞)", vec![1e-300], vec![0.0, f64::INFINITY]),
            (Interval::NON_NEGATIVE_OR_INFINITE, "[0, ∞]", vec![0.0, f64::INFINITY], vec![-1.0]),
            (Interval::AT_LEAST_ONE, "[1, ∞)", vec![1.0], vec![0.999]),
            (Interval::ABOVE_ONE, "(1, ∞)", vec![1.001], vec![1.0]),
            (Interval::NON_POSITIVE, "(−∞, 0]", vec![-3.0, 0.0], vec![1e-300, f64::NEG_INFINITY]),
            (Interval::FINITE, "(−∞, ∞)", vec![-3.0, 3.0], vec![f64::NEG_INFINITY, f64::INFINITY]),
            (Interval::DECAY_RATE, "[0, 1)", vec![0.0, 0.999], vec![-0.1, 1.0]),
            (Interval::INSIDE_UNIT, "(0, 1)", vec![0.5], vec![0.0, 1.0]),
            (Interval::UNIT, "[0, 1]", vec![0.0, 1.0], vec![-0.1, 1.1]),
            (Interval::HALF, "[0, 0.5]", vec![0.0, 0.5], vec![-0.1, 0.51]),
            (Interval::POSITIVE_UNIT, "(0, 1]", vec![0.1, 1.0], vec![0.0, 1.1]),
        ] {
            assert_eq!(interval.to_string(), text);
            assert!(inside.iter().all(|&x| interval.contains(x)), "{text}");
            assert!(!outside.iter().any(|&x| interval.contains(x)), "{text}");
            assert!(!interval.contains(f64::NAN), "{text}");
        }
    }

    #[test]
    fn a_message_names_field_value_and_range() {
        let error = Interval::DECAY_RATE.check("adam", "beta1", 1.5).unwrap_err();
        assert_eq!(error.to_string(), "adam: beta1 = 1.5 is outside [0, 1)");
    }
}
