//! Reading a safetensors file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use autograd::Params;
use foreign_text::Foreign;
use tensor::Shape;

use super::error::{Differences, Matched, WeightsError};
use super::header::{COUNT_TYPE, Entry, Header, MAX_HEADER_LEN, float_size, is_count};
use super::json::{for_each_pair, unescaped};

/// An open safetensors file: its header has been read and checked; its tensors are read on demand.
///
/// A file may contain tensors that we cannot read: tensors of any type and rank are listed, but reading or
/// loading one that is not a float is refused, except that a batch count may be loaded from an integer.
///
/// Large models come as several files with an index (`model.safetensors.index.json`); these are opened
/// through the index and read as one.
#[derive(Debug)]
pub struct Archive {
    pub(super) path: PathBuf,
    /// The tensors of all files; byte offsets continue from one file to the next.
    pub(super) header: Header,
    pub(super) files: Vec<Data>,
}

/// One of the files of an archive.
#[derive(Debug)]
pub(super) struct Data {
    path: PathBuf,
    source: Source,
    /// Where the tensors start in the file.
    start: u64,
    /// The number of bytes in the tensors of the previous files, and the same including this file.
    pub(super) bytes: Range<u64>,
}

/// Where the bytes of a file are stored.
#[derive(Debug)]
enum Source {
    Disk(File),
    Memory(Cow<'static, [u8]>),
}

impl Source {
    /// Fills `out` with the bytes from `start` on.
    fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Disk(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(out)
            }
            Self::Memory(bytes) => {
                let found = bytes.get(start as usize..).and_then(|rest| rest.get(..out.len()));
                out.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// A file's description of one tensor. It is displayed with its name truncated and escaped, so that it is
/// safe to print to a terminal.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'a>(&'a Entry);

impl<'a> TensorInfo<'a> {
    /// Its name in the file.
    pub fn name(self) -> &'a str {
        self.0.name()
    }

    /// The type of its elements as the format names it, such as `F32`; untrusted files may contain any text.
    pub fn dtype(self) -> &'a str {
        self.0.dtype()
    }

    /// Whether its elements are floating-point numbers that can be read: F32, F64, F16 or BF16.
    pub fn is_float(self) -> bool {
        float_size(self.dtype()).is_some()
    }

    /// Its shape; `None` if it has too many axes or elements for a [`Shape`].
    pub fn shape(self) -> Option<Shape> {
        self.0.shape()
    }
}

impl fmt::Display for TensorInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Foreign::new(self.name()), self.0.shown_shape())?;
        if self.dtype() == "F32" { Ok(()) } else { write!(f, " {}", Foreign::new(self.dtype())) }
    }
}

impl Archive {
    /// Opens one safetensors file.
    pub(super) fn open_file(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { action: "read", path: path.into(), source };
        // Checked before opening: opening a pipe would wait for its writer.
        let metadata = fs::metadata(path).map_err(io)?;
        if !metadata.is_file() {
            let kind = if metadata.is_dir() { "a directory" } else { "not a regular file" };
            return Err(WeightsError::Format { path: path.into(), reason: format!("it is {kind}") });
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        Self::new(path.into(), Source::Disk(file), len)
    }

    /// The same for a file in memory: `include_bytes!("digits.safetensors")`, or a vector. `name` identifies
    /// it in errors.
    ///
    /// # Errors
    /// When the bytes are not a valid safetensors file.
    pub fn from_bytes(
        name: impl Into<PathBuf>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, WeightsError> {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        Self::new(name.into(), Source::Memory(bytes), len)
    }

    fn new(path: PathBuf, source: Source, len: u64) -> Result<Self, WeightsError> {
        let read = || -> io::Result<Result<_, String>> {
            let Some(rest) = len.checked_sub(8) else {
                return Ok(Err(format!("it has {len} bytes, but the header length alone takes 8")));
            };
            let mut prefix = [0; 8];
            source.read_at(0, &mut prefix)?;
            let header_len = u64::from_le_bytes(prefix);
            if header_len > rest.min(MAX_HEADER_LEN) {
                return Ok(Err(format!("it claims a header of {header_len} bytes, and {rest} bytes follow")));
            }
            let mut json = vec![0; header_len as usize];
            source.read_at(8, &mut json)?;
            Ok(Header::parse(&json, rest - header_len).map(|header| (header, 8 + header_len)))
        };
        match read() {
            Ok(Ok((header, start))) => {
                let data = Data { path: path.clone(), source, start, bytes: 0..len - start };
                Ok(Self { path, header, files: vec![data] })
            }
            Ok(Err(reason)) => Err(WeightsError::Format { path, reason }),
            Err(source) => Err(WeightsError::Io { action: "read", path, source }),
        }
    }

    /// Returns the tensors, sorted by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorInfo<'_>> {
        self.header.entries.iter().map(TensorInfo)
    }

    /// Returns the tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<TensorInfo<'_>> {
        self.find(name).map(TensorInfo)
    }

