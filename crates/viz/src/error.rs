//! What can go wrong with a figure.

use std::path::PathBuf;

/// Why a figure could not be made. A mistake in the call, such as `xs` and `ys` of different length,
/// panics instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A series, or a plot, without a value.
    #[error("plot {plot:?}: {part} is empty, expected at least one value")]
    Empty {
        /// The plot's title.
        plot: String,
        /// Which part of it: `series "train"`.
        part: String,
    },
    /// There are values, but none that the axes can show.
    #[error(
        "plot {plot:?}: none of its {n_values} values can be drawn, expected at least one that is {expected}"
    )]
    NothingToDraw {
        /// The plot's title.
        plot: String,
        /// How many values were given.
        n_values: usize,
        /// What the axes can show: `finite`, or `finite and above 0 on a logarithmic axis`.
        expected: &'static str,
    },
    /// A range that a logarithmic axis cannot show.
    #[error("plot {plot:?}: the {axis} axis is logarithmic but begins at {lo}, expected a number above 0")]
    LogRange {
        /// The plot's title.
        plot: String,
        /// `x` or `y`.
        axis: &'static str,
        /// Where the range begins.
        lo: f64,
    },
    /// The file's name does not say which kind of file is wanted.
    #[error("{path}: expected a file name that ends in .svg or .png", path = path.display())]
    Extension {
        /// The path as given.
        path: PathBuf,
    },
    /// The file could not be written; what was there before is unchanged.
    #[error("{path}: cannot write the figure", path = path.display())]
    Write {
        /// The path as given.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A PNG would take more memory than it is worth.
    #[error(
        "plot {plot:?}: {width} × {height} pixels are too many for a PNG, expected at most {max_pixels} in all"
    )]
    TooLarge {
        /// The plot's title.
        plot: String,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The most pixels that there may be.
        max_pixels: u64,
    },
}

/// The result of making a figure.
pub type Result<T> = std::result::Result<T, Error>;
