//! Rearranging tensors: permute, slice, concatenate, gather.

use std::ops::Range;

use super::Tensor;
use crate::layout::{concat_part, gather_forward, permute, permuted_shape, slice_forward};
use crate::{Axes, Beta};

impl Tensor {
    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of this tensor.
    ///
    /// # Panics
    /// When `axes` is not a permutation of the axes.
    #[track_caller]
    pub fn permute(&self, axes: &[usize]) -> Tensor {
        let mut y = Tensor::zeros(permuted_shape(&self.shape, axes));
        permute(&mut y.data, &self.data, &self.shape, axes, Beta::Zero);
        y
    }

    /// Swaps two axes.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn transpose(&self, axis_a: usize, axis_b: usize) -> Tensor {
        let rank = self.shape.rank();
        assert!(
            axis_a < rank && axis_b < rank,
            "Tensor::transpose: shape {} does not have axes {axis_a} and {axis_b}",
            self.shape
        );
        let mut axes: Vec<usize> = (0..rank).collect();
        axes.swap(axis_a, axis_b);
        self.permute(&axes)
    }

    /// The elements whose index on `axis` is in `range`.
    ///
    /// # Panics
    /// When the axis or the range is out of bounds.
    #[track_caller]
    pub fn slice(&self, axis: usize, range: Range<usize>) -> Tensor {
        let mut y = Tensor::zeros(self.shape.with_axis(axis, range.len()));
        slice_forward(&mut y.data, &self.data, &self.shape, axis, range, Beta::Zero);
        y
    }

    /// Concatenates tensors along an axis.
    ///
    /// # Panics
    /// When there are no tensors, there is no such axis, or the sizes of another axis differ.
    #[track_caller]
    pub fn concat(tensors: &[&Tensor], axis: usize) -> Tensor {
        let [first, ..] = tensors else { panic!("Tensor::concat: no tensors to concatenate") };
        for other in tensors {
            assert!(
                axis < first.shape.rank()
                    && other.shape.rank() == first.shape.rank()
                    && other.shape.with_axis(axis, 0) == first.shape.with_axis(axis, 0),
                "Tensor::concat: shapes {} and {} do not fit along axis {axis}",
                first.shape,
                other.shape
            );
        }
        let total = tensors.iter().map(|tensor| tensor.shape[axis]).sum();
        let mut y = Tensor::zeros(first.shape.with_axis(axis, total));
        let mut start = 0;
        for tensor in tensors {
            let end = start + tensor.shape[axis];
            concat_part(&mut y.data, &tensor.data, &y.shape, axis, start..end);
            start = end;
        }
        y
    }

    /// Picks elements along an axis, like `torch.gather`: the result at index `i` is this tensor at `i` with
    /// the entry for `axis` replaced by `indices` at `i`.
    ///
    /// `indices` is row-major and has the sizes of this tensor except for the axis, whose size follows from
    /// their number. The indices of [`Tensor::argmax`] pick one element each.
    ///
    /// # Panics
    /// When an index is out of bounds, there is no such axis, or the number of indices does not fit.
    #[track_caller]
    pub fn gather(&self, axis: usize, indices: &[u32]) -> Tensor {
        let columns = Axes::from(axis).kept(&self.shape).numel();
        let n_picked = indices.len().checked_div(columns).unwrap_or(0);
        let mut y = Tensor::zeros(self.shape.with_axis(axis, n_picked));
        assert_eq!(
            y.data.len(),
            indices.len(),
            "Tensor::gather: the number of indices is not a multiple of {columns}, for axis {axis} of {}",
            self.shape
        );
        gather_forward(&mut y.data, &self.data, indices, &self.shape, axis);
        y
    }
}
