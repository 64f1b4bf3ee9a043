//! Random numbers, and one number throughout, as values of a step.

use tensor::Shape;
use tensor::random::{normal, uniform};

use crate::{Graph, Var};

impl Graph<'_> {
    /// Standard normal numbers, a leaf without gradient; `torch.randn`.
    ///
    /// An element is a function of the run's seed, the layer's path, the step and its place in the whole batch; a second
    /// call under one path draws other numbers. As with [`input`](Self::input), the first axis runs over the images of the
    /// batch that are here; for noise on what all parts of a batch share, see [`randn_like`](Self::randn_like).
    ///
    /// # Panics
    /// When only a part of the batch is here and the first axis does not have rows for each of its images.
    #[track_caller]
    pub fn randn(&self, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        self.random("randn", (shape, self.n_images_of_leaf("randn", shape)), normal)
    }

    /// Uniform numbers in [0, 1), a leaf without gradient; `torch.rand`. Drawn as those of [`randn`](Self::randn).
    ///
    /// # Panics
    /// As [`randn`](Self::randn).
    #[track_caller]
    pub fn rand(&self, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        self.random("rand", (shape, self.n_images_of_leaf("rand", shape)), uniform)
    }

    /// Standard normal numbers of the shape of `x`, a leaf without gradient; `torch.randn_like`. Drawn as those of
    /// [`randn`](Self::randn); where `x` is the same in all parts of a batch, as a parameter is, so are they.
    #[track_caller]
    pub fn randn_like(&self, x: Var) -> Var {
        let slot = self.slot("randn_like", x);
        self.random("randn_like", (slot.shape, slot.n_images), normal)
    }

    /// Uniform numbers in [0, 1) of the shape of `x`, a leaf without gradient; `torch.rand_like`. Drawn as those of
    /// [`randn_like`](Self::randn_like).
    #[track_caller]
    pub fn rand_like(&self, x: Var) -> Var {
        let slot = self.slot("rand_like", x);
        self.random("rand_like", (slot.shape, slot.n_images), uniform)
    }

    /// One number throughout, a leaf without gradient; `torch.full`.
    ///
    /// # Panics
    /// As [`randn`](Self::randn).
    #[track_caller]
    pub fn full(&self, shape: impl Into<Shape>, value: f32) -> Var {
        let shape = shape.into();
        let leaf = (shape, self.n_images_of_leaf("full", shape));
        self.leaf_of("full", leaf, false, |values, _| values.fill(value))
    }

    #[track_caller]
    fn random(&self, name: &'static str, leaf: (Shape, Option<usize>), fill: fn(&mut [f32], u64)) -> Var {
        let key = self.draw();
        self.leaf_of(name, leaf, false, |values, shards| {
            fill(values, keyed_random::skip(key, shards.first_row(values.len()) as u64));
        })
    }
}
