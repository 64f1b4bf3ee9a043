//! What a set of labelled images is to the rest of the crate.

use crate::Error;

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

    /// How many values an image has: height × width × channels.
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether an image has no values at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Labelled images of one shape, as bytes.
///
/// [`Cifar`](crate::Cifar) reads them from CIFAR's files, [`InMemory`](crate::InMemory) holds them,
/// [`Subset`](crate::Subset) chooses among those of another set; a type of your own can be one too. All go
/// through the same [`Loader`](crate::Loader).
pub trait Dataset: Send + Sync {
    /// How many images there are.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of every image.
    fn image_shape(&self) -> ImageShape;

    /// The names of the classes; label `l` is class `class_names()[l]`.
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

    /// Whether the images can still be read; the loader asks before each batch.
    ///
    /// # Errors
    /// When what lies behind the set is gone, [cut short](Error::CutShort), for example.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}
