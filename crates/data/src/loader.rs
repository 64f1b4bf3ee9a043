//! Batches of a data set, epoch after epoch.

use rayon::prelude::*;

use crate::augment::{EpochStreams, View};
use crate::pixels::ByteTable;
use crate::{Augment, Batch, Dataset, Error, random};

/// Per channel, what is taken from x = byte / 255 and what that is divided by: (x − mean) / std.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// For each channel, the mean over the training images.
    pub mean: Vec<f32>,
    /// For each channel, the standard deviation over the training images.
    pub std: Vec<f32>,
}

impl Normalize {
    /// The usual numbers for CIFAR-10: means 0.4914, 0.4822, 0.4465, deviations 0.2470, 0.2435, 0.2616.
    pub fn cifar10() -> Self {
        Self { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.2470, 0.2435, 0.2616] }
    }

    /// Mean and standard deviation (divided by the number of pixels) of each channel over all images of `dataset`.
    ///
    /// A channel that is the same in every pixel has the standard deviation 1, so that it becomes 0. Bytes are
    /// counted and not added up, so that no rounding can pass for a spread.
    ///
    /// # Panics
    /// When there is no image.
    #[track_caller]
    pub fn measure(dataset: &dyn Dataset) -> Self {
        assert!(!dataset.is_empty(), "Normalize::measure: there is no image");
        let shape = dataset.image_shape();
        let mut counts = vec![[0_u64; 256]; shape.channels];
        for image_idx in 0..dataset.len() {
            let planes = dataset.image(image_idx).chunks_exact(shape.height * shape.width);
            for (counts, plane) in counts.iter_mut().zip(planes) {
                plane.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            }
        }
        let (mean, std) = counts.iter().map(mean_and_std).unzip();
        Self { mean, std }
    }
}

/// Of x = byte / 255, where each byte occurs so often: the mean, and from the squares of the distances to it the
/// standard deviation, or 1 if all are the same.
fn mean_and_std(counts: &[u64; 256]) -> (f32, f32) {
    let n = counts.iter().sum::<u64>() as f64;
    let sum_over = |value: &dyn Fn(f64) -> f64| -> f64 {
        (0..).zip(counts).map(|(byte, &count)| count as f64 * value(f64::from(byte))).sum()
    };
    let mean = sum_over(&|byte| byte) / n;
    let m2 = sum_over(&|byte| (byte - mean).powi(2));
    let is_constant = counts.iter().filter(|&&count| count > 0).count() == 1;
    ((mean / 255.0) as f32, if is_constant { 1.0 } else { ((m2 / n).sqrt() / 255.0) as f32 })
}

/// A place within training: which epoch, and which batch of it comes next. Both count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: usize,
    /// How many batches of the epoch have been given out.
    pub step: usize,
}

/// Gives out the batches of a data set, epoch after epoch.
///
/// By default the images come in their order, as byte / 255 and nothing else, and the last batch of an epoch
/// is as small as what is left.
///
/// ```
/// use data::{Augment, Batch, ImageShape, InMemory, Loader};
/// let set = InMemory::new(ImageShape::CIFAR, vec![0; 100 * 3072], vec![0; 100], ["black"]);
/// let mut loader = Loader::new(&set, 64).shuffle(7).augment(Augment::flip_and_crop(4), 7);
/// let mut batch = Batch::new();
/// for epoch in 0..2 {
///     while loader.next_into(&mut batch)? {
///         assert!(batch.shape() == [64, 32, 32, 3] || batch.shape() == [36, 32, 32, 3]);
///     }
/// }
/// # Ok::<(), data::Error>(())
/// ```
pub struct Loader<'a> {
    dataset: &'a dyn Dataset,
    batch_size: usize,
    shuffle_seed: Option<u64>,
    augment: Option<(Augment, u64)>,
    drop_last: bool,
    table: ByteTable,
    position: Position,
    /// The order of the images in `order_epoch`.
    order: Vec<usize>,
    order_epoch: Option<usize>,
}

impl<'a> Loader<'a> {
    /// Batches of `batch_size` images in their order.
    ///
    /// # Panics
    /// When `batch_size` is 0.
    #[track_caller]
    pub fn new(dataset: &'a dyn Dataset, batch_size: usize) -> Self {
        assert!(batch_size > 0, "Loader::new: a batch needs at least one image");
        Self {
            dataset,
            batch_size,
            shuffle_seed: None,
            augment: None,
            drop_last: false,
            table: ByteTable::new(dataset.image_shape().channels, None),
            position: Position::default(),
            order: Vec::new(),
            order_epoch: None,
        }
    }

