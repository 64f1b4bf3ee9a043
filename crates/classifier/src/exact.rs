//! Measured numbers in JSON: as text, which is exact both ways and can be NaN or infinite.
//!
//! For a field: `#[serde(with = "classifier::exact")]`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

/// Writes the number as text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(x)
}

/// Reads the text as a number.
///
/// # Errors
/// When it is not text, or not a number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
