//! Sets of named values of any shape, such as features, targets or tokens, in memory or in NumPy files.

use std::path::Path;

use crate::fields::{Kind, Values, ValuesMut};
use crate::mapped::MappedFile;
use crate::npy::{self, Head};
use crate::{Dataset, Error, Field, ImageShape};

/// Examples with named fields, each f32, i64 or u8 of any shape, optionally with classes and images.
///
/// It works with the same [`Loader`](crate::Loader), [`Subset`](crate::Subset) and folds as images do.
///
/// ```
/// use data::{Batch, Loader, Records};
/// let houses = Records::new()
///     .with_f32("features", &[2], vec![70.0, 3.0, 120.0, 5.0, 45.0, 2.0])
///     .with_f32("price", &[], vec![210.0, 400.0, 150.0]);
/// let mut loader = Loader::new(&houses, 2).shuffle(0);
/// let mut batch = Batch::new();
/// while loader.next_into(&mut batch)? {
///     assert_eq!(batch.shape_of("features"), [batch.len(), 2]); // g.input(batch.shape_of(..), batch.f32(..))
///     assert_eq!(batch.f32("price").len(), batch.len());
/// }
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Records {
    /// The number of examples, once there is a field or a label.
    len: Option<usize>,
    fields: Vec<Field>,
    stores: Vec<Store>,
    labels: Vec<u32>,
    class_names: Vec<String>,
    images: Option<(Store, ImageShape)>,
    columns: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug)]
enum Store {
    Held(Values),
    Mapped(MappedFile, Head),
}

impl Records {
    /// A set without examples and fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an f32 field; `values` are those of all examples, concatenated, each of `shape`.
    ///
    /// # Panics
    /// When the number of values does not fit the number of examples, `shape` has no values, or the name is
    /// taken.
    #[track_caller]
    pub fn with_f32(self, name: &str, shape: &[usize], values: Vec<f32>) -> Self {
        self.with(name, shape, Values::F32(values))
    }

    /// Adds an i64 field; `values` are those of all examples, concatenated, each of `shape`.
    ///
    /// # Panics
    /// As [`with_f32`](Self::with_f32).
    #[track_caller]
    pub fn with_i64(self, name: &str, shape: &[usize], values: Vec<i64>) -> Self {
        self.with(name, shape, Values::I64(values))
    }

    /// Adds a u8 field; `values` are those of all examples, concatenated, each of `shape`.
    ///
    /// # Panics
    /// As [`with_f32`](Self::with_f32).
    #[track_caller]
    pub fn with_u8(self, name: &str, shape: &[usize], values: Vec<u8>) -> Self {
        self.with(name, shape, Values::U8(values))
    }

    /// Reads the array in a NumPy file into memory and adds it as a field; its first axis is the examples.
    ///
    /// The file must have format version 1 to 3, be little-endian and in C order. f4 and f8 become f32 (an f8
    /// is rounded), i4 and i8 become i64, and u1 becomes u8.
    ///
    /// # Errors
    /// When the file cannot be read, is not such a file, has a different number of examples from the previous
    /// fields, or has a finite f8 that is beyond the range of f32.
    ///
    /// # Panics
    /// When the name is taken.
    #[track_caller]
    pub fn with_npy(self, name: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let (head, values) = npy::read(path)?;
        self.with_head(path, name, &head, Store::Held(values))
    }

    /// Like [`with_npy`](Self::with_npy), but maps the file; nothing is copied until a batch is filled.
    ///
    /// The values are not read when the file is opened, so an f8 beyond the range of f32 is no error: it
    /// becomes infinite.
    ///
    /// # Errors
    /// As for [`with_npy`](Self::with_npy), but for the range of the values.
    ///
    /// # Panics
    /// When the name is taken.
    ///
    /// # Safety
    /// Nothing may write to the file or truncate it while the set is in use; otherwise the behaviour is
    /// undefined. In practice other values are read, a file truncated between two batches makes the
    /// [`Loader`](crate::Loader) return [`Error::CutShort`], and one truncated while it is read ends the
    /// program.
    #[allow(unsafe_code)]
    #[track_caller]
    pub unsafe fn with_npy_mapped(self, name: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        // SAFETY: the caller ensures that the file is not changed.
        let file = unsafe { MappedFile::open(path) }?;
        let head = Head::read(path, &mut file.bytes(), file.bytes().len() as u64)?;
        self.with_head(path, name, &head.clone(), Store::Mapped(file, head))
    }