    /// Gives each epoch an order of its own, which depends on (`seed`, epoch) alone.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.shuffle_seed = Some(seed);
        self.order_epoch = None;
        self
    }

    /// Changes each image at random, depending on (`seed`, epoch, index of the image) alone.
    ///
    /// # Panics
    /// When a [reflected](crate::Border::Reflect) border is as wide as the image or wider.
    #[track_caller]
    pub fn augment(mut self, augment: Augment, seed: u64) -> Self {
        augment.check(self.dataset.image_shape());
        self.augment = Some((augment, seed));
        self
    }

    /// Normalises each channel.
    ///
    /// # Panics
    /// When `normalize` has not one mean and one standard deviation for each channel of the images, or one of
    /// them makes no finite numbers.
    #[track_caller]
    pub fn normalize(mut self, normalize: &Normalize) -> Self {
        let n_channels = self.dataset.image_shape().channels;
        let (n_means, n_stds) = (normalize.mean.len(), normalize.std.len());
        assert!(
            n_means == n_channels && n_stds == n_channels,
            "Loader::normalize: {n_means} means and {n_stds} deviations for images of {n_channels} channels",
        );
        let sound =
            normalize.mean.iter().all(|mean| mean.is_finite()) && normalize.std.iter().all(|&std| std > 0.0);
        assert!(
            sound,
            "Loader::normalize: means must be finite and deviations positive, found {normalize:?}"
        );
        self.table = ByteTable::new(n_channels, Some(normalize));
        self
    }

    /// Leaves out the last batch of an epoch when it is not full.
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// How many batches an epoch has.
    pub fn n_batches(&self) -> usize {
        let len = self.dataset.len();
        if self.drop_last { len / self.batch_size } else { len.div_ceil(self.batch_size) }
    }

    /// Where the loader stands: what [`seek`](Self::seek) takes to go on from here.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes to `position`: the next batch is the same bit for bit as if the loader had come there by itself.
    ///
    /// # Errors
    /// When the epoch has not so many batches.
    pub fn seek(&mut self, position: Position) -> Result<(), Error> {
        let n_batches = self.n_batches();
        if position.step > n_batches {
            return Err(Error::Position { step: position.step, n_batches });
        }
        self.position = position;
        Ok(())
    }

    /// Fills `batch` with the next images, or returns `false` at the end of the epoch; then the next call
    /// gives the first batch of the next one.
    ///
    /// # Errors
    /// When the data set [can no longer be read](Dataset::check) or a label stands for no class. The position
    /// stays where it was, and what is in `batch` is not to be used.
    pub fn next_into(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let Position { epoch, step } = self.position;
        if step >= self.n_batches() {
            self.position = Position { epoch: epoch + 1, step: 0 };
            return Ok(false);
        }
        self.dataset.check()?;
        self.arrange(epoch);
        let start = step * self.batch_size;
        let end = (start + self.batch_size).min(self.order.len());
        batch.indices.clear();
        batch.indices.extend_from_slice(&self.order[start..end]);
        self.read_labels(batch)?;
        self.read_images(epoch, batch);
        self.position.step += 1;
        Ok(true)
    }

    /// Puts the images into the order of `epoch`.
    fn arrange(&mut self, epoch: usize) {
        if self.order_epoch == Some(epoch) {
            return;
        }
        self.order.clear();
        self.order.extend(0..self.dataset.len());
        if let Some(seed) = self.shuffle_seed {
            random::shuffle(&mut self.order, &mut random::stream(seed, "shuffle", epoch as u64));
        }
        self.order_epoch = Some(epoch);
    }

    fn read_labels(&self, batch: &mut Batch) -> Result<(), Error> {
        let n_classes = self.dataset.class_names().len();
        batch.labels.clear();
        batch.labels.extend(batch.indices.iter().map(|&image_idx| self.dataset.label(image_idx)));
        match batch.labels.iter().position(|&label| label as usize >= n_classes) {
            None => Ok(()),
            Some(at) => {
                Err(Error::LabelInUse { image_idx: batch.indices[at], label: batch.labels[at], n_classes })
            }
        }
    }

    /// Reads the images at `batch.indices`, in groups that depend on their number alone.
    fn read_images(&self, epoch: usize, batch: &mut Batch) {
        let shape = self.dataset.image_shape();
        let Batch { images, indices, image_shape, .. } = batch;
        *image_shape = Some(shape);
        images.resize(indices.len() * shape.len(), 0.0);
        let augment = self.augment.map(|(augment, seed)| (augment, EpochStreams::new(seed, epoch as u64)));
        let n_groups = indices.len().div_ceil(8).min(16);
        let group_size = indices.len().div_ceil(n_groups);
        let groups = images.par_chunks_mut(group_size * shape.len()).zip(indices.par_chunks(group_size));
        groups.for_each(|(images, indices)| {
            for (image, &image_idx) in images.chunks_exact_mut(shape.len()).zip(indices) {
                let view = match &augment {
                    Some((augment, streams)) => streams.view(augment, image_idx),
                    None => View::PLAIN,
                };
                self.table.write(self.dataset.image(image_idx), shape, view, image);
            }
        });
    }
}
