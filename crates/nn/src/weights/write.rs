//! Writing a safetensors file.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use tensor::Shape;

use super::header::{COUNT_TYPE, METADATA};

/// Returns the bytes of a safetensors file with these tensors (name, shape, values), in this order, and these
/// metadata. The entry `format` = `pt`, which tells readers that the layout is PyTorch's, is added.
///
/// # Panics
/// When the number of a tensor's values does not match its shape, or two tensors have the same name.
#[track_caller]
pub fn encode<'a>(
    tensors: impl IntoIterator<Item = (&'a str, Shape, &'a [f32])>,
    metadata: &[(&str, &str)],
) -> Vec<u8> {
    encode_with(tensors, metadata, |_| false)
}

/// The same, but tensors with the name of a batch count are written as integers, as in PyTorch.
#[track_caller]
pub(super) fn encode_with<'a>(
    tensors: impl IntoIterator<Item = (&'a str, Shape, &'a [f32])>,
    metadata: &[(&str, &str)],
    is_count: fn(&str) -> bool,
) -> Vec<u8> {
    let mut metadata: BTreeMap<&str, &str> = metadata.iter().copied().collect();
    metadata.insert("format", "pt");
    let mut header = format!("{{{METADATA}:{}", quoted(&metadata));
    let (mut names, mut data) = (HashSet::new(), Vec::new());
    for (name, shape, values) in tensors {
        assert!(
            shape.numel() == values.len(),
            "encode: {name:?} has shape {shape} and {} values",
            values.len()
        );
        assert!(names.insert(name), "encode: two tensors are named {name:?}");
        let start = data.len();
        let dtype = if is_count(name) {
            data.extend(values.iter().flat_map(|&value| (value as i64).to_le_bytes()));
            COUNT_TYPE
        } else {
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            "F32"
        };
        let info = Info { dtype, shape: &shape, data_offsets: (start, data.len()) };
        header += &format!(",{}:{}", quoted(name), quoted(&info));
    }
    header.push('}');
    let mut header = header.into_bytes();
    // The tensors start at a multiple of 8 bytes, so that they can be memory-mapped.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes.append(&mut data);
    bytes
}

/// The header's description of a tensor.
#[derive(Serialize)]
struct Info<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: (usize, usize),
}

fn quoted(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings and numbers are always JSON")
}
