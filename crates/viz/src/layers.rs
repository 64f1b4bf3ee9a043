//! The layers of a figure.

mod contour;
mod histogram;
mod lines;
mod points;

pub(crate) use contour::Contour;
pub(crate) use histogram::Histogram;
pub(crate) use lines::{Band, Line, Rule};
pub(crate) use points::{Mark, Path, Scatter};
