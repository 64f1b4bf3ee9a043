//! Weights in safetensors files, interchangeable with PyTorch.
//!
//! A file contains a model's parameters and running statistics under the names and in the layouts of
//! PyTorch's `state_dict` for the same `Sequential`: `0.weight` as out × in × kh × kw, `10.weight` as out ×
//! in. In PyTorch:
//!
//! ```python
//! from safetensors.torch import load_file, save_file
//! net.load_state_dict(load_file("model.safetensors"))   # a file of ours
//! save_file(net.state_dict(), "model.safetensors")      # a file for us
//! ```
//!
//! PyTorch's batch normalisation also counts its batches (`num_batches_tracked`). We keep that count only if
//! it is needed, with a momentum of `None`. It is then written as in PyTorch, as an integer (I64), and is 0
//! if a file has none. Otherwise it is ignored on loading and not written, and PyTorch's strict
//! `load_state_dict` takes it as 0.
//!
//! The format is implemented here because the crate `safetensors` (tried with 0.8.0) cannot provide these
//! guarantees:
//!
//! - A file is readable whatever else it contains. With the crate, one tensor of an unknown type makes the
//!   whole header an error, and there is no way to list the others.
//! - Reading takes at most twice the size of the file in memory. With the crate, a header of many small
//!   tensors takes 11 to 13 times the size of the file.
//! - Two tensors with the same name are an error; with the crate, one of them wins if the other leaves no
//!   gap.
//! - The same weights give the same bytes; with the crate, the metadata come in random order.
//!
//! Tests check that each reads the other's files.
//!
//! Files are read and written piece by piece: beside the model, saving takes 64 KiB and loading a copy of the
//! parameters, so that nothing changes if it fails; [`Archive::read`] reads one tensor of a file of any size.

mod archive;
mod error;
mod extra;
mod header;
mod json;
mod sharded;
mod write;

use std::path::Path;

use autograd::Params;

pub use archive::{Archive, TensorInfo};
pub use error::{Differences, Matched, WeightsError};
pub use extra::{Extra, load_with, save_with};
pub use write::encode;

/// Writes all parameters and statistics, with string metadata, atomically ([`atomic_file::write`]).
///
/// ```
/// # fn main() -> Result<(), nn::weights::WeightsError> {
/// # let dir = tempfile::tempdir().expect("a directory");
/// # let path = dir.path().join("model.safetensors");
/// use nn::{Linear, weights};
/// let (_net, params) = nn::build(Linear::new(3, 2), 0);
/// weights::save(&path, &params, &[("epoch", "50")])?;
///
/// let (_net, mut other) = nn::build(Linear::new(3, 2), 1);
/// weights::load(&path, &mut other)?;
/// assert_eq!(params.values(), other.values());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the file cannot be written; the old file is then unchanged, unless only syncing its folder failed,
/// and no temporary file remains.
pub fn save(path: impl AsRef<Path>, params: &Params, metadata: &[(&str, &str)]) -> Result<(), WeightsError> {
    write::Contents::new(write::tensors_of(params), metadata, header::is_count).save(path.as_ref())
}

/// Reads a file into the parameters and statistics of a model.
///
/// Names and shapes must match the model; numbers may be F32, or F64, F16 or BF16, which are converted.
/// Everything is checked and read before the first parameter changes.
///
/// # Errors
/// When the file cannot be read, is not a valid safetensors file, or belongs to another network; the error
/// then lists all differences at once, as `load_state_dict` does.
pub fn load(path: impl AsRef<Path>, params: &mut Params) -> Result<(), WeightsError> {
    Archive::open(path)?.load_into(params)
}

/// Loads the tensors of a file that match a model by name and shape, for example the body of a network under
/// another head, and returns a report of the others. Like `load_state_dict(…, strict=False)`, which in
/// PyTorch refuses different shapes.
///
/// If the names differ, use [`Archive::renamed`] before [`Archive::load_matching`].
///
/// ```
/// # fn main() -> Result<(), nn::weights::WeightsError> {
/// # let dir = tempfile::tempdir().expect("a directory");
/// # let path = dir.path().join("model.safetensors");
/// use nn::{Linear, ReLU, sequential, weights};
/// let (_net, params) = nn::build(sequential![Linear::new(3, 8), ReLU, Linear::new(8, 10)], 0);
/// weights::save(&path, &params, &[])?;
///
/// let (_net, mut params) = nn::build(sequential![Linear::new(3, 8), ReLU, Linear::new(8, 2)], 1);
/// let matched = weights::load_matching(&path, &mut params)?;
/// assert_eq!(matched.loaded, ["0.weight", "0.bias"]);
/// assert!(matched.to_string().contains("2.weight [10, 8], in the network [2, 8]"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the file cannot be read or is not a valid safetensors file; the parameters are unchanged then.
pub fn load_matching(path: impl AsRef<Path>, params: &mut Params) -> Result<Matched, WeightsError> {
    Archive::open(path)?.load_matching(params)
}