    /// Returns the string stored under `key` in the file's metadata, if there is one.
    ///
    /// # Errors
    /// When the metadata cannot be read again or are invalid: the value of `key` is not a string.
    pub fn metadata(&self, key: &str) -> Result<Option<String>, WeightsError> {
        let Some(range) = &self.header.metadata else { return Ok(None) };
        let mut object = vec![0; range.len()];
        self.files[0].read_at(8 + range.start as u64, &mut object)?;
        look_up(&object, key).map_err(|error| WeightsError::Format {
            path: self.path.clone(),
            reason: format!("its metadata are broken: {error}"),
        })
    }

    /// Reads a tensor of floating-point numbers into `out`, converted to f32.
    ///
    /// # Panics
    /// When there is no such tensor, it is not [a float](TensorInfo::is_float) or `out` has a different
    /// length: check with [`tensor`](Self::tensor) first.
    ///
    /// # Errors
    /// When the file cannot be read to the end of the tensor, or has an F64 beyond the range of f32.
    #[track_caller]
    pub fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        let entry = self.find(name).unwrap_or_else(|| panic!("Archive::read: no tensor named {name:?}"));
        let size = float_size(entry.dtype())
            .unwrap_or_else(|| panic!("Archive::read: {} is not a float", TensorInfo(entry)));
        let Range { start, end } = entry.bytes;
        assert!(
            out.len() as u64 == (end - start) / size as u64,
            "Archive::read: {} cannot be read into {} elements",
            TensorInfo(entry),
            out.len()
        );
        self.read_numbers(entry, size, out)
    }

    /// Reads numbers of `size` bytes each.
    fn read_numbers(&self, entry: &Entry, size: usize, out: &mut [f32]) -> Result<(), WeightsError> {
        let start = entry.bytes.start;
        // A tensor without bytes may be located past the last file.
        let idx = self.files.partition_point(|file| file.bytes.end <= start).min(self.files.len() - 1);
        let file = &self.files[idx];
        let mut at = file.start + (start - file.bytes.start);
        let mut buffer = [0; 8192];
        for chunk in out.chunks_mut(buffer.len() / size) {
            let bytes = &mut buffer[..chunk.len() * size];
            file.read_at(at, bytes)?;
            at += bytes.len() as u64;
            for (value, bytes) in chunk.iter_mut().zip(bytes.chunks_exact(size)) {
                *value = to_f32(entry.dtype(), bytes).map_err(|number| WeightsError::Format {
                    path: file.path.clone(),
                    reason: format!("{} has the number {number:e}, which f32 cannot hold", TensorInfo(entry)),
                })?;
            }
        }
        Ok(())
    }

    /// Reads all tensors into the parameters and statistics of a model; see [`load`](super::load).
    ///
    /// # Errors
    /// When names, shapes or types differ, the file cannot be read, or an F64 is beyond the range of f32; the
    /// parameters are unchanged then.
    pub fn load_into(&self, params: &mut Params) -> Result<(), WeightsError> {
        let differences = self.differences(params);
        if !differences.is_empty() {
            let differences = Box::new(differences);
            return Err(WeightsError::Mismatch { path: self.path.clone(), differences });
        }
        let mut values = params.values().to_vec();
        for entry in params.entries() {
            let out = &mut values[entry.range.clone()];
            match self.fitting(entry) {
                Some((found, size)) => self.read_numbers(found, size, out)?,
                // Only a batch count may be missing; it is then 0, as in PyTorch.
                None => out.fill(0.0),
            }
        }
        params.values_mut().copy_from_slice(&values);
        Ok(())
    }

    /// Loads the tensors that match a model by name and shape, and reports the others; see
    /// [`load_matching`](super::load_matching).
    ///
    /// # Errors
    /// When the file cannot be read, or an F64 that matches is beyond the range of f32; the parameters are
    /// unchanged then.
    pub fn load_matching(&self, params: &mut Params) -> Result<Matched, WeightsError> {
        let mut matched = Matched { loaded: Vec::new(), left: self.differences(params) };
        let mut values = params.values().to_vec();
        for entry in params.entries() {
            if let Some((found, size)) = self.fitting(entry) {
                self.read_numbers(found, size, &mut values[entry.range.clone()])?;
                matched.loaded.push(entry.name.clone());
            }
        }
        params.values_mut().copy_from_slice(&values);
        Ok(matched)
    }

    /// Renames the tensors by `new_name`, for example to remove a prefix or to load a part of one network
    /// into another.
    ///
    /// ```
    /// # fn main() -> Result<(), nn::weights::WeightsError> {
    /// use nn::{Linear, ReLU, sequential, weights::{Archive, encode}};
    /// let file = encode([("module.0.bias", [2].into(), &[1.0, 2.0][..])], &[]);
    /// let (_net, mut params) = nn::build(sequential![Linear::new(3, 2), ReLU], 0);
    /// let archive = Archive::from_bytes("model.safetensors", file)?.renamed(|name| name.replacen("module.", "", 1))?;
    /// assert_eq!(archive.load_matching(&mut params)?.loaded, ["0.bias"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When two tensors get the same name.
    pub fn renamed(mut self, new_name: impl FnMut(&str) -> String) -> Result<Self, WeightsError> {
        match self.header.rename(new_name) {
            Ok(()) => Ok(self),
            Err(reason) => {
                Err(WeightsError::Format { path: self.path, reason: format!("after renaming, {reason}") })
            }
        }
    }

    /// The same file without some of its tensors.
    pub(super) fn without(mut self, is_left_out: impl Fn(&str) -> bool) -> Self {
        self.header.entries.retain(|entry| !is_left_out(entry.name()));
        self
    }

    /// The tensor for an entry of a model and the size of its numbers in bytes, if name, shape and type
    /// match.
    fn fitting(&self, entry: &autograd::Entry) -> Option<(&Entry, usize)> {
        let found = self.find(&entry.name).filter(|found| found.shape() == Some(entry.shape))?;
        Some((found, found.number_size()?))
    }

    fn differences(&self, params: &Params) -> Differences {
        let mut differences = Differences::default();
        for entry in params.entries() {
            let name = entry.name.clone();
            match self.find(&name) {
                None if is_count(&name) => {}
                None => differences.missing.push((name, entry.shape)),
                Some(found) if found.shape() != Some(entry.shape) => {
                    differences.reshaped.push((name, found.shown_shape(), entry.shape));
                }
                Some(found) if found.number_size().is_none() => {
                    differences.not_floats.push((name, Foreign::new(found.dtype()).to_string()));
                }
                Some(_) => {}
            }
        }
        for tensor in self.tensors() {
            if is_count(tensor.name()) || params.find(tensor.name()).is_some() {
                continue;
            }
            differences.n_unexpected += 1;
            if differences.unexpected.len() < Differences::MAX_NAMED {
                differences.unexpected.push(tensor.to_string());
            }
        }
        differences.prefix = self.prefix_of(&differences.missing);
        differences
    }

    /// The prefix that the file has before the most of these names, and before how many, if these are at
    /// least half of them.
    fn prefix_of(&self, missing: &[(String, Shape)]) -> Option<(String, usize)> {
        let missing: BTreeSet<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        let mut n_found: BTreeMap<&str, usize> = BTreeMap::new();
        for tensor in self.tensors() {
            let splits = tensor.name().match_indices('.').map(|(at, _)| tensor.name().split_at(at + 1));
            for (prefix, _) in splits.filter(|(_, name)| missing.contains(name)) {
                *n_found.entry(prefix).or_default() += 1;
            }
        }
        let (prefix, n_found) = n_found.into_iter().max_by_key(|&(_, n)| n)?;
        (2 * n_found >= missing.len()).then(|| (Foreign::new(prefix).to_string(), n_found))
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let entries = &self.header.entries;
        let found = entries.binary_search_by(|entry| entry.name().cmp(name)).ok()?;
        Some(&entries[found])
    }
}

