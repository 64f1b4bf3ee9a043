//! NumPy's single-array files, as far as they can be a data set: versions 1 to 3, little-endian, C order.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use foreign_text::Foreign;

use crate::fields::{Kind, Values, ValuesMut};
use crate::files::open_regular;
use crate::{Error, Field};

/// How a value is stored in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    F4,
    F8,
    I4,
    I8,
    U1,
}

/// The header of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stored: Stored,
    /// The whole shape; the number of examples comes first.
    pub(crate) shape: Vec<usize>,
    /// The offset of the values in the file.
    pub(crate) start: usize,
}

/// NumPy itself rejects a longer header.
const MAX_HEAD_LEN: usize = 10_000;

/// The number of bytes read at a time.
const CHUNK_LEN: usize = 1 << 16;

impl Stored {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::F4 | Self::F8 => Kind::F32,
            Self::I4 | Self::I8 => Kind::I64,
            Self::U1 => Kind::U8,
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Self::U1 => 1,
            Self::F4 | Self::I4 => 4,
            Self::F8 | Self::I8 => 8,
        }
    }

    /// Decodes as many values as `out` holds from that many times [`size`](Self::size) bytes.
    pub(crate) fn decode(self, bytes: &[u8], out: ValuesMut<'_>) {
        fn each<const N: usize, T>(bytes: &[u8], out: &mut [T], value: impl Fn([u8; N]) -> T) {
            let (bytes, _) = bytes.as_chunks::<N>();
            out.iter_mut().zip(bytes).for_each(|(out, &bytes)| *out = value(bytes));
        }
        match (self, out) {
            (Self::F4, ValuesMut::F32(out)) => each(bytes, out, f32::from_le_bytes),
            (Self::F8, ValuesMut::F32(out)) => each(bytes, out, |b| f64::from_le_bytes(b) as f32),
            (Self::I4, ValuesMut::I64(out)) => each(bytes, out, |b| i64::from(i32::from_le_bytes(b))),
            (Self::I8, ValuesMut::I64(out)) => each(bytes, out, i64::from_le_bytes),
            (Self::U1, ValuesMut::U8(out)) => out.copy_from_slice(bytes),
            (stored, out) => panic!("values stored as {stored:?} cannot be read into {out:?}"),
        }
    }

    /// The first finite value that would become infinite as an f32, with its index.
    fn first_too_large(self, bytes: &[u8]) -> Option<(usize, f64)> {
        let bytes = if self == Self::F8 { bytes } else { &[] };
        let (values, _) = bytes.as_chunks();
        let mut values = values.iter().map(|&bytes| f64::from_le_bytes(bytes)).enumerate();
        values.find(|(_, value)| value.is_finite() && (*value as f32).is_infinite())
    }
}

impl Head {
    /// Reads the header of the file at `path`, and checks that the file has as many values as it declares.
    pub(crate) fn read(path: &Path, file: &mut impl Read, file_len: u64) -> Result<Self, Error> {
        let fail = |problem: String| Error::Npy { path: path.to_path_buf(), problem };
        let mut fill = |len: usize| {
            let mut bytes = vec![0; len];
            match file.read_exact(&mut bytes) {
                Ok(()) => Ok(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    Err(fail(format!("the file ends inside its header, after {file_len} bytes")))
                }
                Err(error) => Err(Error::io(path)(error)),
            }
        };
        let magic = fill(8)?;
        if !magic.starts_with(b"\x93NUMPY") {
            return Err(fail("expected a NumPy file (.npy), found something else".into()));
        }
        let (len, len_of_len) = match magic[6] {
            1 => (fill(2)?, 2),
            2 | 3 => (fill(4)?, 4),
            other => return Err(fail(format!("expected the format's version 1, 2 or 3, found {other}"))),
        };
        let len = len.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
        if len > MAX_HEAD_LEN {
            return Err(fail(format!("expected a header of at most {MAX_HEAD_LEN} bytes, found {len}")));
        }
        let text = String::from_utf8_lossy(&fill(len)?).into_owned();
        let (stored, shape) = parse(&text).map_err(&fail)?;
        // The number of examples comes last: even if it is 0, the size of one example is checked.
        let expected = shape.iter().rev().try_fold(stored.size(), |len, &n| len.checked_mul(n));
        let start = 8 + len_of_len + len;
        let found = file_len.saturating_sub(start as u64);
        match expected {
            Some(expected) if expected as u64 == found => Ok(Self { stored, shape, start }),
            _ => {
                let expected = expected.map_or("impossibly many".into(), |n| n.to_string());
                Err(fail(format!("the shape {shape:?} needs {expected} bytes of values, found {found}")))
            }
        }
    }

    /// The number of examples, and the field of one example.
    pub(crate) fn field(&self, name: &str) -> (usize, Field) {
        let field = Field { name: name.into(), kind: self.stored.kind(), shape: self.shape[1..].to_vec() };
        (self.shape[0], field)
    }

