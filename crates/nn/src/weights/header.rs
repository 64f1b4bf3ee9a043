//! The header of a safetensors file: JSON that maps a tensor's name to its type, shape and position.
//!
//! ```json
//! {"__metadata__":{"format":"pt"},"0.bias":{"dtype":"F32","shape":[32],"data_offsets":[0,128]}}
//! ```
//!
//! Anything we do not need to understand is kept as text, such as a type that is not a float or a shape of
//! any rank. No allocation is proportional to a number claimed by the file, and nothing grows while it is
//! filled: the tensors are counted first, and each takes one [`Entry`], no larger than its JSON.

use std::ops::Range;

use foreign_text::Foreign;
use tensor::{MAX_RANK, Shape};

use super::json::{depth, for_each_pair, inner, unescape};

/// The key of the string metadata, as written in the JSON.
pub(super) const METADATA: &str = r#""__metadata__""#;

/// The longest header accepted, as in the crate `safetensors`.
pub(super) const MAX_HEADER_LEN: u64 = 100_000_000;

/// How deeply a header may be nested: the parser uses a byte for each level. A shape is on level 3.
pub(super) const MAX_DEPTH: usize = 64;

/// How many sizes of a shape an error displays.
const MAX_SHOWN_RANK: usize = 16;

/// One tensor of the file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Name, type and sizes (`2,3`), concatenated into one allocation.
    text: String,
    name_len: u32,
    dtype_len: u32,
    /// Its bytes, counted from the end of the header.
    pub(super) bytes: Range<u64>,
}

impl Entry {
    pub(super) fn name(&self) -> &str {
        &self.text[..self.name_len as usize]
    }

    pub(super) fn dtype(&self) -> &str {
        &self.text[self.name_len as usize..][..self.dtype_len as usize]
    }

    /// Renames the tensor.
    pub(super) fn rename(&mut self, name: &str) {
        self.text.replace_range(..self.name_len as usize, name);
        self.name_len = name.len() as u32;
    }

    /// The sizes; `None` for one that is not a whole number.
    pub(super) fn sizes(&self) -> impl Iterator<Item = Option<usize>> {
        sizes(&self.text[(self.name_len + self.dtype_len) as usize..])
    }

    /// The shape, unless it has too many axes or elements to be a [`Shape`].
    pub(super) fn shape(&self) -> Option<Shape> {
        let mut dims = [0; MAX_RANK];
        let mut rank = 0;
        for size in self.sizes() {
            *dims.get_mut(rank)? = size?;
            rank += 1;
        }
        // `Shape` counts a size of 0 as 1, so that it cannot hide an overflow of the others.
        let padded = dims[..rank].iter().try_fold(1_usize, |n, &size| n.checked_mul(size.max(1)))?;
        (padded <= isize::MAX as usize / size_of::<f32>()).then(|| Shape::new(&dims[..rank]))
    }

    /// The size of a number in bytes, if it can be read into a parameter: a float or a batch count.
    pub(super) fn number_size(&self) -> Option<usize> {
        let Range { start, end } = self.bytes;
        let is_count_of = |shape: Shape| is_count(self.name()) && end - start == 8 * shape.numel() as u64;
        match float_size(self.dtype()) {
            None if self.dtype() == COUNT_TYPE && self.shape().is_some_and(is_count_of) => Some(8),
            size => size,
        }
    }

    /// The shape as [`Shape`] prints it, truncated if long.
    pub(super) fn shown_shape(&self) -> String {
        let shown = |size: Option<usize>| size.map_or("?".into(), |size| size.to_string());
        let mut sizes: Vec<String> = self.sizes().take(MAX_SHOWN_RANK).map(shown).collect();
        if self.sizes().nth(MAX_SHOWN_RANK).is_some() {
            sizes.push("…".into());
        }
        format!("[{}]", sizes.join(", "))
    }

    /// Parses one key and value of the header.
    fn parse(key: &str, description: &str) -> Result<Self, String> {
        let name = inner(key, '"', '"').unwrap_or_default();
        let broken = |what: &str| format!("the tensor \"{}\" has {what}", Foreign::new(name));
        let [mut dtype, mut shape, mut offsets] = [None; 3];
        for_each_pair(description, |field, value| {
            let known = match field {
                r#""dtype""# => &mut dtype,
                r#""shape""# => &mut shape,
                r#""data_offsets""# => &mut offsets,
                _ => return Ok(()),
            };
            match known.replace(value) {
                None => Ok(()),
                Some(_) => Err(format!("duplicate field {field}")),
            }
        })
        .map_err(|error| format!("the tensor \"{}\": {error}", Foreign::new(name)))?;
        let dtype = dtype.and_then(|text| inner(text, '"', '"')).ok_or_else(|| broken("no \"dtype\""))?;
        let shape = shape.and_then(|text| inner(text, '[', ']')).ok_or_else(|| broken("no \"shape\""))?;
        let offsets = offsets.and_then(|text| inner(text, '[', ']')).unwrap_or_default();
        let mut offsets = sizes(offsets);
        let [Some(Some(start)), Some(Some(end)), None] = [offsets.next(), offsets.next(), offsets.next()]
        else {
            return Err(broken("no valid start and end in its \"data_offsets\""));
        };
        let mut text = String::with_capacity(name.len() + dtype.len() + shape.len());
        unescape(name, &mut text)?;
        let name_len = text.len();
        unescape(dtype, &mut text)?;
        let dtype_len = text.len() - name_len;
        text.push_str(shape);
        let bytes = start as u64..end as u64;
        Ok(Self { text, name_len: name_len as u32, dtype_len: dtype_len as u32, bytes })
    }

