//! Broadcasting and its adjoint, index by index.

use crate::layout::reference::indices;
use crate::{MAX_RANK, Shape};

/// `x` repeated to `y_shape`.
pub fn broadcast_forward(x: &[f64], x_shape: &Shape, y_shape: &Shape) -> Vec<f64> {
    indices(*y_shape).map(|idx| x[broadcast_source(&idx, x_shape, y_shape)]).collect()
}

/// `dy` summed to `x_shape`.
pub fn reduce_to_shape(dy: &[f64], x_shape: &Shape, y_shape: &Shape) -> Vec<f64> {
    let mut dx = vec![0.0; x_shape.numel()];
    for (idx, dy) in indices(*y_shape).zip(dy) {
        dx[broadcast_source(&idx, x_shape, y_shape)] += dy;
    }
    dx
}

fn broadcast_source(y_idx: &[usize; MAX_RANK], x_shape: &Shape, y_shape: &Shape) -> usize {
    let (missing, strides) = (y_shape.rank() - x_shape.rank(), x_shape.strides());
    (0..x_shape.rank())
        .map(|axis| if x_shape[axis] == 1 { 0 } else { y_idx[missing + axis] * strides[axis] })
        .sum()
}