    /// Gives each example a class; label `l` is class `class_names[l]`.
    ///
    /// # Panics
    /// When the numbers of labels and examples differ, or a label has no name.
    #[track_caller]
    pub fn with_labels<S: Into<String>>(
        mut self,
        labels: Vec<u32>,
        class_names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.class_names = class_names.into_iter().map(Into::into).collect();
        let n_classes = self.class_names.len();
        let len = *self.len.get_or_insert(labels.len());
        assert!(len == labels.len(), "Records::with_labels: {} labels for {len} examples", labels.len());
        if let Some(label) = labels.iter().find(|&&label| label as usize >= n_classes) {
            panic!("Records::with_labels: the label {label} is out of range for {n_classes} classes");
        }
        self.labels = labels;
        self
    }

    /// Takes the classes from an integer field with one number per example, such as `y.npy`.
    ///
    /// # Errors
    /// When one of the numbers is not a class.
    ///
    /// # Panics
    /// When there is no i64 or u8 field of this name with one number per example.
    #[track_caller]
    pub fn with_labels_of<S: Into<String>>(
        self,
        name: &str,
        class_names: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        let class_names: Vec<String> = class_names.into_iter().map(Into::into).collect();
        let idx = self.index_of("with_labels_of", name);
        let field = &self.fields[idx];
        assert!(
            field.len() == 1 && field.kind != Kind::F32,
            "Records::with_labels_of: expected one i64 or u8 label per example, found {field:?}"
        );
        let label = |example_idx: usize| {
            let (mut wide, mut byte) = ([0_i64], [0_u8]);
            if field.kind == Kind::I64 {
                self.read_field(idx, example_idx, ValuesMut::I64(&mut wide));
            } else {
                self.read_field(idx, example_idx, ValuesMut::U8(&mut byte));
                wide = byte.map(i64::from);
            }
            let label = u32::try_from(wide[0]).ok().filter(|&label| (label as usize) < class_names.len());
            label.ok_or_else(|| Error::LabelOfField {
                field: name.into(),
                example_idx,
                label: wide[0],
                n_classes: class_names.len(),
            })
        };
        let labels = (0..self.len()).map(label).collect::<Result<_, _>>()?;
        Ok(self.with_labels(labels, class_names))
    }

    /// Makes a u8 field the images, each C × H × W, or H × W for one channel. It is then no longer a field:
    /// batches have it as [`images`](crate::Batch::images), which can be augmented and normalised.
    ///
    /// Images with the channels last, H × W × C, are those of most NumPy files: save
    /// `numpy.ascontiguousarray(x.transpose(0, 3, 1, 2))`, or use
    /// [`InMemory::from_interleaved`](crate::InMemory::from_interleaved).
    ///
    /// # Panics
    /// When there is no such u8 field with two or three axes, or its shape looks like H × W × C: more than four
    /// rows, and 1, 3 or 4 channels.
    #[track_caller]
    pub fn with_images_of(mut self, name: &str) -> Self {
        let idx = self.index_of("with_images_of", name);
        let shape = match (self.fields[idx].kind, self.fields[idx].shape.as_slice()) {
            (Kind::U8, shape @ &[(5..), _, 1 | 3 | 4]) => panic!(
                "Records::with_images_of: {name} has the shape {shape:?}, which looks like height, width and \
                 channels; expected the channels first: save numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)), \
                 or use InMemory::from_interleaved"
            ),
            (Kind::U8, &[channels, height, width]) => ImageShape { height, width, channels },
            (Kind::U8, &[height, width]) => ImageShape { height, width, channels: 1 },
            _ => panic!(
                "Records::with_images_of: expected u8 images of shape [channels, height, width] or \
                 [height, width], found {:?}",
                self.fields[idx]
            ),
        };
        self.fields.remove(idx);
        self.images = Some((self.stores.remove(idx), shape));
        self
    }

