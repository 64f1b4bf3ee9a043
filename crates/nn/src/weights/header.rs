//! The header of a safetensors file: JSON from a tensor's name to its type, shape and place.
//!
//! ```json
//! {"__metadata__":{"format":"pt"},"0.bias":{"dtype":"F32","shape":[32],"data_offsets":[0,128]}}
//! ```
//!
//! Nothing is allocated in proportion to a number that the file claims, and nothing grows while it is filled:
//! the tensors are counted first, and each takes one compact [`Entry`], hardly more bytes than the shortest JSON
//! that describes a tensor; keys and strings are looked at where they stand.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use tensor::{MAX_RANK, Shape};

use super::json::{depth, for_each_pair, unescape};

/// The key under which the string metadata lie.
pub(super) const METADATA: &str = "__metadata__";

/// A shape in a tensor's description in the header.
const MAX_DEPTH: usize = 3;

/// The longest name of a tensor, and the longest description of one, in bytes as they stand in the file.
const MAX_TEXT_LEN: usize = 1024;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the format's, and say it all")]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

impl Dtype {
    /// The size of one element in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_uppercase())
    }
}

/// One tensor of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<str>,
    pub(super) dtype: Dtype,
    pub(super) dims: Dims,
    /// Where its bytes begin, counted from the end of the header.
    pub(super) start: u64,
}

impl Entry {
    pub(super) fn shape(&self) -> Shape {
        let mut dims = [0; MAX_RANK];
        dims.iter_mut().zip(self.dims.sizes).for_each(|(dim, size)| *dim = size as usize);
        Shape::new(&dims[..usize::from(self.dims.rank)])
    }
}

/// A shape in half the room of a [`Shape`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Dims {
    sizes: [u32; MAX_RANK],
    rank: u8,
}

/// The parsed header.
#[derive(Debug)]
pub(super) struct Header {
    /// Sorted by name.
    pub(super) entries: Vec<Entry>,
    /// Where in the JSON the object of metadata stands; it is read again when asked for.
    pub(super) metadata: Option<Range<usize>>,
}

impl Header {
    /// Parses the JSON and checks that the tensors fill `data_len` bytes one after the other.
    pub(super) fn parse(json: &[u8], data_len: u64) -> Result<Self, String> {
        let text = std::str::from_utf8(json).map_err(|error| format!("its header is not text: {error}"))?;
        let broken = |error: String| format!("its header is broken: {error}");
        if depth(text) > MAX_DEPTH {
            return Err(broken("it is nested too deep".into()));
        }
        let mut n_entries = 0;
        let mut metadata = None;
        // The first pass counts the tensors, and sees that everything is of its type, keeping nothing.
        let count = |key: &str, value: &str| {
            if name(key)? == METADATA {
                let start = value.as_ptr() as usize - text.as_ptr() as usize;
                metadata = Some(start..start + value.len());
                let is_string = |_: &str, value: &str| match value.starts_with('"') {
                    true => Ok(()),
                    false => Err("expected strings".into()),
                };
                return for_each_pair(value, is_string).map_err(|error| format!("{key}: {error}"));
            }
            n_entries += 1;
            Info::parse(key, value).map(drop)
        };
        for_each_pair(text, count).map_err(broken)?;
        // Tensors without elements are rare, and millions of them an attack on the memory.
        if n_entries as u64 > 1024 + data_len / 4 {
            return Err(format!("its header names {n_entries} tensors, and {data_len} bytes follow"));
        }
        let mut entries = Vec::with_capacity(n_entries);
        let keep = |key: &str, value: &str| {
            let name = name(key)?;
            if name != METADATA {
                let info = Info::parse(key, value)?;
                entries.push(Entry { name: name.into(), ..info.entry(key, data_len)? });
            }
            Ok(())
        };
        for_each_pair(text, keep).map_err(broken)?;
        check_places(&mut entries, data_len)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(format!("it holds two tensors named {:?}", pair[0].name)),
            None => Ok(Self { entries, metadata }),
        }
    }
}

/// The name that a quoted key stands for.
fn name(key: &str) -> Result<String, String> {
    if key.len() > MAX_TEXT_LEN {
        return Err(format!("a name has {} bytes, at most {MAX_TEXT_LEN} are read", key.len()));
    }
    unescape(key)
}

/// Whether the tensors lie one after the other, without gap or overlap, to the end of the file.
fn check_places(entries: &mut [Entry], data_len: u64) -> Result<(), String> {
    entries.sort_unstable_by_key(|entry| (entry.start, entry.shape().numel()));
    let mut end = 0;
    for entry in entries.iter() {
        if entry.start != end {
            return Err(format!("{:?} starts at byte {}, expected {end}", entry.name, entry.start));
        }
        end += (entry.shape().numel() * entry.dtype.size()) as u64;
    }
    if end == data_len {
        Ok(())
    } else {
        Err(format!("its tensors take {end} bytes, it has {data_len} for them"))
    }
}

/// What the header says of a tensor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: Dtype,
    shape: Dims,
    data_offsets: (u64, u64),
}

impl Info {
    fn parse(key: &str, description: &str) -> Result<Self, String> {
        if description.len() > MAX_TEXT_LEN {
            let len = description.len();
            return Err(format!("{key} is described in {len} bytes, at most {MAX_TEXT_LEN} are read"));
        }
        serde_json::from_str(description).map_err(|error| format!("{key}: {error}"))
    }

    /// The tensor, without its name, if it can lie within `data_len` bytes.
    fn entry(self, key: &str, data_len: u64) -> Result<Entry, String> {
        let Self { dtype, shape: dims, data_offsets: (start, end) } = self;
        let elements = dims.sizes[..usize::from(dims.rank)].iter();
        // A size of 0 must not hide an overflow of the others, or `Shape` would refuse it later.
        let padded = elements.clone().try_fold(1_u64, |n, &size| n.checked_mul(u64::from(size.max(1))));
        let n_elements: Option<u64> = padded.map(|_| elements.map(|&size| u64::from(size)).product());
        let n_bytes = n_elements.and_then(|n| n.checked_mul(dtype.size() as u64));
        if padded.is_none_or(|n| n > isize::MAX as u64 / 8)
            || end > data_len
            || end.checked_sub(start) != n_bytes
        {
            return Err(format!("{key} at bytes {start} to {end} cannot be {dtype} of shape {dims}"));
        }
        Ok(Entry { name: Box::default(), dtype, dims, start })
    }
}

impl fmt::Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.sizes[..usize::from(self.rank)])
    }
}

impl<'de> Deserialize<'de> for Dims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DimsVisitor;
        impl<'de> Visitor<'de> for DimsVisitor {
            type Value = Dims;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_RANK} sizes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dims, A::Error> {
                let mut dims = Dims { sizes: [0; MAX_RANK], rank: 0 };
                while let Some(size) = seq.next_element()? {
                    let place = dims.sizes.get_mut(usize::from(dims.rank));
                    *place.ok_or_else(|| A::Error::invalid_length(MAX_RANK + 1, &self))? = size;
                    dims.rank += 1;
                }
                Ok(dims)
            }
        }
        deserializer.deserialize_seq(DimsVisitor)
    }
}