    /// Checks that the tensor is within `data_len` bytes and, if we can read it, has as many bytes as its
    /// shape needs.
    fn check(&self, data_len: u64) -> Result<(), String> {
        let Range { start, end } = self.bytes;
        let n_bytes = match float_size(self.dtype()) {
            // The sizes are checked too.
            None => self.sizes().all(|size| size.is_some()).then(|| end.checked_sub(start)).flatten(),
            Some(size) => self.sizes().try_fold(size as u64, |n, size| n.checked_mul(size? as u64)),
        };
        if end <= data_len && n_bytes.is_some() && end.checked_sub(start) == n_bytes {
            return Ok(());
        }
        let (name, dtype) = (Foreign::new(self.name()), Foreign::new(self.dtype()));
        Err(format!(
            "the tensor \"{name}\" of type {dtype} and shape {} does not fit bytes {start} to {end}",
            self.shown_shape()
        ))
    }
}

/// The size of a number of this type in bytes, if it is a floating-point number that we read.
pub(super) fn float_size(dtype: &str) -> Option<usize> {
    match dtype {
        "F16" | "BF16" => Some(2),
        "F32" => Some(4),
        "F64" => Some(8),
        _ => None,
    }
}

/// The type of a batch count: 8-byte integers.
pub(super) const COUNT_TYPE: &str = "I64";

/// Whether a tensor of this name counts the batches of a batch normalisation.
pub(super) fn is_count(name: &str) -> bool {
    name == "num_batches_tracked" || name.ends_with(".num_batches_tracked")
}

/// The parsed header.
#[derive(Debug)]
pub(super) struct Header {
    /// Sorted by name.
    pub(super) entries: Vec<Entry>,
    /// The position of the metadata in the JSON; they are read again on demand.
    pub(super) metadata: Option<Range<usize>>,
}

impl Header {
    /// Parses the JSON and checks that the tensors fill `data_len` bytes without gaps or overlaps.
    pub(super) fn parse(json: &[u8], data_len: u64) -> Result<Self, String> {
        let text = std::str::from_utf8(json).map_err(|error| format!("its header is not text: {error}"))?;
        let broken = |error: String| format!("its header is broken: {error}");
        if depth(text) > MAX_DEPTH {
            return Err(broken("it is nested too deeply".into()));
        }
        let mut metadata = None;
        let mut n_entries = 0;
        for_each_pair(text, |key, value| {
            if key == METADATA {
                let start = value.as_ptr() as usize - text.as_ptr() as usize;
                metadata = Some(start..start + value.len());
            } else {
                n_entries += 1;
            }
            Ok(())
        })
        .map_err(broken)?;
        let mut entries = Vec::with_capacity(n_entries);
        for_each_pair(text, |key, value| {
            if key != METADATA {
                let entry = Entry::parse(key, value)?;
                entry.check(data_len)?;
                entries.push(entry);
            }
            Ok(())
        })
        .map_err(broken)?;
        check_places(&mut entries, data_len)?;
        sort_by_name(&mut entries)?;
        Ok(Self { entries, metadata })
    }

    /// Renames each tensor by `new_name`.
    pub(super) fn rename(&mut self, mut new_name: impl FnMut(&str) -> String) -> Result<(), String> {
        for entry in &mut self.entries {
            let name = new_name(entry.name());
            entry.rename(&name);
        }
        sort_by_name(&mut self.entries)
    }
}

/// Sorts by name; two tensors with the same name are an error.
pub(super) fn sort_by_name(entries: &mut [Entry]) -> Result<(), String> {
    entries.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    match entries.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
        Some(pair) => Err(format!("it has two tensors named \"{}\"", Foreign::new(pair[0].name()))),
        None => Ok(()),
    }
}

/// Checks that the tensors are contiguous, without gaps or overlaps, up to the end of the file.
fn check_places(entries: &mut [Entry], data_len: u64) -> Result<(), String> {
    entries.sort_unstable_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    let mut end = 0;
    for entry in entries.iter() {
        let start = entry.bytes.start;
        if start != end {
            return Err(format!(
                "the tensor \"{}\" starts at byte {start}, expected {end}",
                Foreign::new(entry.name())
            ));
        }
        end = entry.bytes.end;
    }
    if end == data_len {
        Ok(())
    } else {
        Err(format!("its tensors take {end} bytes, and {data_len} bytes follow the header"))
    }
}

/// The sizes inside a JSON list; `None` for anything that is not an integer.
fn sizes(list: &str) -> impl Iterator<Item = Option<usize>> {
    // Splitting an empty list yields one empty piece.
    list.split(',').map(str::trim).filter(|size| !size.is_empty()).map(|size| size.parse().ok())
}
