//! Errors for files: each names the path, what was expected and what was found.

use std::io;
use std::path::{Path, PathBuf};

use foreign_text::shown_path;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file or folder.
    #[error("{}: {source}", shown_path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error from the operating system.
        source: io::Error,
    },
    /// A regular file was expected, but something else was found.
    #[error("{}: expected a regular file, found {found}", shown_path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is: a directory, a pipe, …
        found: &'static str,
    },
    /// A file of records whose length is not a positive multiple of the record length.
    #[error("{}: expected records of {record_len} bytes, found {len} bytes in all", shown_path(path))]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The length of a record in bytes.
        record_len: usize,
    },
    /// A label that is not a class.
    #[error("{}: record {record_idx} has the label {label}, expected 0 to {}", shown_path(path), n_classes - 1)]
    Label {
        /// The file.
        path: PathBuf,
        /// The index of the record in the file, from 0.
        record_idx: usize,
        /// The label found.
        label: u32,
        /// The number of classes.
        n_classes: usize,
    },
    /// A label that is not a class, found when the image was read.
    #[error("image {image_idx} of the data set has the label {label}, expected 0 to {}; \
             was its file changed while in use?", n_classes - 1)]
    LabelInUse {
        /// The index of the image in the data set.
        image_idx: usize,
        /// The label found.
        label: u32,
        /// The number of classes.
        n_classes: usize,
    },
    /// A file that does not have the published SHA-256.
    #[error("{}: expected the SHA-256 {expected}, found {found}", shown_path(path))]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The published checksum, in hexadecimal.
        expected: &'static str,
        /// The checksum found.
        found: String,
    },
    /// A mapped file that was truncated after it was opened.
    #[error("{}: truncated while in use, from {expected} to {found} bytes", shown_path(path))]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Its length when it was opened.
        expected: u64,
        /// Its length now.
        found: u64,
    },
    /// A file of class names that does not fit the data set.
    #[error("{}: {problem}", shown_path(path))]
    ClassNames {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A NumPy file that is damaged, or has another order or type.
    #[error("{}: {problem}", shown_path(path))]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A file in MNIST's format that is missing, damaged, or does not fit the others.
    #[error("{}: {problem}", shown_path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A CSV file with a missing or invalid value.
    #[error("{}: {place}: {problem}{}{}", shown_path(path), if remedy.is_some() { "; " } else { "" }, remedy.unwrap_or_default())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line and, if a single column is at fault, the column, both from 1.
        place: String,
        /// What is wrong, and what was expected.
        problem: String,
        /// The option of [`Csv`](crate::Csv) that allows it, if there is one.
        remedy: Option<&'static str>,
    },
    /// A label in a field that is not a class.
    #[error("example {example_idx} has the label {label} in the field {field}, expected 0 to {}", *n_classes as i64 - 1)]
    LabelOfField {
        /// The field.
        field: String,
        /// The index of the example in the data set.
        example_idx: usize,
        /// The label found.
        label: i64,
        /// The number of classes.
        n_classes: usize,
    },
    /// A number in a field that is no token or label.
    #[error(
        "field {field}: expected whole numbers from 0 to {}{}, found {value} at {at:?} of the batch \
         (example {example_idx} of the data set)",
        u32::MAX - 1,
        ignore_index.map_or(String::new(), |ignored| format!(" or {ignored}"))
    )]
    Token {
        /// The field.
        field: String,
        /// The number found.
        value: i64,
        /// Its place in the batch: the example, then the place in the example's values.
        at: Vec<usize>,
        /// The index of the example in the data set.
        example_idx: usize,
        /// The number that may also stand there.
        ignore_index: Option<i64>,
    },
    /// An impossible number of folds.
    #[error(
        "{n_folds} fold{} of {n_examples} example{}: expected {}",
        if *n_folds == 1 { "" } else { "s" },
        if *n_examples == 1 { "" } else { "s" },
        match n_examples {
            0 | 1 => "at least 2 examples".into(),
            2 => "2 folds, each with one example".into(),
            n => format!("2 to {n} folds, each with at least one example"),
        }
    )]
    Folds {
        /// The requested number of folds.
        n_folds: usize,
        /// The number of examples.
        n_examples: usize,
    },
    /// An image that cannot be decoded.
    #[error("{}: {problem}", shown_path(path))]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A folder of images by class with something missing or unusable.
    #[error("{}: {problem}", shown_path(path))]
    Folder {
        /// The folder, or an entry in it.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A position outside an epoch.
    #[error("step {step} is not in an epoch of {n_batches} batches")]
    Position {
        /// The requested step.
        step: usize,
        /// The number of batches in an epoch.
        n_batches: usize,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }
}
