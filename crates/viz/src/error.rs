//! Errors of figures.

use std::path::PathBuf;

use foreign_text::shown_path;

/// Why a figure could not be made. Incorrect calls, such as `xs` and `ys` of different lengths, panic
/// instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A series or plot without values.
    #[error("plot {plot:?}: {part} is empty, expected at least one value")]
    Empty {
        /// The plot's title.
        plot: String,
        /// The part of the plot, such as `series "train"`.
        part: String,
    },
    /// None of the values can be shown on the axes.
    #[error(
        "plot {plot:?}: none of its {n_values} values can be drawn, expected at least one that is {expected}"
    )]
    NothingToDraw {
        /// The plot's title.
        plot: String,
        /// The number of values.
        n_values: usize,
        /// The values the axes can show: `finite`, `finite and above 0 on a logarithmic axis`, or `finite and
        /// within the axes' ranges`.
        expected: &'static str,
    },
    /// A range that a logarithmic axis cannot show.
    #[error("plot {plot:?}: the {axis} axis is logarithmic but begins at {lo}, expected a number above 0")]
    LogRange {
        /// The plot's title.
        plot: String,
        /// `x` or `y`.
        axis: &'static str,
        /// The start of the range.
        lo: f64,
    },
    /// The file name does not determine the file type.
    #[error("{}: expected a file name that ends in .svg or .png", shown_path(path))]
    Extension {
        /// The given path.
        path: PathBuf,
    },
    /// The file could not be written; an existing file is unchanged.
    #[error("{}: cannot write the figure", shown_path(path))]
    Write {
        /// The given path.
        path: PathBuf,
        /// The error from the operating system.
        source: std::io::Error,
    },
    /// A PNG would need too much memory.
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
        /// The maximum number of pixels.
        max_pixels: u64,
    },
}

/// The result of making a figure.
pub type Result<T> = std::result::Result<T, Error>;
