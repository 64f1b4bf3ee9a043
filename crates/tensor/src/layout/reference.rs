//! Permuting, slicing and gathering, index by index.

use std::ops::Range;

use super::permuted_shape;
use crate::{MAX_RANK, Shape};

/// Axis `i` of the result is axis `axes[i]` of `x`.
pub fn permute(x: &[f64], x_shape: &Shape, axes: &[usize]) -> Vec<f64> {
    let strides = x_shape.strides();
    let source =
        |idx: [usize; MAX_RANK]| axes.iter().zip(idx).map(|(&axis, i)| strides[axis] * i).sum::<usize>();
    indices(permuted_shape(x_shape, axes)).map(|idx| x[source(idx)]).collect()
}

/// The elements whose index on `axis` is in `range`.
pub fn slice_forward(x: &[f64], x_shape: &Shape, axis: usize, range: Range<usize>) -> Vec<f64> {
    indices(*x_shape).zip(x).filter(|(idx, _)| range.contains(&idx[axis])).map(|(_, &x)| x).collect()
}

/// `dy` at the elements whose index on `axis` is in `range`, 0 elsewhere.
pub fn slice_backward(dy: &[f64], x_shape: &Shape, axis: usize, range: Range<usize>) -> Vec<f64> {
    let mut dy = dy.iter();
    let mut next = |inside: bool| if inside { *dy.next().expect("dy fits the range") } else { 0.0 };
    indices(*x_shape).map(|idx| next(range.contains(&idx[axis]))).collect()
}

/// `torch.gather(x, axis, picked)`.
pub fn gather_forward(x: &[f64], picked: &[u32], x_shape: &Shape, axis: usize) -> Vec<f64> {
    gather_sources(picked, x_shape, axis).map(|source| x[source]).collect()
}

/// The gradient of [`gather_forward`].
pub fn gather_backward(dy: &[f64], picked: &[u32], x_shape: &Shape, axis: usize) -> Vec<f64> {
    let mut dx = vec![0.0; x_shape.numel()];
    gather_sources(picked, x_shape, axis).zip(dy).for_each(|(source, dy)| dx[source] += dy);
    dx
}

/// Where each gathered element comes from.
fn gather_sources(picked: &[u32], x_shape: &Shape, axis: usize) -> impl Iterator<Item = usize> {
    let columns: usize =
        x_shape.iter().enumerate().filter(|&(i, _)| i != axis).map(|(_, &dim)| dim).product();
    let n_picked = picked.len().checked_div(columns).unwrap_or(0);
    let strides = x_shape.strides();
    indices(x_shape.with_axis(axis, n_picked)).zip(picked).map(move |(mut idx, &pick)| {
        idx[axis] = pick as usize;
        idx.iter().zip(strides).map(|(i, stride)| i * stride).sum()
    })
}

/// Every index of a shape, in row-major order; entries past the rank are 0.
pub(crate) fn indices(shape: Shape) -> impl Iterator<Item = [usize; MAX_RANK]> {
    let strides = shape.strides();
    (0..shape.numel()).map(move |flat| {
        let mut idx = [0; MAX_RANK];
        for axis in 0..shape.rank() {
            idx[axis] = flat / strides[axis] % shape[axis];
        }
        idx
    })
}
