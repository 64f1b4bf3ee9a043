//! The largest and smallest elements along an axis, and their indices.

use tensor::reduce::{argmax, argmin};
use tensor::sort::topk;
use tensor::{Axes, Shape};

use super::shared::count;
use crate::{Graph, Indices, Var};

impl Graph<'_> {
    /// The index of the largest element along `axis` for each index of the other axes, in row-major order;
    /// `torch.argmax`. Of ties, the first; NaN counts as largest.
    ///
    /// [`integers`](Self::integers) reads the indices, [`gather`](Self::gather) picks by them.
    ///
    /// # Panics
    /// When `x` does not have the axis, or it is empty.
    #[track_caller]
    pub fn argmax(&self, x: Var, axis: usize) -> Indices {
        self.index_of("argmax", (x, axis), argmax)
    }

    /// The index of the smallest element along `axis`; `torch.argmin`. Of ties, the first; NaN counts as
    /// smallest.
    ///
    /// # Panics
    /// As [`argmax`](Self::argmax).
    #[track_caller]
    pub fn argmin(&self, x: Var, axis: usize) -> Indices {
        self.index_of("argmin", (x, axis), argmin)
    }

    /// The index along `axis` that `choose` finds.
    #[track_caller]
    fn index_of(
        &self,
        op: &str,
        (x, axis): (Var, usize),
        choose: fn(&mut [u32], &[f32], &Shape, usize),
    ) -> Indices {
        self.expect_elements(op, x, axis, 1);
        let shape = Axes::from(axis).removed(&self.shape(x));
        self.indices_along(op, (x, axis), shape, |y, x, shape| choose(y, x, shape, axis))
    }

    /// The largest element along `axis` and its index; `torch.max` with `dim` and `keepdim`. Of ties, the
    /// first gets the whole gradient; [`amax`](Self::amax) spreads it among them and takes several axes.
    ///
    /// # Panics
    /// As [`argmax`](Self::argmax).
    #[track_caller]
    pub fn max(&self, x: Var, axis: usize, keepdim: bool) -> (Var, Indices) {
        let indices = self.index_of("max", (x, axis), argmax);
        (self.extreme(x, axis, indices, keepdim), indices)
    }

    /// The smallest element along `axis` and its index; `torch.min` with `dim` and `keepdim`. Of ties, the
    /// first gets the whole gradient; [`amin`](Self::amin) spreads it among them and takes several axes.
    ///
    /// # Panics
    /// As [`argmax`](Self::argmax).
    #[track_caller]
    pub fn min(&self, x: Var, axis: usize, keepdim: bool) -> (Var, Indices) {
        let indices = self.index_of("min", (x, axis), argmin);
        (self.extreme(x, axis, indices, keepdim), indices)
    }

    #[track_caller]
    fn extreme(&self, x: Var, axis: usize, indices: Indices, keepdim: bool) -> Var {
        let y = self.picked(x, axis, indices, 1);
        if keepdim { y } else { self.reshape(y, Axes::from(axis).removed(&self.shape(x))) }
    }

    /// Returns the elements at `n` indices along `axis`.
    #[track_caller]
    fn picked(&self, x: Var, axis: usize, indices: Indices, n: usize) -> Var {
        let (y, shape) = (self.gather(x, axis, indices), self.shape(x).with_axis(axis, n));
        // With no indices at all, their number along the axis cannot be inferred.
        if self.shape(y) == shape { y } else { self.reshape(y, shape) }
    }

    /// The indices that sort the elements along `axis`, smallest first, or largest first if `descending`;
    /// `torch.argsort`. The sort is stable, as in PyTorch with `stable=True`; NaN counts as largest.
    ///
    /// # Panics
    /// When `x` does not have the axis.
    #[track_caller]
    pub fn argsort(&self, x: Var, axis: usize, descending: bool) -> Indices {
        self.order("argsort", (x, axis), descending)
    }

    #[track_caller]
    fn order(&self, op: &str, (x, axis): (Var, usize), descending: bool) -> Indices {
        let size = self.size_of_axis(op, x, axis);
        let order = |y: &mut [u32], x: &[f32], shape: &Shape| topk(y, x, shape, axis, size, descending);
        self.indices_along(op, (x, axis), self.shape(x), order)
    }

    /// The elements along `axis` in sorted order, and the indices that [`argsort`](Self::argsort) returns;
    /// `torch.sort`.
    ///
    /// # Panics
    /// When `x` does not have the axis.
    #[track_caller]
    pub fn sort(&self, x: Var, axis: usize, descending: bool) -> (Var, Indices) {
        let indices = self.order("sort", (x, axis), descending);
        (self.picked(x, axis, indices, self.shape(x)[axis]), indices)
    }

    /// The `k` largest elements along `axis`, largest first, and their indices, or the `k` smallest, smallest
    /// first, if `largest` is false; `torch.topk`. Ties keep their order; NaN counts as largest.
    ///
    /// # Panics
    /// When `x` does not have the axis, or it has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, x: Var, k: usize, axis: usize, largest: bool) -> (Var, Indices) {
        self.expect_elements("topk", x, axis, k);
        let first = |y: &mut [u32], x: &[f32], shape: &Shape| topk(y, x, shape, axis, k, largest);
        let indices = self.indices_along("topk", (x, axis), self.shape(x).with_axis(axis, k), first);
        (self.picked(x, axis, indices, k), indices)
    }

    #[track_caller]
    fn expect_elements(&self, op: &str, x: Var, axis: usize, n: usize) {
        let size = self.size_of_axis(op, x, axis);
        assert!(
            size >= n,
            "{op}{}: axis {axis} of {} has {}, fewer than the {n} requested; request fewer, or \
             choose another axis",
            self.at(),
            self.shape(x),
            count(size, "element")
        );
    }

    /// Records indices along an axis, with a shape.
    #[track_caller]
    fn indices_along(
        &self,
        op: &str,
        (x, axis): (Var, usize),
        shape: Shape,
        fill: impl FnOnce(&mut [u32], &[f32], &Shape),
    ) -> Indices {
        assert!(
            axis > 0 || !self.batch().is_in_parts() || !self.has_images(x),
            "{op}{}: along the first axis this combines several images of a batch, but only a part of the \
             batch is in this process; work along another axis",
            self.at()
        );
        let (values, x_shape) = (self.value(x), self.shape(x));
        let mut recording = self.tape.recording.borrow_mut();
        recording.push_indices(shape, |indices| fill(indices, values, &x_shape))
    }
}
