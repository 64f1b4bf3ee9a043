//! Reductions of tensors over axes, and softmax along one.

use super::Tensor;
use crate::broadcast::reduce_to_shape;
use crate::layout::inverse_permutation;
use crate::reduce::{Reduction, argmax, fold_to_shape, max_nan, min_nan};
use crate::{Axes, Beta, loss};

impl Tensor {
    /// The sum over the given axes, accumulated in f64; `keepdim` keeps them with size 1.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>, keepdim: bool) -> Tensor {
        self.reduce(axes.into(), keepdim, Reduction::Sum)
    }

    /// The mean over the given axes, accumulated in f64; NaN for no elements.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>, keepdim: bool) -> Tensor {
        self.reduce(axes.into(), keepdim, Reduction::Mean)
    }

    #[track_caller]
    fn reduce(&self, axes: Axes, keepdim: bool, reduction: Reduction) -> Tensor {
        let kept = axes.kept(&self.shape);
        let mut y = Tensor::zeros(kept);
        reduce_to_shape(&mut y.data, &self.data, &kept, &self.shape, reduction, None, Beta::Zero);
        self.finish(y, axes, keepdim)
    }

    /// The largest element over the given axes; propagates NaN.
    ///
    /// # Panics
    /// When there is no such axis, or no element to choose from.
    #[track_caller]
    pub fn max(&self, axes: impl Into<Axes>, keepdim: bool) -> Tensor {
        self.extreme("max", axes.into(), keepdim, f32::NEG_INFINITY, max_nan)
    }

    /// The smallest element over the given axes; propagates NaN.
    ///
    /// # Panics
    /// When there is no such axis, or no element to choose from.
    #[track_caller]
    pub fn min(&self, axes: impl Into<Axes>, keepdim: bool) -> Tensor {
        self.extreme("min", axes.into(), keepdim, f32::INFINITY, min_nan)
    }

    #[track_caller]
    fn extreme(&self, name: &str, axes: Axes, keepdim: bool, init: f32, f: fn(f32, f32) -> f32) -> Tensor {
        let kept = axes.kept(&self.shape);
        assert!(
            kept.numel() == 0 || self.shape.numel() > 0,
            "Tensor::{name}: shape {} has no elements to choose from",
            self.shape
        );
        let mut y = Tensor::zeros(kept);
        fold_to_shape(&mut y.data, &self.data, &kept, &self.shape, init, f);
        self.finish(y, axes, keepdim)
    }

    #[track_caller]
    fn finish(&self, y: Tensor, axes: Axes, keepdim: bool) -> Tensor {
        if keepdim { y } else { y.reshape(axes.removed(&self.shape)) }
    }

    /// The index of the largest element along an axis, for each index of the other axes in row-major order.
    /// Of ties, the first; NaN counts as largest.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmax(&self, axis: usize) -> Vec<u32> {
        let mut y = vec![0; Axes::from(axis).kept(&self.shape).numel()];
        argmax(&mut y, &self.data, &self.shape, axis);
        y
    }

    /// exp(x) / Σ exp(x) along an axis.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn softmax(&self, axis: usize) -> Tensor {
        self.along(axis, loss::softmax_forward)
    }

    /// x − ln Σ exp(x) along an axis.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: usize) -> Tensor {
        self.along(axis, loss::log_softmax_forward)
    }

    /// Applies a kernel on rows × columns with the axis as the columns.
    #[track_caller]
    fn along(&self, axis: usize, kernel: fn(&mut [f32], &[f32], usize, usize)) -> Tensor {
        let rank = self.shape.rank();
        assert!(axis < rank, "shape {} has no axis {axis}; it has {rank} axes", self.shape);
        let rows_by_cols = |x: &Tensor| {
            let cols = x.shape[rank - 1];
            let mut y = Tensor::zeros(x.shape);
            kernel(&mut y.data, &x.data, x.data.len() / cols.max(1), cols);
            y
        };
        let axes: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
        rows_by_cols(&self.permute(&axes)).permute(&inverse_permutation(&axes)[..rank])
    }
}
