//! Writing a safetensors file.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tensor::Shape;

use super::error::WeightsError;
use super::header::{Dtype, METADATA};

/// The bytes of a safetensors file with these tensors (name, shape, values), in this order, and these
/// metadata. The entry `format` = `pt`, by which readers know PyTorch's layout, is added.
///
/// # Panics
/// When a tensor's values do not fill its shape, or two tensors have one name.
#[track_caller]
pub fn encode<'a>(
    tensors: impl IntoIterator<Item = (&'a str, Shape, &'a [f32])>,
    metadata: &[(&str, &str)],
) -> Vec<u8> {
    let mut metadata: BTreeMap<&str, &str> = metadata.iter().copied().collect();
    metadata.insert("format", "pt");
    let mut header = format!("{{{}:{}", quoted(METADATA), quoted(&metadata));
    let (mut names, mut data) = (HashSet::new(), Vec::new());
    for (name, shape, values) in tensors {
        assert!(
            shape.numel() == values.len(),
            "encode: {name:?} has shape {shape} and {} values",
            values.len()
        );
        assert!(names.insert(name), "encode: two tensors are named {name:?}");
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let info = Info { dtype: Dtype::F32, shape: &shape, data_offsets: (start, data.len()) };
        header += &format!(",{}:{}", quoted(name), quoted(&info));
    }
    header.push('}');
    let mut header = header.into_bytes();
    // The tensors begin at a multiple of 8 bytes, so that they can be mapped.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes.append(&mut data);
    bytes
}

/// What the header says of a tensor.
#[derive(Serialize)]
struct Info<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    data_offsets: (usize, usize),
}

fn quoted(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings and numbers are always JSON")
}

/// Puts `bytes` into the file at `path`, whole or not at all: they are written beside it and synced,
/// the new file is renamed to `path`, and the folder is synced.
///
/// # Errors
/// When any of this fails; then the file that was at `path` stands, and nothing is left beside it.
/// A process that is killed leaves `.NAME.PID.tmp` behind, which nobody reads.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), WeightsError> {
    let path = path.as_ref();
    let replace = || {
        let beside = beside(path)?;
        let written = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // The error that is reported is the first one.
            let _ = fs::remove_file(&beside);
        }
        written.and_then(|()| sync_folder(path))
    };
    replace().map_err(|source| WeightsError::Io { action: "write", path: path.into(), source })
}

/// A name in the same folder that no other process uses.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name");
    let name = path.file_name().ok_or_else(no_name)?.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}.tmp", std::process::id())))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the renaming last: elsewhere than on Unix a folder cannot be synced, and need not be.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
