//! NumPy files, as `numpy.save` writes them.

use std::path::{Path, PathBuf};

/// The head that NumPy writes for a type such as `<f4`, an order and a shape such as `(2, 3)`.
pub(crate) fn head(version: u8, descr: &str, fortran_order: bool, shape: &str) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    raw_head(version, &format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"))
}

/// A head with any dictionary, padded so that the values begin at a multiple of 64.
pub(crate) fn raw_head(version: u8, dictionary: &str) -> Vec<u8> {
    let prefix_len = if version == 1 { 10 } else { 12 };
    let len = (prefix_len + dictionary.len() + 1).next_multiple_of(64) - prefix_len;
    let mut bytes = [b"\x93NUMPY".as_slice(), &[version, 0]].concat();
    if version == 1 {
        bytes.extend((len as u16).to_le_bytes());
    } else {
        bytes.extend((len as u32).to_le_bytes());
    }
    bytes.extend(format!("{dictionary:<width$}\n", width = len - 1).into_bytes());
    bytes
}

/// Writes a file into `dir` and says where.
pub(crate) fn write(dir: &Path, name: &str, head: Vec<u8>, values: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, [head, values.to_vec()].concat()).unwrap();
    path
}
