//! A batch of images as f32, whose memory is used again and again.

use crate::ImageShape;

/// Images as f32 (N × H × W × C) with their labels.
///
/// [`Loader::next_into`](crate::Loader::next_into) fills it; after the first full batch it allocates nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) indices: Vec<usize>,
    pub(crate) image_shape: Option<ImageShape>,
}

impl Batch {
    /// A batch without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many images the batch has.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of [`images`](Self::images): N, H, W, C. All zeros before the batch is filled first.
    pub fn shape(&self) -> [usize; 4] {
        self.image_shape.map_or([0; 4], |shape| [self.len(), shape.height, shape.width, shape.channels])
    }

    /// The values of all images, N × H × W × C.
    pub fn images(&self) -> &[f32] {
        &self.images
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Which image of the data set each one is.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

/// Shape and values of the images, as `autograd::Graph::images` takes them.
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
