//! Writing a safetensors file.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::Path;

use autograd::Params;
use serde::Serialize;
use tensor::Shape;

use super::error::WeightsError;
use super::header::{COUNT_TYPE, METADATA};

/// How many bytes are converted at a time.
const BUFFER_LEN: usize = 1 << 16;

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
    let file = Contents::new(tensors, metadata, |_| false);
    let mut bytes = Vec::with_capacity(file.len());
    file.write_to(&mut bytes).expect("memory can be written");
    bytes
}

/// Name, shape and values of all parameters and statistics.
pub(super) fn tensors_of(params: &Params) -> impl Iterator<Item = (&str, Shape, &[f32])> {
    params
        .entries()
        .iter()
        .map(|entry| (entry.name.as_str(), entry.shape, &params.values()[entry.range.clone()]))
}

/// What is to be in a safetensors file.
pub(super) struct Contents<'a> {
    /// The length of the header and the header.
    header: Vec<u8>,
    tensors: Vec<(&'a [f32], DType)>,
}

/// The type of a tensor's numbers in the file.
#[derive(Clone, Copy)]
enum DType {
    F32,
    /// A batch count, an integer as in PyTorch.
    Count,
}

impl DType {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Count => COUNT_TYPE,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Count => 8,
        }
    }
}

impl<'a> Contents<'a> {
    /// As [`encode`], but the tensors named so are written as integers.
    #[track_caller]
    pub(super) fn new(
        tensors: impl IntoIterator<Item = (&'a str, Shape, &'a [f32])>,
        metadata: &[(&str, &str)],
        is_count: fn(&str) -> bool,
    ) -> Self {
        let mut metadata: BTreeMap<&str, &str> = metadata.iter().copied().collect();
        metadata.insert("format", "pt");
        let mut json = format!("{{{METADATA}:{}", quoted(&metadata));
        let (mut names, mut listed, mut end) = (HashSet::new(), Vec::new(), 0);
        for (name, shape, values) in tensors {
            assert!(
                shape.numel() == values.len(),
                "encode: {name:?} has shape {shape} and {} values",
                values.len()
            );
            assert!(names.insert(name), "encode: two tensors are named {name:?}");
            let dtype = if is_count(name) { DType::Count } else { DType::F32 };
            let start = end;
            end += values.len() * dtype.size();
            let info = Info { dtype: dtype.name(), shape: &shape, data_offsets: (start, end) };
            json += &format!(",{}:{}", quoted(name), quoted(&info));
            listed.push((values, dtype));
        }
        json.push('}');
        // The tensors start at a multiple of 8 bytes, so that they can be memory-mapped.
        let len = json.len().next_multiple_of(8);
        let mut header = (len as u64).to_le_bytes().to_vec();
        header.extend_from_slice(json.as_bytes());
        header.resize(8 + len, b' ');
        Self { header, tensors: listed }
    }

    /// The length of the file in bytes.
    fn len(&self) -> usize {
        self.header.len()
            + self.tensors.iter().map(|(values, dtype)| values.len() * dtype.size()).sum::<usize>()
    }

    /// Writes the file, converting a few numbers at a time.
    pub(super) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.header)?;
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        for (values, dtype) in &self.tensors {
            for values in values.chunks(BUFFER_LEN / dtype.size()) {
                buffer.clear();
                match dtype {
                    DType::F32 => buffer.extend(values.iter().flat_map(|value| value.to_le_bytes())),
                    DType::Count => {
                        buffer.extend(values.iter().flat_map(|&value| (value as i64).to_le_bytes()));
                    }
                }
                out.write_all(&buffer)?;
            }
        }
        Ok(())
    }

    /// Writes the file at `path`, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), WeightsError> {
        let written = atomic_file::write_with(path, |file| self.write_to(file));
        written.map_err(|source| WeightsError::Io { action: "write", path: path.into(), source })
    }
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
