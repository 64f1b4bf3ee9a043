//! The values of flags: parsers that reject others with the expected range.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A finite number for which `holds` is true; `range` describes the condition.
fn number(text: &str, range: &str, holds: impl Fn(f64) -> bool) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && holds(x) => Ok(x),
        _ => Err(format!("expected a number {range}")),
    }
}

/// A number from 0 to the largest f32.
///
/// # Errors
/// With the range, when the text is something else.
pub fn not_negative(text: &str) -> Result<f64, String> {
    number(text, "from 0 to 3.4e38", |x| (0.0..=f64::from(f32::MAX)).contains(&x))
}

/// A finite number.
///
/// # Errors
/// With the range, when the text is something else.
pub fn any_number(text: &str) -> Result<f64, String> {
    number(text, "that is finite", |_| true)
}

/// A number above 0, up to the largest f32.
///
/// # Errors
/// With the range, when the text is something else.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text, "above 0, to 3.4e38", |x| x > 0.0 && x <= f64::from(f32::MAX))
}

/// A position on the x axis of a function.
///
/// # Errors
/// With the range, when the text is something else.
pub fn place(text: &str) -> Result<f64, String> {
    number(text, "from -1000 to 1000", |x| x.abs() <= 1000.0)
}

/// A number from 0 up to, but not including, 1.
///
/// # Errors
/// With the range, when the text is something else.
pub fn below_one(text: &str) -> Result<f64, String> {
    number(text, "of at least 0 and below 1", |x| (0.0..1.0).contains(&x))
}

/// A number from 0 to 1.
///
/// # Errors
/// With the range, when the text is something else.
pub fn probability(text: &str) -> Result<f64, String> {
    number(text, "from 0 to 1", |x| (0.0..=1.0).contains(&x))
}

fn whole<N: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<N>) -> Result<N, String> {
    let expected = || format!("expected a whole number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|n| range.contains(n)).ok_or_else(expected)
}

/// A number of epochs.
///
/// # Errors
/// With the range, when the text is something else.
pub fn epochs(text: &str) -> Result<u64, String> {
    whole(text, 1..=1_000_000)
}

/// Any whole number, 0 included.
///
/// # Errors
/// With the range, when the text is something else.
pub fn any_size(text: &str) -> Result<usize, String> {
    whole(text, 0..=usize::MAX)
}

/// Any seed.
///
/// # Errors
/// With the range, when the text is something else.
pub fn any_seed(text: &str) -> Result<u64, String> {
    whole(text, 0..=u64::MAX)
}

/// A whole number of at least 1.
///
/// # Errors
/// With the range, when the text is something else.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n >= 1).ok_or_else(|| "expected a whole number of at least 1".into())
}

/// A whole number from `MIN` to `MAX`.
///
/// # Errors
/// With the range, when the text is something else.
pub fn within<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    whole(text, MIN..=MAX)
}

/// A number of threads.
///
/// # Errors
/// With the range, when the text is something else.
pub fn threads(text: &str) -> Result<usize, String> {
    whole(text, 1..=1024)
}