impl Data {
    fn read_at(&self, start: u64, out: &mut [u8]) -> Result<(), WeightsError> {
        let io = |source| WeightsError::Io { action: "read", path: self.path.clone(), source };
        self.source.read_at(start, out).map_err(io)
    }
}

/// One element, little-endian; exact except for F64, which is rounded to the nearest. The error is a finite
/// number that would become infinite.
fn to_f32(dtype: &str, bytes: &[u8]) -> Result<f32, f64> {
    let bits = bytes.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    Ok(match dtype {
        "F64" => {
            let number = f64::from_bits(bits);
            let rounded = number as f32;
            if rounded.is_infinite() && number.is_finite() {
                return Err(number);
            }
            rounded
        }
        "F32" => f32::from_bits(bits as u32),
        "BF16" => f32::from_bits((bits as u32) << 16),
        "F16" => f16_to_f32(bits as u16),
        COUNT_TYPE => bits as i64 as f32,
        _ => unreachable!("{dtype} is not a float"),
    })
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

/// The string under `key` in an object; `None` if the object is `null` or has no such key.
fn look_up(object: &[u8], key: &str) -> Result<Option<String>, String> {
    let object = std::str::from_utf8(object).map_err(|error| error.to_string())?;
    if object == "null" {
        return Ok(None);
    }
    let mut found = None;
    for_each_pair(object, |name, value| {
        if unescaped(name)?.is_some_and(|name| name == key) {
            found = Some(value);
        }
        Ok(())
    })?;
    match found {
        None | Some("null") => Ok(None),
        Some(value) => unescaped(value)?.map(Some).ok_or_else(|| format!("{key:?} is not a string")),
    }
}
