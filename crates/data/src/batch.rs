//! A batch of examples with reusable memory.

use crate::fields::Values;
use crate::{Error, Field, ImageShape};

/// Images as f32 (N × H × W × C), labels and named fields of the same examples, as far as the data set has
/// them.
///
/// [`Loader::next_into`](crate::Loader::next_into) fills it, and allocates nothing after the first full
/// batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) indices: Vec<usize>,
    pub(crate) positions: Vec<usize>,
    /// The labels of the whole batch, if the loader reads only a part of it.
    pub(crate) whole_labels: Vec<u32>,
    pub(crate) whole_indices: Vec<usize>,
    pub(crate) image_shape: Option<ImageShape>,
    pub(crate) columns: Vec<Column>,
}

/// A field of all examples of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The number of examples comes first.
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

impl Column {
    /// The place of value `idx` on each axis.
    fn coordinates(&self, mut idx: usize) -> Vec<usize> {
        let mut at = vec![0; self.shape.len()];
        for (at, size) in at.iter_mut().zip(&self.shape).rev() {
            (*at, idx) = (idx % size, idx / size);
        }
        at
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the batch has no examples.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The shape of [`images`](Self::images): N, H, W, C. H, W and C are 0 for a set without images, and all
    /// are 0 before the batch is first filled.
    pub fn shape(&self) -> [usize; 4] {
        self.image_shape.map_or([0; 4], |shape| [self.len(), shape.height, shape.width, shape.channels])
    }

    /// The number of values per image; 0 for a set without images.
    pub fn image_len(&self) -> usize {
        self.image_shape.map_or(0, |shape| shape.len())
    }

    /// The values of all images, N × H × W × C.
    pub fn images(&self) -> &[f32] {
        &self.images
    }

    /// The class of each example; empty for a set without classes.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The index in the data set of each example.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The position in the whole batch of each example: 0, 1, 2, … unless the loader reads only a
    /// [part](crate::Loader::part) of each batch.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The index in the data set of each example of the whole batch. There are more than
    /// [`indices`](Self::indices) if the loader reads only a [part](crate::Loader::part) of each batch.
    pub fn whole_indices(&self) -> &[usize] {
        &self.whole_indices
    }

    /// The class of each example of the whole batch, see [`whole_indices`](Self::whole_indices).
    pub fn whole_labels(&self) -> &[u32] {
        &self.whole_labels
    }

    /// The values of an f32 field, one example after another.
    ///
    /// # Panics
    /// When there is no such field.
    #[track_caller]
    pub fn f32(&self, name: &str) -> &[f32] {
        match &self.column(name).values {
            Values::F32(values) => values,
            other => panic!("Batch::f32: the field {name} is {:?}", other.kind()),
        }
    }

    /// The values of an i64 field, one example after another.
    ///
    /// # Panics
    /// When there is no such field.
    #[track_caller]
    pub fn i64(&self, name: &str) -> &[i64] {
        match &self.column(name).values {
            Values::I64(values) => values,
            other => panic!("Batch::i64: the field {name} is {:?}", other.kind()),
        }
    }

    /// The values of a u8 field, one example after another.
    ///
    /// # Panics
    /// When there is no such field.
    #[track_caller]
    pub fn u8(&self, name: &str) -> &[u8] {
        match &self.column(name).values {
            Values::U8(values) => values,
            other => panic!("Batch::u8: the field {name} is {:?}", other.kind()),
        }
    }

    /// The values of an i64 or u8 field as tokens or labels, which `autograd::Graph::tokens` and `indices` take,
    /// one example after another. `ignore_index` is the number that marks what has no label, −100 in many of
    /// PyTorch's data sets: it becomes `u32::MAX`, which the losses then take as theirs.
    ///
    /// ```
    /// use data::{Batch, Loader, Records};
    /// let set = Records::new()
    ///     .with_i64("tokens", &[3], vec![5, 2, 7])
    ///     .with_i64("targets", &[3], vec![2, 7, -100]);
    /// let mut batch = Batch::new();
    /// Loader::new(&set, 1).next_into(&mut batch)?;
    /// assert_eq!(batch.tokens("tokens", None)?, [5, 2, 7]);
    /// assert_eq!(batch.tokens("targets", Some(-100))?, [2, 7, u32::MAX]); // with ignore_index: Some(u32::MAX)
    /// assert_eq!(
    ///     batch.tokens("targets", None).unwrap_err().to_string(),
    ///     "field targets: expected whole numbers from 0 to 4294967294, found -100 at [0, 2] of the batch \
    ///      (example 0 of the data set)"
    /// );
    /// # Ok::<(), data::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a number is negative or above 4,294,967,294 and not `ignore_index`.
    ///
    /// # Panics
    /// When there is no such field, or it is f32.
    #[track_caller]
    pub fn tokens(&self, name: &str, ignore_index: Option<i64>) -> Result<Vec<u32>, Error> {
        let column = self.column(name);
        let values = match &column.values {
            Values::I64(values) => values,
            Values::U8(bytes) if ignore_index.is_none() => {
                return Ok(bytes.iter().map(|&b| b.into()).collect());
            }
            Values::U8(bytes) => &bytes.iter().map(|&b| b.into()).collect(),
            other => panic!("Batch::tokens: the field {name} is {:?}", other.kind()),
        };
        let token = |(place, &value): (usize, &i64)| match u32::try_from(value) {
            _ if Some(value) == ignore_index => Ok(u32::MAX),
            Ok(token) if token < u32::MAX => Ok(token),
            _ => {
                let at = column.coordinates(place);
                let example_idx = self.indices[at[0]];
                Err(Error::Token { field: name.into(), value, at, example_idx, ignore_index })
            }
        };
        values.iter().enumerate().map(token).collect()
    }

    /// The shape of a field's values: the number of examples, then the shape of one example.
    ///
    /// # Panics
    /// When there is no such field.
    #[track_caller]
    pub fn shape_of(&self, name: &str) -> &[usize] {
        &self.column(name).shape
    }

    #[track_caller]
    fn column(&self, name: &str) -> &Column {
        self.columns.iter().find(|column| column.name == name).unwrap_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            panic!("Batch: no field {name} among {names:?}; is the batch filled?")
        })
    }

    /// Makes room for these fields, unless the previous batch had the same ones.
    pub(crate) fn arrange_columns(&mut self, fields: &[Field]) {
        let fits = |(column, field): (&Column, &Field)| {
            column.name == field.name
                && column.values.kind() == field.kind
                && column.shape[1..] == field.shape
        };
        if self.columns.len() == fields.len() && self.columns.iter().zip(fields).all(fits) {
            return;
        }
        let column = |field: &Field| Column {
            name: field.name.clone(),
            shape: [&[0], field.shape.as_slice()].concat(),
            values: Values::new(field.kind),
        };
        self.columns = fields.iter().map(column).collect();
    }
}

/// The shape and values of the images, as `autograd::Graph::images` takes them.
impl<'b> From<&'b Batch> for ([usize; 4], &'b [f32]) {
    fn from(batch: &'b Batch) -> Self {
        (batch.shape(), batch.images())
    }
}

/// The labels, as `autograd::Graph::labels` takes them.
impl<'b> From<&'b Batch> for &'b [u32] {
    fn from(batch: &'b Batch) -> Self {
        batch.labels()
    }
}
