//! Leaves of a graph: inputs, parameters and integers, and other views of a value.

use std::mem;

use tensor::Shape;
use tensor::parallel::Shards;

use crate::graph::Graph;
use crate::params::ParamId;
use crate::recording::{Record, Slot, Storage};
use crate::tape::{Indices, Var};

impl Graph<'_> {
    /// Records a leaf that gets no gradient, such as a batch of images.
    ///
    /// # Panics
    /// When the values do not fill the shape, and as [`randn`](Self::randn).
    #[track_caller]
    pub fn input(&self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        let shape = shape.into();
        self.leaf("input", (shape, self.n_images_of_leaf("input", shape)), values, false)
    }

    /// Records a leaf that gets no gradient and whose first axis does not run over the images of the batch,
    /// such as one factor per class. If several processes each have a part of the batch, they all record the
    /// same values.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn constant(&self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        self.leaf("constant", (shape.into(), None), values, false)
    }

    /// Records the images of a batch, `[n, h, w, c]`, as an [`input`](Self::input), from anything that
    /// provides their shape and values, such as `data::Batch`.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn images<'v>(&self, images: impl Into<([usize; 4], &'v [f32])>) -> Var {
        let (shape, values) = images.into();
        self.input(shape, values)
    }

    /// Records the labels of a batch as [`indices`](Self::indices), from anything that provides them, such as
    /// `data::Batch`.
    pub fn labels<'v>(&self, labels: impl Into<&'v [u32]>) -> Indices {
        self.indices(labels.into())
    }

    /// Records a leaf that gets a gradient, to be read with [`grad`](Self::grad) after backward.
    ///
    /// # Panics
    /// As [`input`](Self::input).
    #[track_caller]
    pub fn variable(&self, shape: impl Into<Shape>, values: &[f32]) -> Var {
        let shape = shape.into();
        self.leaf("variable", (shape, self.n_images_of_leaf("variable", shape)), values, self.mode().grad)
    }

    #[track_caller]
    fn leaf(
        &self,
        name: &'static str,
        (shape, n_images): (Shape, Option<usize>),
        values: &[f32],
        needs_grad: bool,
    ) -> Var {
        assert!(
            values.len() == shape.numel(),
            "{name}{}: {} values do not fill the shape {shape}, which has {} elements",
            self.at(),
            values.len(),
            shape.numel()
        );
        self.leaf_of(name, (shape, n_images), needs_grad, |buffer, _| buffer.copy_from_slice(values))
    }

    /// How many of the images of the batch a leaf of this shape has.
    #[track_caller]
    pub(crate) fn n_images_of_leaf(&self, name: &str, shape: Shape) -> Option<usize> {
        let n_images = self.batch().n_images_of_leaf(shape);
        n_images.unwrap_or_else(|error| panic!("{name}{}: {error}", self.at()))
    }

    /// Records a leaf written by `fill`, which is given the shards of the batch.
    pub(crate) fn leaf_of(
        &self,
        name: &'static str,
        (shape, n_images): (Shape, Option<usize>),
        needs_grad: bool,
        fill: impl FnOnce(&mut [f32], Shards<'_>),
    ) -> Var {
        let mut recording = self.tape.recording.borrow_mut();
        let slot = Slot { storage: Storage::Node(recording.slots.len()), shape, needs_grad, n_images };
        let var = recording.push(slot, Record::default());
        let mut buffer = mem::take(&mut recording.buffers[var.node]);
        drop(recording);
        buffer.resize(shape.numel(), 0.0);
        fill(&mut buffer, self.batch().shards(&slot));
        self.tape.values.set(var.node, buffer);
        self.search_leaf(var, name);
        var
    }

    /// Records an entry of the parameters. An entry used several times is shared: its gradient is the sum.
    ///
    /// # Panics
    /// When `id` is from other parameters than this step's and out of range here.
    #[track_caller]
    pub fn param(&self, id: ParamId) -> Var {
        let entry = self.params.entry(id);
        let needs_grad = self.mode().grad && entry.is_trainable();
        let storage = Storage::Param { id: id.0, start: entry.range.start, end: entry.range.end };
        let slot = Slot { storage, shape: entry.shape, needs_grad, n_images: None };
        let var = self.view(slot);
        self.search_leaf(var, "param");
        var
    }

    /// Records integers for [`apply_indexed`](Self::apply_indexed), `[n]`: class labels, row numbers.
    pub fn indices(&self, values: &[u32]) -> Indices {
        self.push_indices([values.len()].into(), values)
    }

    /// Records integers with a shape, such as the tokens of `n` sentences, `[n, t]`: the input of a layer
    /// over tokens.
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn tokens(&self, shape: impl Into<Shape>, values: &[u32]) -> Indices {
        let shape = shape.into();
        assert!(
            values.len() == shape.numel(),
            "tokens{}: {} values do not fill the shape {shape}, which has {} elements",
            self.at(),
            values.len(),
            shape.numel()
        );
        self.push_indices(shape, values)
    }

    fn push_indices(&self, shape: Shape, values: &[u32]) -> Indices {
        self.tape.recording.borrow_mut().push_indices(shape, |indices| indices.copy_from_slice(values))
    }

    /// Returns a copy of the integers behind `indices`, row-major.
    #[track_caller]
    pub fn integers(&self, indices: Indices) -> Vec<u32> {
        self.tape.recording.borrow().indices("integers", indices).to_vec()
    }

    /// Returns the same elements with another shape; nothing is copied.
    ///
    /// # Panics
    /// When the number of elements differs, or this process has only a part of the batch and the new first
    /// axis does not have rows for each of its images.
    #[track_caller]
    pub fn reshape(&self, x: Var, shape: impl Into<Shape>) -> Var {
        let (slot, shape) = (self.slot("reshape", x), shape.into());
        assert!(
            slot.shape.numel() == shape.numel(),
            "reshape{}: {} has {} elements, {shape} has {}; make the counts agree",
            self.at(),
            slot.shape,
            slot.shape.numel(),
            shape.numel()
        );
        match self.batch().n_images_reshaped(slot.n_images, shape) {
            Ok(n_images) => self.view(Slot { shape, n_images, ..slot }),
            Err(error) => panic!("reshape{}: {error}", self.at()),
        }
    }

    /// Returns the same value, but without gradient flow; nothing is copied.
    #[track_caller]
    pub fn detach(&self, x: Var) -> Var {
        self.view(Slot { needs_grad: false, ..self.slot("detach", x) })
    }
}
