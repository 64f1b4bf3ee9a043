//! What can go wrong with a file of weights.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tensor::Shape;
use thiserror::Error;

use super::header::Dtype;

/// Why weights could not be loaded or saved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is broken or something else altogether.
    #[error("{} is not a whole safetensors file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is one of another network.
    #[error("{} does not fit this network:{differences}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All that differs.
        differences: Differences,
    },
}

/// All differences between a file and a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// In the model, not in the file.
    pub missing: Vec<(String, Shape)>,
    /// In the file, not in the model.
    pub unexpected: Vec<(String, Shape)>,
    /// In both: the shape in the file, the shape in the model.
    pub reshaped: Vec<(String, Shape, Shape)>,
    /// In the file as a type that is no floating-point number.
    pub not_floats: Vec<(String, Dtype)>,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |(name, shape): &(String, Shape)| format!("{name} {shape}");
        write_list(f, "missing from the file", &self.missing, named)?;
        write_list(f, "not in the network", &self.unexpected, named)?;
        write_list(f, "of another shape", &self.reshaped, |(name, file, model)| {
            format!("{name} {file}, in the network {model}")
        })?;
        write_list(f, "of a type that is not F32, F64, F16 or BF16", &self.not_floats, |(name, dtype)| {
            format!("{name} {dtype}")
        })
    }
}

/// A line for one kind of difference; a file from elsewhere may hold thousands, so only some are named.
fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    items: &[T],
    describe: impl Fn(&T) -> String,
) -> fmt::Result {
    const MAX_NAMED: usize = 20;
    if items.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = items.iter().take(MAX_NAMED).map(describe).collect();
    write!(f, "\n  {what}: {}", named.join("; "))?;
    match items.len().saturating_sub(MAX_NAMED) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}
