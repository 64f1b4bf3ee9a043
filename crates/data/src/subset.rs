//! Selections from another set: the first n, or a split into training and validation.

use crate::fields::ValuesMut;
use crate::{Dataset, Error, Field, ImageShape, random};

/// Selected examples of another data set, in a given order.
#[derive(Clone)]
pub struct Subset<'a> {
    dataset: &'a dyn Dataset,
    indices: Vec<usize>,
}

impl<'a> Subset<'a> {
    /// The examples of `dataset` at `indices`.
    ///
    /// # Panics
    /// When an index is not less than the length of `dataset`.
    #[track_caller]
    pub fn new(dataset: &'a dyn Dataset, indices: Vec<usize>) -> Self {
        let len = dataset.len();
        if let Some(idx) = indices.iter().find(|&&idx| idx >= len) {
            panic!("Subset::new: the index {idx} is out of range for {len} examples");
        }
        Self { dataset, indices }
    }

    /// The first `n` examples of `dataset`, or all if it has fewer.
    pub fn first(dataset: &'a dyn Dataset, n: usize) -> Self {
        Self { dataset, indices: (0..n.min(dataset.len())).collect() }
    }

    /// Randomly splits `dataset` into training examples and `n_validation` validation examples.
    ///
    /// The choice depends only on `seed`; within each part the examples keep their order.
    ///
    /// # Panics
    /// When `n_validation` is more than the number of examples.
    #[track_caller]
    pub fn split(dataset: &'a dyn Dataset, n_validation: usize, seed: u64) -> (Self, Self) {
        let len = dataset.len();
        assert!(
            n_validation <= len,
            "Subset::split: {n_validation} examples for validation, but there are only {len}"
        );
        let mut indices: Vec<usize> = (0..len).collect();
        random::shuffle(&mut indices, &mut random::stream(seed, "split", 0));
        let mut train = indices.split_off(n_validation);
        let mut validation = indices;
        train.sort_unstable();
        validation.sort_unstable();
        (Self { dataset, indices: train }, Self { dataset, indices: validation })
    }

    /// The indices of the examples in the other set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl Dataset for Subset<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn image_shape(&self) -> ImageShape {
        self.dataset.image_shape()
    }

    fn class_names(&self) -> &[String] {
        self.dataset.class_names()
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        self.dataset.image(self.indices[image_idx])
    }

    fn label(&self, example_idx: usize) -> u32 {
        self.dataset.label(self.indices[example_idx])
    }

    fn fields(&self) -> &[Field] {
        self.dataset.fields()
    }

    fn read_field(&self, field_idx: usize, example_idx: usize, out: ValuesMut<'_>) {
        self.dataset.read_field(field_idx, self.indices[example_idx], out);
    }

    fn check(&self) -> Result<(), Error> {
        self.dataset.check()
    }
}
