//! What can go wrong with a file of weights.

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
    /// The file system refused.
    #[error("cannot {action} {}: {source}", shown_path(path))]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is broken or something else altogether.
    #[error("{} is not a valid safetensors file: {reason}", shown_path(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is one of another network.
    #[error("{} does not fit this network:{differences}", shown_path(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All that differs.
        differences: Box<Differences>,
    },
}

/// All differences between a file and a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// In the model, not in the file.
    pub missing: Vec<(String, Shape)>,
    /// In the file, not in the model: the first [`MAX_NAMED`](Self::MAX_NAMED) of them, since a file from
    /// elsewhere may hold any number; name, shape and any type but F32, as they are shown.
    pub unexpected: Vec<String>,
    /// How many there are in the file and not in the model.
    pub n_unexpected: usize,
    /// In both: the shape in the file, as it is shown, and the shape in the model.
    pub reshaped: Vec<(String, String, Shape)>,
    /// In the file as a type that is not a floating-point number: the type, as it is shown.
    pub not_floats: Vec<(String, String)>,
    /// What stands before each of the missing names in the file, as it is shown: `module.`, if that is all that differs.
    pub prefix: Option<String>,
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
        write_list(f, "of another shape", reshaped.len(), reshaped, |(name, file, model)| {
            format!("{name} {file}, in the network {model}")
        })?;
        let no_float = "of a type that is not F32, F64, F16 or BF16";
        write_list(f, no_float, not_floats.len(), not_floats, |(name, dtype)| format!("{name} {dtype}"))?;
        match prefix {
            None => Ok(()),
            Some(prefix) => write!(
                f,
                "\n  the file has all that is missing under the prefix {prefix}: open it as an Archive and take \
                 the prefix off by Archive::renamed"
            ),
        }
    }
}

/// What came of loading that part of a file which fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The parameters and statistics that were loaded, in the order of the network.
    pub loaded: Vec<String>,
    /// All that was not, and why.
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
