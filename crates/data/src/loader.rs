//! Batches of a data set, epoch after epoch.

use rayon::prelude::*;

use crate::fields::Values;
use crate::normalize::f32_field;
use crate::order::Order;
use crate::transform::Plan;
use crate::{Augment, Batch, Dataset, Error, Normalize, Transform};

/// A position in training: the epoch and the next batch in it, both counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: usize,
    /// The number of batches of the epoch already returned.
    pub step: usize,
}

/// Iterates over the batches of a data set, epoch after epoch.
///
/// By default the examples are in their original order, images are byte / 255, and the last batch of an epoch
/// may be smaller. [`Prefetch`](crate::Prefetch) prepares batches on another thread.
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
    drop_last: bool,
    order: Order,
    plan: Plan,
    /// The fields to normalise, and how.
    field_norms: Vec<(usize, Normalize)>,
    position: Position,
    /// The number of batches before the first one, over all epochs, until the loader has moved on.
    n_skipped: Option<u64>,
    /// Space for a copy of an image for each group of images.
    scratch: Vec<f32>,
    /// Whether the images are read sequentially on the calling thread.
    serial: bool,
    /// The examples of a batch to read; all by default.
    part: Option<Box<Part>>,
}

/// Appends the positions of the examples that a process needs of a batch, given the batch size.
type Part = dyn Fn(usize, &mut Vec<usize>) + Send + Sync;

impl<'a> Loader<'a> {
    /// Batches of `batch_size` examples in their original order.
    ///
    /// # Panics
    /// When `batch_size` is 0.
    #[track_caller]
    pub fn new(dataset: &'a dyn Dataset, batch_size: usize) -> Self {
        assert!(batch_size > 0, "Loader::new: a batch needs at least one example");
        Self {
            dataset,
            batch_size,
            drop_last: false,
            order: Order::in_turn(dataset.len()),
            plan: Plan::new(dataset.image_shape()),
            field_norms: Vec::new(),
            position: Position::default(),
            n_skipped: Some(0),
            scratch: Vec::new(),
            serial: false,
            part: None,
        }
    }

