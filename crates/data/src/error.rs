//! What can go wrong with files: always with the path, what was expected and what was found.

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
        /// What the operating system said.
        source: io::Error,
    },
    /// Something else lies where a regular file was expected.
    #[error("{}: expected a regular file, found {found}", shown_path(path))]
    NotAFile {
        /// What was to be opened.
        path: PathBuf,
        /// What it is: a directory, a pipe, …
        found: &'static str,
    },
    /// A file of records whose length is no positive multiple of a record's.
    #[error("{}: expected records of {record_len} bytes, found {len} bytes in all", shown_path(path))]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The length of a record in bytes.
        record_len: usize,
    },
    /// A label that stands for no class.
    #[error("{}: record {record_idx} has the label {label}, expected 0 to {}", shown_path(path), n_classes - 1)]
    Label {
        /// The file.
        path: PathBuf,
        /// Which record of the file, from 0.
        record_idx: usize,
        /// The label found.
        label: u32,
        /// How many classes there are.
        n_classes: usize,
    },
    /// A label that stands for no class, met when the image was read.
    #[error("image {image_idx} of the data set has the label {label}, expected 0 to {}; \
             was its file changed while in use?", n_classes - 1)]
    LabelInUse {
        /// Which image of the data set.
        image_idx: usize,
        /// The label found.
        label: u32,
        /// How many classes there are.
        n_classes: usize,
    },
    /// A file that does not have the published SHA-256.
    #[error("{}: expected the SHA-256 {expected}, found {found}", shown_path(path))]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The published checksum, in hexadecimal.
        expected: &'static str,
        /// The checksum of what is there.
        found: String,
    },
    /// A mapped file that was cut short after it was opened.
    #[error("{}: cut short while in use, from {expected} to {found} bytes", shown_path(path))]
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
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A NumPy file that is damaged, or of another order or type.
    #[error("{}: {problem}", shown_path(path))]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A file of MNIST's format that is missing, damaged, or does not fit the others.
    #[error("{}: {problem}", shown_path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A CSV file in which something is missing or is no number.
    #[error("{}: {place}: {problem}", shown_path(path))]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line and, where it is one column's, the column, both from 1.
        place: String,
        /// What is wrong there, and what was expected.
        problem: String,
    },
    /// A number in a field of labels that stands for no class.
    #[error("example {example_idx} has the label {label} in the field {field}, expected 0 to {}", *n_classes as i64 - 1)]
    LabelOfField {
        /// The field.
        field: String,
        /// Which example of the data set.
        example_idx: usize,
        /// The label found.
        label: i64,
        /// How many classes there are.
        n_classes: usize,
    },
    /// A number of folds that there cannot be.
    #[error("{n_folds} folds of {n_examples} examples: expected 2 folds or more, and an example for each")]
    Folds {
        /// The number of folds asked for.
        n_folds: usize,
        /// How many examples there are.
        n_examples: usize,
    },
    /// An image that cannot be decoded.
    #[error("{}: {problem}", shown_path(path))]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder of images by class in which something is missing or cannot be used.
    #[error("{}: {problem}", shown_path(path))]
    Folder {
        /// The folder, or what lies in it.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A position that the loader cannot take up.
    #[error("step {step} is not in an epoch of {n_batches} batches")]
    Position {
        /// The step asked for.
        step: usize,
        /// How many batches an epoch has.
        n_batches: usize,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }
}