    pub(crate) fn with_columns(self, columns: Vec<String>, warnings: Vec<String>) -> Self {
        Self { columns, warnings, ..self }
    }

    /// The names of the columns of `features`, if they come from a [`Csv`](crate::Csv) file with a header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What a [`Csv`](crate::Csv) file lost, one sentence for each column: numbers that f32 can hardly tell
    /// apart, because they are far from 0 and close together, such as times in seconds since 1970.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    #[track_caller]
    fn with(mut self, name: &str, shape: &[usize], values: Values) -> Self {
        let field = Field { name: name.into(), kind: values.kind(), shape: shape.to_vec() };
        assert!(!field.is_empty(), "Records: an example of field {name} with shape {shape:?} has no values");
        let len = *self.len.get_or_insert(values.len() / field.len());
        assert!(
            len.checked_mul(field.len()) == Some(values.len()),
            "Records: field {name} has {} values, expected {len} examples of the shape {shape:?}",
            values.len()
        );
        self.push(field, Store::Held(values));
        self
    }

    #[track_caller]
    fn with_head(mut self, path: &Path, name: &str, head: &Head, store: Store) -> Result<Self, Error> {
        let (found, field) = head.field(name);
        let len = *self.len.get_or_insert(found);
        if found != len {
            let problem = format!("expected {len} examples, as in the other fields, found {found}");
            return Err(Error::Npy { path: path.to_path_buf(), problem });
        }
        self.push(field, store);
        Ok(self)
    }

    #[track_caller]
    fn push(&mut self, field: Field, store: Store) {
        let is_taken = self.fields.iter().any(|other| other.name == field.name);
        assert!(!is_taken, "Records: duplicate field {}; give each field its own name", field.name);
        self.fields.push(field);
        self.stores.push(store);
    }

    #[track_caller]
    fn index_of(&self, method: &str, name: &str) -> usize {
        let idx = self.fields.iter().position(|field| field.name == name);
        idx.unwrap_or_else(|| panic!("Records::{method}: no field {name} among {:?}", self.fields))
    }
}

impl Dataset for Records {
    fn len(&self) -> usize {
        self.len.unwrap_or(0)
    }

    fn image_shape(&self) -> ImageShape {
        self.images.as_ref().map_or(ImageShape::NONE, |(_, shape)| *shape)
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        let (store, shape) = self.images.as_ref().expect("Records::image: the set has no images");
        let bytes = match store {
            Store::Held(Values::U8(bytes)) => bytes,
            Store::Mapped(file, head) => &file.bytes()[head.start..],
            Store::Held(_) => unreachable!("images are u8"),
        };
        &bytes[image_idx * shape.len()..][..shape.len()]
    }

    fn label(&self, image_idx: usize) -> u32 {
        self.labels[image_idx]
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read_field(&self, field_idx: usize, example_idx: usize, out: ValuesMut<'_>) {
        match &self.stores[field_idx] {
            Store::Held(values) => values.copy_piece(example_idx, out),
            Store::Mapped(file, head) => {
                let len = self.fields[field_idx].len() * head.stored.size();
                head.stored.decode(&file.bytes()[head.start + example_idx * len..][..len], out);
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        let images = self.images.iter().map(|(store, _)| store);
        self.stores.iter().chain(images).try_for_each(|store| match store {
            Store::Held(_) => Ok(()),
            Store::Mapped(file, _) => file.check_len(),
        })
    }
}
