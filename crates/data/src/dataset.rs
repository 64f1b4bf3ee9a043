//! What a set of examples is to the rest of the crate.

use crate::fields::ValuesMut;
use crate::{Error, Field};

/// The shape of one image, the same for all images of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a pixel: 3 for red, green, blue; 1 for grey.
    pub channels: usize,
}

impl ImageShape {
    /// 32 × 32 pixels in colour, as in CIFAR.
    pub const CIFAR: Self = Self { height: 32, width: 32, channels: 3 };

    /// That of a set without images.
    pub const NONE: Self = Self { height: 0, width: 0, channels: 0 };

    /// How many values an image has: height × width × channels.
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether an image has no values at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Examples, each with an image, a class and named [fields](Field), or some of these.
///
/// [`Cifar`](crate::Cifar) reads images from CIFAR's files, [`InMemory`](crate::InMemory) holds them,
/// [`Records`](crate::Records) are fields of any shape, [`Subset`](crate::Subset) chooses among those of another set; a
/// type of your own can be one too. All go through the same [`Loader`](crate::Loader).
pub trait Dataset: Send + Sync {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there is no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of every image; [`ImageShape::NONE`] where there are none.
    fn image_shape(&self) -> ImageShape;

    /// The names of the classes; label `l` is class `class_names()[l]`. Where there are none, no label is asked for.
    fn class_names(&self) -> &[String];

    /// The bytes of an image, plane after plane (C × H × W), each plane row after row.
    ///
    /// # Panics
    /// When `image_idx` is not below [`len`](Self::len).
    fn image(&self, image_idx: usize) -> &[u8];

    /// The class of an image.
    ///
    /// # Panics
    /// When `image_idx` is not below [`len`](Self::len).
    fn label(&self, image_idx: usize) -> u32;

    /// What an example has besides image and class: nothing, unless the set says otherwise.
    fn fields(&self) -> &[Field] {
        &[]
    }

    /// Writes the values of field `fields()[field_idx]` of an example into `out`, which is of the field's kind and length.
    ///
    /// # Panics
    /// When there is no such field or example.
    fn read_field(&self, field_idx: usize, example_idx: usize, out: ValuesMut<'_>) {
        panic!("Dataset::read_field: no field {field_idx} for {out:?} of example {example_idx}")
    }

    /// Whether the examples can still be read; the loader asks before each batch.
    ///
    /// # Errors
    /// When what lies behind the set is gone, [cut short](Error::CutShort), for example.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl<D: Dataset + ?Sized> Dataset for Box<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn image_shape(&self) -> ImageShape {
        (**self).image_shape()
    }

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        (**self).image(image_idx)
    }

    fn label(&self, image_idx: usize) -> u32 {
        (**self).label(image_idx)
    }

    fn fields(&self) -> &[Field] {
        (**self).fields()
    }

    fn read_field(&self, field_idx: usize, example_idx: usize, out: ValuesMut<'_>) {
        (**self).read_field(field_idx, example_idx, out);
    }

    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }
}
