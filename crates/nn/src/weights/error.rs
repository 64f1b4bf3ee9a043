//! Errors of reading and writing weight files.

use std::fmt;
use std::io;
use std::path::PathBuf;

use foreign_text::shown_path;
use tensor::Shape;
use thiserror::Error;

/// Why weights could not be loaded or saved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A file-system operation failed.
    #[error("cannot {action} {}: {source}", shown_path(path))]
    Io {
        /// The operation attempted: `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// The file is broken or not a safetensors file at all.
    #[error("{} is not a valid safetensors file: {reason}", shown_path(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file belongs to another network.
    #[error("{} does not fit this network:{differences}", shown_path(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All differences.
        differences: Box<Differences>,
    },
}

/// All differences between a file and a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// In the model, not in the file.
    pub missing: Vec<(String, Shape)>,
    /// In the file, not in the model: the first [`MAX_NAMED`](Self::MAX_NAMED) of them, since an untrusted
    /// file may contain any number. Name, shape, and the type unless it is F32, as displayed.
    pub unexpected: Vec<String>,
    /// The number of tensors in the file but not in the model.
    pub n_unexpected: usize,
    /// In both, with different shapes: the shape in the file, as displayed, and the shape in the model.
    pub reshaped: Vec<(String, String, Shape)>,
    /// In the file with a type that is not floating-point: the type, as displayed.
    pub not_floats: Vec<(String, String)>,
    /// The prefix under which the file has the most missing names, as displayed (`module.`), and how many
    /// these are; `None` if they are fewer than half of them.
    pub prefix: Option<(String, usize)>,
}

impl Differences {
    /// How many differences of one kind are named; the others are only counted.
    pub const MAX_NAMED: usize = 20;

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, unexpected, n_unexpected, reshaped, not_floats, prefix } = self;
        write_list(f, "missing from the file", missing.len(), missing, |(name, shape)| {
            format!("{name} {shape}")
        })?;
        write_list(f, "not in the network", *n_unexpected, unexpected, String::clone)?;
        write_list(f, "with a different shape", reshaped.len(), reshaped, |(name, file, model)| {
            format!("{name} {file}, in the network {model}")
        })?;
        let no_float = "with a type other than F32, F64, F16 or BF16";
        write_list(f, no_float, not_floats.len(), not_floats, |(name, dtype)| format!("{name} {dtype}"))?;
        match prefix {
            None => Ok(()),
            Some((prefix, n_found)) => write!(
                f,
                "\n  the file has {n_found} of the {} missing names under the prefix {prefix}: open it as an \
                 Archive and remove the prefix with Archive::renamed",
                missing.len()
            ),
        }
    }
}

/// The result of loading the matching part of a file.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a file of which nothing matches is no error: print what was loaded, or check it"]
pub struct Matched {
    /// The parameters and statistics that were loaded, in the order of the network.
    pub loaded: Vec<String>,
    /// The tensors that were not loaded, and why.
    pub left: Differences,
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_loaded = self.loaded.len();
        let n_left = self.left.missing.len() + self.left.reshaped.len() + self.left.not_floats.len();
        write!(f, "{n_loaded} of the network's {} tensors loaded{}", n_loaded + n_left, self.left)
    }
}

/// A line for one kind of difference.
fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    n_items: usize,
    items: &[T],
    describe: impl Fn(&T) -> String,
) -> fmt::Result {
    if n_items == 0 {
        return Ok(());
    }
    let named: Vec<String> = items.iter().take(Differences::MAX_NAMED).map(describe).collect();
    write!(f, "\n  {what}: {}", named.join("; "))?;
    match n_items - named.len() {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}
