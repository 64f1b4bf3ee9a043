//! A data set held in memory.

use crate::{Dataset, ImageShape};

/// Labelled images held in memory.
///
/// ```
/// use data::{Dataset, ImageShape, InMemory};
/// let shape = ImageShape { height: 2, width: 2, channels: 1 };
/// let images = vec![0, 50, 100, 150, 200, 250, 0, 0];
/// let set = InMemory::new(shape, images, vec![1, 0], ["dark", "light"]);
/// assert_eq!(set.len(), 2);
/// assert_eq!(set.image(1), [200, 250, 0, 0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InMemory {
    shape: ImageShape,
    images: Vec<u8>,
    labels: Vec<u32>,
    class_names: Vec<String>,
}

impl InMemory {
    /// A set of the given images, concatenated, each C × H × W as in [`Dataset::image`]. For images with the
    /// channels last, see [`from_interleaved`](Self::from_interleaved).
    ///
    /// # Panics
    /// When the numbers of images and labels differ, an image is empty, or a label has no name.
    #[track_caller]
    pub fn new<S: Into<String>>(
        shape: ImageShape,
        images: Vec<u8>,
        labels: Vec<u32>,
        class_names: impl IntoIterator<Item = S>,
    ) -> Self {
        let class_names: Vec<String> = class_names.into_iter().map(Into::into).collect();
        assert!(!shape.is_empty(), "InMemory::new: an image of {shape:?} has no values");
        assert!(
            images.len() == labels.len() * shape.len(),
            "InMemory::new: {} labels need {} bytes of images ({shape:?}), found {}",
            labels.len(),
            labels.len() * shape.len(),
            images.len(),
        );
        if let Some(label) = labels.iter().find(|&&label| label as usize >= class_names.len()) {
            panic!("InMemory::new: the label {label} is out of range for {} classes", class_names.len());
        }
        Self { shape, images, labels, class_names }
    }

    /// Like [`new`](Self::new), but with images that are each H × W × C, the values of a pixel side by side, as
    /// decoders and most NumPy files have them.
    ///
    /// ```
    /// use data::{Dataset, ImageShape, InMemory};
    /// let shape = ImageShape { height: 1, width: 2, channels: 3 };
    /// let set = InMemory::from_interleaved(shape, &[10, 20, 30, 11, 21, 31], vec![0], ["only"]);
    /// assert_eq!(set.image(0), [10, 11, 20, 21, 30, 31]);
    /// ```
    ///
    /// # Panics
    /// As `new`.
    #[track_caller]
    pub fn from_interleaved<S: Into<String>>(
        shape: ImageShape,
        images: &[u8],
        labels: Vec<u32>,
        class_names: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut planes = Vec::with_capacity(images.len());
        for image in images.chunks(shape.len().max(1)) {
            for channel in 0..shape.channels {
                planes.extend(image.iter().skip(channel).step_by(shape.channels));
            }
        }
        Self::new(shape, planes, labels, class_names)
    }

    /// The same images with these names of classes.
    ///
    /// # Panics
    /// When a label has no name.
    #[track_caller]
    pub fn with_class_names<S: Into<String>>(self, class_names: impl IntoIterator<Item = S>) -> Self {
        Self::new(self.shape, self.images, self.labels, class_names)
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn image_shape(&self) -> ImageShape {
        self.shape
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        &self.images[image_idx * self.shape.len()..][..self.shape.len()]
    }

    fn label(&self, image_idx: usize) -> u32 {
        self.labels[image_idx]
    }
}
