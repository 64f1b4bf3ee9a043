//! Sorting one axis with the standard library's stable sort.

use crate::Shape;
use crate::layout::reference::indices;

/// The indices of the first `k` elements along `axis`, in sorted order.
pub fn topk(x: &[f64], x_shape: &Shape, axis: usize, k: usize, descending: bool) -> Vec<u32> {
    let stride = x_shape.strides()[axis];
    let rank_of = |idx: usize, at: usize| {
        let mut order: Vec<usize> = (0..x_shape[axis]).collect();
        let value = |i: usize| x[idx + i * stride];
        order.sort_by(
            |&i, &j| if descending { value(j).total_cmp(&value(i)) } else { value(i).total_cmp(&value(j)) },
        );
        order[at] as u32
    };
    let first = indices(x_shape.with_axis(axis, k));
    first
        .map(|mut idx| {
            let at = std::mem::take(&mut idx[axis]);
            rank_of(idx.iter().zip(x_shape.strides()).map(|(i, stride)| i * stride).sum(), at)
        })
        .collect()
}