    /// Shuffles each epoch differently; the order depends only on (`seed`, epoch).
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.order = Order::shuffled(self.dataset.len(), seed);
        self.at_start()
    }

    /// Draws `n_draws` examples for each epoch with replacement, each with a probability proportional to its
    /// weight, like PyTorch's `WeightedRandomSampler`. The draws depend only on (`seed`, epoch).
    ///
    /// An example that is drawn twice in an epoch is transformed the same way both times.
    ///
    /// # Panics
    /// When the numbers of weights and examples differ, or the weights are not finite, are negative or are
    /// all 0.
    #[track_caller]
    pub fn weighted(mut self, weights: &[f64], n_draws: usize, seed: u64) -> Self {
        self.order = Order::weighted(self.dataset.len(), weights, n_draws, seed);
        self.at_start()
    }

    /// Changes each image at random, depending only on (`seed`, epoch, index of the image). Equivalent to
    /// [`transform`](Self::transform) with this transform alone.
    ///
    /// # Panics
    /// When a [reflected](crate::Border::Reflect) border is as wide as the image or wider.
    #[track_caller]
    pub fn augment(self, augment: Augment, seed: u64) -> Self {
        self.transform([Transform::Augment(augment)], seed)
    }

    /// Applies one transform after another to each image. Their randomness depends only on (`seed`, epoch,
    /// index of the image, position in the list).
    ///
    /// # Panics
    /// When a transform does not fit the images or the previous transforms, or one of its numbers is out of
    /// range, see [`Transform`].
    #[track_caller]
    pub fn transform(mut self, transforms: impl IntoIterator<Item = Transform>, seed: u64) -> Self {
        self.plan.set_transforms(transforms.into_iter().collect(), seed);
        self
    }

    /// Normalises each channel of the images, after all [transforms](Self::transform).
    ///
    /// # Panics
    /// When `normalize` does not have one mean and one standard deviation for each channel of the images, or
    /// one of them would produce numbers that are not finite.
    #[track_caller]
    pub fn normalize(mut self, normalize: &Normalize) -> Self {
        self.plan.set_normalize(normalize);
        self
    }

    /// Normalises the field `name`, separately for each position on its last axis. A second call for the same
    /// field replaces the first, as one of [`normalize`](Self::normalize) does.
    ///
    /// # Panics
    /// When there is no such f32 field, or `normalize` does not have one mean and one standard deviation for
    /// each position on the last axis, or one of them would produce numbers that are not finite.
    #[track_caller]
    pub fn normalize_field(mut self, name: &str, normalize: &Normalize) -> Self {
        let field_idx = f32_field("Loader::normalize_field", self.dataset, name);
        let n_channels = self.dataset.fields()[field_idx].shape.last().copied().unwrap_or(1);
        normalize.check("Loader::normalize_field", "a field", n_channels);
        self.field_norms.retain(|(other_idx, _)| *other_idx != field_idx);
        self.field_norms.push((field_idx, normalize.clone()));
        self
    }

    /// Drops the last batch of an epoch if it is not full.
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self.at_start()
    }

    /// Starts after `n_batches` batches, counted over all epochs without the `false` at their ends; 0 by default. The
    /// next batch is bitwise the same as if the loader had returned those before. A loop that takes one step per batch
    /// resumes with `skip(optimizer.n_steps())`; [`seek`](Self::seek) goes to an epoch and a step in it. Options set
    /// afterwards hold for the batches skipped, too.
    ///
    /// ```
    /// use data::{ImageShape, InMemory, Loader, Position};
    /// let set = InMemory::new(ImageShape::CIFAR, vec![0; 100 * 3072], vec![0; 100], ["black"]);
    /// let loader = Loader::new(&set, 64).shuffle(7).skip(5);
    /// assert_eq!(loader.position(), Position { epoch: 2, step: 1 });
    /// ```
    pub fn skip(mut self, n_batches: u64) -> Self {
        self.n_skipped = Some(n_batches);
        self.at_start()
    }

    /// The loader at its first batch, which depends on the number of batches in an epoch; after
    /// [`seek`](Self::seek) or [`next_into`](Self::next_into) where it is.
    fn at_start(mut self) -> Self {
        let Some(n) = self.n_skipped else { return self };
        let n_batches = self.n_batches().max(1) as u64;
        self.position = Position { epoch: (n / n_batches) as usize, step: (n % n_batches) as usize };
        self
    }

    /// Reads only a part of each batch: of `n` examples those at the positions `part(n)`, a range or any other
    /// sequence. Order and random changes are those of the whole batch, so several processes, each with its
    /// part, see the same examples as a single one. [`next_into`](Self::next_into) panics if a position is
    /// not within `0..n`.
    ///
    /// ```
    /// use data::{Batch, ImageShape, InMemory, Loader};
    /// let set = InMemory::new(ImageShape::CIFAR, vec![0; 100 * 3072], vec![0; 100], ["black"]);
    /// let mut second_half = Loader::new(&set, 64).part(|n| n / 2..n);
    /// let mut batch = Batch::new();
    /// second_half.next_into(&mut batch)?;
    /// assert_eq!((batch.len(), batch.whole_indices().len()), (32, 64));
    /// assert_eq!(batch.indices(), &batch.whole_indices()[32..]);
    /// # Ok::<(), data::Error>(())
    /// ```
    pub fn part<P>(self, part: impl Fn(usize) -> P + Send + Sync + 'static) -> Self
    where
        P: IntoIterator<Item = usize>,
    {
        let part = move |n: usize, positions: &mut Vec<usize>| positions.extend(part(n));
        Self { part: Some(Box::new(part)), ..self }
    }

    /// The number of batches in an epoch.
    pub fn n_batches(&self) -> usize {
        let len = self.order.len();
        if self.drop_last { len / self.batch_size } else { len.div_ceil(self.batch_size) }
    }

    /// The current position, from which [`seek`](Self::seek) resumes.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes to `position`: the next batch is bitwise the same as if the loader had iterated to it. Options
    /// set afterwards leave it there.
    ///
    /// # Errors
    /// When the epoch has fewer batches.
    pub fn seek(&mut self, position: Position) -> Result<(), Error> {
        let n_batches = self.n_batches();
        if position.step > n_batches {
            return Err(Error::Position { step: position.step, n_batches });
        }
        self.go_to(position);
        Ok(())
    }

    /// Fills `batch` with the next examples, or returns `false` at the end of the epoch; the next call then
    /// returns the first batch of the next epoch.
    ///
    /// # Errors
    /// When the data set [can no longer be read](Dataset::check) or a label is not a class. The position is
    /// then unchanged, and the contents of `batch` must not be used.
    pub fn next_into(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let Position { epoch, step } = self.position;
        if step >= self.n_batches() {
            self.go_to(Position { epoch: epoch + 1, step: 0 });
            return Ok(false);
        }
        self.dataset.check()?;
        let order = self.order.of_epoch(epoch);
        let start = step * self.batch_size;
        let end = (start + self.batch_size).min(order.len());
        let whole = &order[start..end];
        let Batch { positions, indices, whole_indices, .. } = &mut *batch;
        positions.clear();
        match &self.part {
            Some(part) => part(whole.len(), positions),
            None => positions.extend(0..whole.len()),
        }
        if let Some(position) = positions.iter().find(|&&position| position >= whole.len()) {
            panic!("Loader::part: position {position} is out of range for a batch of {}", whole.len());
        }
        whole_indices.clear();
        whole_indices.extend_from_slice(whole);
        indices.clear();
        indices.extend(positions.iter().map(|&position| whole[position]));
        self.read_labels(batch)?;
        self.read_fields(batch);
        self.read_images(epoch, batch);
        self.go_to(Position { epoch, step: step + 1 });
        Ok(true)
    }

    fn go_to(&mut self, position: Position) {
        (self.position, self.n_skipped) = (position, None);
    }

    /// Reads on the calling thread from now on.
    pub(crate) fn read_serially(&mut self) {
        self.serial = true;
    }

    fn read_labels(&self, batch: &mut Batch) -> Result<(), Error> {
        let n_classes = self.dataset.class_names().len();
        let Batch { whole_labels, whole_indices, labels, positions, .. } = batch;
        labels.clear();
        whole_labels.clear();
        if n_classes == 0 {
            return Ok(());
        }
        whole_labels.extend(whole_indices.iter().map(|&image_idx| self.dataset.label(image_idx)));
        labels.extend(positions.iter().map(|&position| whole_labels[position]));
        match whole_labels.iter().position(|&label| label as usize >= n_classes) {
            None => Ok(()),
            Some(at) => {
                Err(Error::LabelInUse { image_idx: whole_indices[at], label: whole_labels[at], n_classes })
            }
        }
    }

    fn read_fields(&self, batch: &mut Batch) {
        let fields = self.dataset.fields();
        batch.arrange_columns(fields);
        let Batch { columns, indices, .. } = batch;
        for (field_idx, column) in columns.iter_mut().enumerate() {
            let len = fields[field_idx].len();
            column.shape[0] = indices.len();
            column.values.resize(indices.len() * len);
            for (at, &example_idx) in indices.iter().enumerate() {
                let out = column.values.range_mut(at * len..(at + 1) * len);
                self.dataset.read_field(field_idx, example_idx, out);
            }
        }
        for (field_idx, normalize) in &self.field_norms {
            if let Values::F32(values) = &mut columns[*field_idx].values {
                normalize.apply_to_field(values);
            }
        }
    }

    /// Reads the images at `batch.indices`, in groups that depend only on their number.
    fn read_images(&mut self, epoch: usize, batch: &mut Batch) {
        let shape = self.dataset.image_shape();
        let Batch { images, indices, image_shape, .. } = batch;
        *image_shape = Some(shape);
        images.resize(indices.len() * shape.len(), 0.0);
        if images.is_empty() {
            return;
        }
        self.plan.start(epoch as u64);
        let n_groups = indices.len().div_ceil(8).min(16);
        let group_size = indices.len().div_ceil(n_groups);
        let copy_len = if self.plan.needs_copy() { shape.len() } else { 1 };
        self.scratch.resize(n_groups * copy_len, 0.0);
        let (dataset, plan) = (self.dataset, &self.plan);
        let read = |images: &mut [f32], indices: &[usize], copy: &mut [f32]| {
            for (image, &image_idx) in images.chunks_exact_mut(shape.len()).zip(indices) {
                plan.write(dataset.image(image_idx), image_idx, image, copy);
            }
        };
        if self.serial {
            return read(images, indices, &mut self.scratch[..copy_len]);
        }
        let groups = images.par_chunks_mut(group_size * shape.len()).zip(indices.par_chunks(group_size));
        let groups = groups.zip(self.scratch.par_chunks_mut(copy_len));
        groups.for_each(|((images, indices), copy)| read(images, indices, copy));
    }
}