    /// The index of a value along each axis, given its index in the file.
    fn index_of(&self, mut at: usize) -> Vec<usize> {
        let mut index = self.shape.clone();
        for n in index.iter_mut().rev() {
            (at, *n) = (at / *n, at % *n);
        }
        index
    }
}

/// Reads the whole file into memory, in chunks, so that its bytes and its values are not held at once.
pub(crate) fn read(path: &Path) -> Result<(Head, Values), Error> {
    let mut file: File = open_regular(path)?;
    let file_len = file.metadata().map_err(Error::io(path))?.len();
    let head = Head::read(path, &mut file, file_len)?;
    let n_values: usize = head.shape.iter().product();
    let mut values = Values::new(head.stored.kind());
    values.resize(n_values);
    let mut bytes = vec![0; CHUNK_LEN];
    let size = head.stored.size();
    let mut n_read = 0;
    while n_read < n_values {
        let n = (n_values - n_read).min(CHUNK_LEN / size);
        let bytes = &mut bytes[..n * size];
        file.read_exact(bytes).map_err(Error::io(path))?;
        if let Some((at, value)) = head.stored.first_too_large(bytes) {
            let index = head.index_of(n_read + at);
            let problem = format!("expected values that f32 can hold, found {value:e} at {index:?}");
            return Err(Error::Npy { path: path.to_path_buf(), problem });
        }
        head.stored.decode(bytes, values.range_mut(n_read..n_read + n));
        n_read += n;
    }
    Ok((head, values))
}

/// Parses the type and shape from a header's dictionary; an error is a sentence.
fn parse(text: &str) -> Result<(Stored, Vec<usize>), String> {
    let mut rest = Rest(text.trim_end());
    let (mut stored, mut shape, mut fortran_order) = (None, None, None);
    rest.expect("{")?;
    while !rest.take("}") {
        let key = rest.string()?;
        rest.expect(":")?;
        match key {
            "descr" => stored = Some(rest.stored()?),
            "fortran_order" => fortran_order = Some(rest.boolean()?),
            "shape" => shape = Some(rest.tuple()?),
            other => return Err(format!("its header has the unknown key \"{}\"", Foreign::new(other))),
        }
        if !rest.take(",") {
            rest.expect("}")?;
            break;
        }
    }
    let missing = |key: &str| format!("its header has no '{key}'");
    let stored = stored.ok_or_else(|| missing("descr"))?;
    let shape = shape.ok_or_else(|| missing("shape"))?;
    let needs_no_order = shape.len() < 2;
    if fortran_order.ok_or_else(|| missing("fortran_order"))? && !needs_no_order {
        return Err("expected values in C order, found Fortran order: save numpy.ascontiguousarray(x)".into());
    }
    match shape.get(1..) {
        None => Err("expected an array with an axis of examples, found a single number".into()),
        Some(inner) if inner.contains(&0) => {
            Err(format!("expected examples with values, found the shape {shape:?}"))
        }
        Some(_) => Ok((stored, shape)),
    }
}

/// The unparsed rest of a header.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn take(&mut self, token: &str) -> bool {
        let text = self.0.trim_start();
        let rest = text.strip_prefix(token);
        self.0 = rest.unwrap_or(text);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            return Ok(());
        }
        Err(format!("expected '{token}' in its header, found \"{}\"", Foreign::new(self.0)))
    }

    fn string(&mut self) -> Result<&'t str, String> {
        let quote = if self.take("\"") { '"' } else { self.expect("'").map(|()| '\'')? };
        let (text, rest) = self.0.split_once(quote).ok_or("unterminated string in its header")?;
        self.0 = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.take("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect("(")?;
        let mut numbers = Vec::new();
        // `take` also skips blanks before a number.
        while !self.take(")") {
            let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (digits, rest) = self.0.split_at(end);
            let number = digits.parse().map_err(|_| {
                format!("expected a length in its header's shape, found \"{}\"", Foreign::new(self.0))
            })?;
            numbers.push(number);
            self.0 = rest;
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    fn stored(&mut self) -> Result<Stored, String> {
        const EXPECTED: &str = "expected values of type <f4, <f8, <i4, <i8 or |u1";
        if self.take("[") {
            return Err(format!("{EXPECTED}, found a structured type: save each field separately"));
        }
        let found = self.string()?;
        let (order, kind) = found.split_at_checked(1).unwrap_or(("", found));
        let stored = match kind {
            "f4" => Some(Stored::F4),
            "f8" => Some(Stored::F8),
            "i4" => Some(Stored::I4),
            "i8" => Some(Stored::I8),
            "u1" => Some(Stored::U1),
            _ => None,
        };
        match (order, stored) {
            ("<", Some(stored)) | ("|", Some(stored @ Stored::U1)) => Ok(stored),
            (">", Some(_)) => Err(format!("{EXPECTED}, found big-endian {found}: save x.astype('<{kind}')")),
            _ => Err(format!("{EXPECTED}, found {}", Foreign::new(found))),
        }
    }
}
