//! The named values of an example, besides its image and its label.

use std::ops::Range;

/// The number type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// f32: for example features or regression targets.
    F32,
    /// i64: for example counts, or tokens, which [`Batch::tokens`](crate::Batch::tokens) checks.
    I64,
    /// u8: bytes of an image or text.
    U8,
}

/// A field of every example of a data set: its name, and the kind and shape of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in a batch.
    pub name: String,
    /// Its number type.
    pub kind: Kind,
    /// The shape of one example's values; `[]` is a single number.
    pub shape: Vec<usize>,
}

impl Field {
    /// The number of values per example.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an example has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The buffer for a field's values.
#[derive(Debug, PartialEq)]
pub enum ValuesMut<'v> {
    /// For a field of [`Kind::F32`].
    F32(&'v mut [f32]),
    /// For a field of [`Kind::I64`].
    I64(&'v mut [i64]),
    /// For a field of [`Kind::U8`].
    U8(&'v mut [u8]),
}

/// The values of a field for all examples of a batch or a set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

impl Values {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::F32 => Self::F32(Vec::new()),
            Kind::I64 => Self::I64(Vec::new()),
            Kind::U8 => Self::U8(Vec::new()),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::F32(_) => Kind::F32,
            Self::I64(_) => Kind::I64,
            Self::U8(_) => Kind::U8,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    pub(crate) fn resize(&mut self, len: usize) {
        match self {
            Self::F32(values) => values.resize(len, 0.0),
            Self::I64(values) => values.resize(len, 0),
            Self::U8(values) => values.resize(len, 0),
        }
    }

    pub(crate) fn range_mut(&mut self, range: Range<usize>) -> ValuesMut<'_> {
        match self {
            Self::F32(values) => ValuesMut::F32(&mut values[range]),
            Self::I64(values) => ValuesMut::I64(&mut values[range]),
            Self::U8(values) => ValuesMut::U8(&mut values[range]),
        }
    }

    /// Writes piece `idx` of the values, cut into pieces of `out`'s length, to `out`.
    ///
    /// # Panics
    /// When `out` is of another kind.
    pub(crate) fn copy_piece(&self, idx: usize, out: ValuesMut<'_>) {
        fn copy<T: Copy>(values: &[T], idx: usize, out: &mut [T]) {
            out.copy_from_slice(&values[idx * out.len()..][..out.len()]);
        }
        match (self, out) {
            (Self::F32(values), ValuesMut::F32(out)) => copy(values, idx, out),
            (Self::I64(values), ValuesMut::I64(out)) => copy(values, idx, out),
            (Self::U8(values), ValuesMut::U8(out)) => copy(values, idx, out),
            (values, out) => panic!("a field of {:?} cannot be read into {out:?}", values.kind()),
        }
    }
}
