//! The interface of a set of examples.

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

    /// The shape for a set without images.
    pub const NONE: Self = Self { height: 0, width: 0, channels: 0 };

    /// The number of values in an image: height × width × channels.
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether an image has no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Examples, each with an image, a class and named [fields](Field), or only some of these.
///
/// [`Cifar`](crate::Cifar) reads images from CIFAR's files, [`InMemory`](crate::InMemory) holds images in
/// memory, [`Records`](crate::Records) holds fields of any shape, and [`Subset`](crate::Subset) selects from
/// another set. You can implement it for your own type. All work with the same [`Loader`](crate::Loader).
pub trait Dataset: Send + Sync {
    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of every image; [`ImageShape::NONE`] if there are none.
    fn image_shape(&self) -> ImageShape;

    /// The class names; label `l` is class `class_names()[l]`. If there are none, labels are not requested.
    fn class_names(&self) -> &[String];

    /// The bytes of an image as planes (C × H × W), each row-major.
    ///
    /// # Panics
    /// When `image_idx` is not below [`len`](Self::len).
    fn image(&self, image_idx: usize) -> &[u8];

    /// The class of an example.
    ///
    /// # Panics
    /// When `example_idx` is not below [`len`](Self::len).
    fn label(&self, example_idx: usize) -> u32;

    /// The values of an example besides image and class; none by default.
    fn fields(&self) -> &[Field] {
        &[]
    }

    /// Writes the values of field `fields()[field_idx]` of an example into `out`, which has the field's kind
    /// and length.
    ///
    /// # Panics
    /// When there is no such field or example.
    fn read_field(&self, field_idx: usize, example_idx: usize, out: ValuesMut<'_>) {
        panic!("Dataset::read_field: example {example_idx} has no field {field_idx} for {out:?}")
    }

    /// Checks that the examples can still be read; the loader calls this before each batch.
    ///
    /// # Errors
    /// When the underlying data is gone, for example [cut short](Error::CutShort).
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

    fn label(&self, example_idx: usize) -> u32 {
        (**self).label(example_idx)
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
