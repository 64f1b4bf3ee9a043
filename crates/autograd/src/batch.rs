//! The batch of a step: how it is split into shards, and which part of it is in this process.

use tensor::Shape;
use tensor::parallel::{Exchange, Shards};

use crate::mode::Mode;
use crate::recording::Slot;

/// Where the images of a batch are in the output of an [`Op`](crate::Op).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// On the first axis, as in the input with this number.
    Kept(usize),
    /// On the first axis, although no input has images: there is a row for each of the op's indices.
    Begun,
    /// Nowhere: they were summed over, or there were none. The output is the same in every process, since an
    /// op sums over images by the [`Shards`] that it gets.
    Summed,
    /// Elsewhere: the op needs the whole batch in one place.
    Mixed,
}

/// The inputs of an op, before it runs.
#[derive(Clone, Copy)]
pub struct Operands<'a> {
    pub(crate) slots: &'a [Slot],
}

impl Operands<'_> {
    /// The shape of input `i`.
    pub fn shape(&self, i: usize) -> Shape {
        self.slots[i].shape
    }

    /// Whether the first axis of input `i` runs over the images of the batch; false for a missing input.
    pub fn has_images(&self, i: usize) -> bool {
        self.slots.get(i).is_some_and(|slot| slot.n_images.is_some())
    }

    /// Whether all inputs have images.
    pub fn all_have_images(&self) -> bool {
        (0..self.slots.len()).all(|i| self.has_images(i))
    }

    /// The first input with images.
    pub fn first_with_images(&self) -> Option<usize> {
        (0..self.slots.len()).find(|&i| self.has_images(i))
    }

    /// The first input with images whose first axis is as long as the output's; or else the first that has
    /// equally many of the output's rows for each of its images.
    pub fn first_along(&self, output: Shape) -> Option<usize> {
        let n_rows = *output.first()?;
        let find = |fits: &dyn Fn(&Slot, usize) -> bool| {
            self.slots.iter().position(|slot| slot.n_images.is_some_and(|n_images| fits(slot, n_images)))
        };
        find(&|slot, _| slot.shape.first() == Some(&n_rows))
            .or_else(|| find(&|_, n_images| n_rows.checked_rem(n_images).unwrap_or(n_rows) == 0))
    }

    /// [`Images::Kept`] of input `i` if it has any.
    pub fn kept_of(&self, i: usize) -> Images {
        if self.has_images(i) { Images::Kept(i) } else { Images::Summed }
    }

    /// [`Images::Mixed`] if input `i` has images.
    pub fn mixed_of(&self, i: usize) -> Images {
        if self.has_images(i) { Images::Mixed } else { Images::Summed }
    }
}

/// What a step knows about its batch.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    n_images: Option<usize>,
    n_shards: Option<usize>,
    exchange: Option<&'a dyn Exchange>,
}

impl<'a> Batch<'a> {
    #[track_caller]
    pub(crate) fn new(mode: Mode, exchange: Option<&'a dyn Exchange>) -> Self {
        assert!(
            exchange.is_none() || mode.n_images.is_some(),
            "this tape processes only a part of the batch; set the number of images in the whole batch with \
             Mode::of_images"
        );
        Self { n_images: mode.n_images, n_shards: mode.n_shards, exchange }
    }

    pub(crate) fn is_in_parts(&self) -> bool {
        self.exchange.is_some()
    }

    /// The shards of a value. A value without images is complete in every process and is split like a batch
    /// with that many rows.
    pub(crate) fn shards(&self, slot: &Slot) -> Shards<'a> {
        match (slot.n_images, self.exchange, self.n_images) {
            (Some(_), Some(exchange), Some(n_images)) => self.whole(n_images).exchanging(exchange),
            (Some(n_images), ..) => self.whole(n_images),
            (None, ..) => Shards::whole(slot.shape.first().copied().unwrap_or(1)),
        }
    }

    fn whole(&self, n_images: usize) -> Shards<'static> {
        match self.n_shards {
            Some(n_shards) => Shards::with_count(n_images, n_shards),
            None => Shards::whole(n_images),
        }
    }

    /// How many images a leaf has on its first axis; `None` for a scalar.
    pub(crate) fn n_images_of_leaf(&self, shape: Shape) -> Result<Option<usize>, String> {
        let Some(&n_rows) = shape.first() else { return Ok(None) };
        let Some(n_images) = self.n_images else { return Ok(Some(n_rows)) };
        let Some(exchange) = self.exchange else {
            let has_rows_of_images = n_images > 0 && n_rows.is_multiple_of(n_images);
            return Ok(Some(if has_rows_of_images { n_images } else { n_rows }));
        };
        let n_here = self.whole(n_images).exchanging(exchange).images().len();
        match n_rows.checked_rem(n_here).unwrap_or(n_rows) {
            0 => Ok(Some(n_here)),
            _ => Err(format!(
                "{shape} has {n_rows} rows for {n_here} of the {n_images} images; give only this process's \
                 part of the batch, and values shared by all parts as a constant"
            )),
        }
    }

    /// How many images a reshaped value has on its first axis.
    pub(crate) fn n_images_reshaped(
        &self,
        n_images: Option<usize>,
        shape: Shape,
    ) -> Result<Option<usize>, String> {
        let Some(n_images) = n_images else { return Ok(None) };
        match shape.first() {
            Some(&n_rows) if n_rows.checked_rem(n_images).unwrap_or(n_rows) == 0 => Ok(Some(n_images)),
            _ if self.is_in_parts() => Err(format!(
                "{shape} does not have rows for each of the {n_images} images; keep them on the first axis"
            )),
            _ => Ok(None),
        }
    }
}
