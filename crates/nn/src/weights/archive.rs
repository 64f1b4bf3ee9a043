//! Reading a safetensors file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use autograd::Params;
use tensor::Shape;

use super::error::{Differences, WeightsError};
use super::header::{Dtype, Entry, Header};
use super::json::{for_each_pair, unescape};

/// The longest header that is read, as in the crate `safetensors`.
const MAX_HEADER_LEN: u64 = 100_000_000;

/// An open safetensors file: its header is read and checked, its tensors are read when asked for.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the tensors begin.
    data_start: u64,
}

/// What a file says of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// The type of its elements in the file.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Shape,
}

impl Archive {
    /// Opens a file, and reads and checks its header.
    ///
    /// # Errors
    /// When the file cannot be read, or is no whole safetensors file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let format = |reason: String| WeightsError::Format { path: path.into(), reason };
        let io = |source| WeightsError::Io { action: "read", path: path.into(), source };
        // Asked before opening: to open a pipe would wait for its writer.
        let metadata = fs::metadata(path).map_err(io)?;
        if !metadata.is_file() {
            let kind = if metadata.is_dir() { "a directory" } else { "no regular file" };
            return Err(format(format!("it is {kind}")));
        }
        let mut file = File::open(path).map_err(io)?;
        let file_len = file.metadata().map_err(io)?.len();
        if file_len < 8 {
            return Err(format(format!("it has {file_len} bytes, a header's length alone takes 8")));
        }
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).map_err(io)?;
        let (header_len, rest) = (u64::from_le_bytes(prefix), file_len - 8);
        if header_len > rest.min(MAX_HEADER_LEN) {
            return Err(format(format!("it claims a header of {header_len} bytes and goes on for {rest}")));
        }
        let mut json = vec![0; header_len as usize];
        file.read_exact(&mut json).map_err(io)?;
        let header = Header::parse(&json, rest - header_len).map_err(format)?;
        Ok(Self { path: path.into(), file, header, data_start: 8 + header_len })
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorInfo<'_>> {
        self.header.entries.iter().map(info)
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<TensorInfo<'_>> {
        self.find(name).map(info)
    }

    /// The string that the file's metadata have under `key`, if there is one.
    ///
    /// # Errors
    /// When the metadata cannot be read again, or the string is broken.
    pub fn metadata(&self, key: &str) -> Result<Option<String>, WeightsError> {
        let Some(range) = &self.header.metadata else { return Ok(None) };
        let mut object = vec![0; range.len()];
        let mut file = &self.file;
        let read =
            file.seek(SeekFrom::Start(8 + range.start as u64)).and_then(|_| file.read_exact(&mut object));
        read.map_err(|source| WeightsError::Io { action: "read", path: self.path.clone(), source })?;
        let broken = |error| WeightsError::Format {
            path: self.path.clone(),
            reason: format!("its metadata are broken: {error}"),
        };
        look_up(&object, key).map_err(broken)
    }

    /// Reads a tensor of floating-point numbers into `out`, converted to f32.
    ///
    /// # Panics
    /// When there is no such tensor, it holds no floating-point numbers or `out` has another length:
    /// ask [`tensor`](Self::tensor) first.
    ///
    /// # Errors
    /// When the file cannot be read to the end of the tensor.
    #[track_caller]
    pub fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        let entry = self.find(name).unwrap_or_else(|| panic!("Archive::read: no tensor named {name:?}"));
        assert!(entry.dtype.is_float(), "Archive::read: {name:?} is {}, not a float", entry.dtype);
        assert!(
            out.len() == entry.shape().numel(),
            "Archive::read: {name:?} has shape {}, the output {} elements",
            entry.shape(),
            out.len()
        );
        self.copy(entry, out).map_err(|source| WeightsError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Reads all tensors into the parameters and statistics of a model; see [`load`](super::load).
    ///
    /// # Errors
    /// When names, shapes or types differ, or the file cannot be read; the parameters are unchanged then.
    pub fn load_into(&self, params: &mut Params) -> Result<(), WeightsError> {
        let differences = self.differences(params);
        if !differences.is_empty() {
            let differences = Box::new(differences);
            return Err(WeightsError::Mismatch { path: self.path.clone(), differences });
        }
        let mut values = params.values().to_vec();
        for entry in params.entries() {
            self.read(&entry.name, &mut values[entry.range.clone()])?;
        }
        params.values_mut().copy_from_slice(&values);
        Ok(())
    }

    fn differences(&self, params: &Params) -> Differences {
        let mut differences = Differences::default();
        for entry in params.entries() {
            match self.tensor(&entry.name) {
                None => differences.missing.push((entry.name.clone(), entry.shape)),
                Some(found) if found.shape != entry.shape => {
                    differences.reshaped.push((entry.name.clone(), found.shape, entry.shape));
                }
                Some(found) if !found.dtype.is_float() => {
                    differences.not_floats.push((entry.name.clone(), found.dtype));
                }
                Some(_) => {}
            }
        }
        for tensor in self.tensors() {
            if tensor.name.ends_with("num_batches_tracked") || params.find(tensor.name).is_some() {
                continue;
            }
            differences.n_unexpected += 1;
            if differences.unexpected.len() < Differences::MAX_NAMED {
                differences.unexpected.push((tensor.name.to_owned(), tensor.shape));
            }
        }
        differences
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let entries = &self.header.entries;
        let found = entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?;
        Some(&entries[found])
    }

    fn copy(&self, entry: &Entry, out: &mut [f32]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data_start + entry.start))?;
        let mut buffer = [0; 8192];
        let size = entry.dtype.size();
        for chunk in out.chunks_mut(buffer.len() / size) {
            let bytes = &mut buffer[..chunk.len() * size];
            file.read_exact(bytes)?;
            for (value, bytes) in chunk.iter_mut().zip(bytes.chunks_exact(size)) {
                *value = to_f32(entry.dtype, bytes);
            }
        }
        Ok(())
    }
}

fn info(entry: &Entry) -> TensorInfo<'_> {
    TensorInfo { name: &entry.name, dtype: entry.dtype, shape: entry.shape() }
}

/// One element, little-endian; exact except for F64, which is rounded to the nearest.
fn to_f32(dtype: Dtype, bytes: &[u8]) -> f32 {
    let bits = bytes.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    match dtype {
        Dtype::F64 => f64::from_bits(bits) as f32,
        Dtype::F32 => f32::from_bits(bits as u32),
        Dtype::BF16 => f32::from_bits((bits as u32) << 16),
        Dtype::F16 => f16_to_f32(bits as u16),
        _ => unreachable!("{dtype} is no float"),
    }
}

/// Sign, 5 bits of exponent with bias 15, 10 bits of mantissa.
fn f16_to_f32(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = ((bits >> 10) & 31, f32::from(bits & 1023));
    sign * match exponent {
        0 => mantissa * 2_f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + mantissa) * 2_f32.powi(i32::from(exponent) - 25),
    }
}

/// The string under `key` in an object of strings.
fn look_up(object: &[u8], key: &str) -> Result<Option<String>, String> {
    let object = std::str::from_utf8(object).map_err(|error| error.to_string())?;
    let mut found = None;
    for_each_pair(object, |name, value| {
        if unescape(name)? == key {
            found = Some(value);
        }
        Ok(())
    })?;
    found.map(unescape).transpose()
}
