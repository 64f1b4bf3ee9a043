//! Cumulative sums, index by index.

use crate::Shape;
use crate::layout::reference::indices;

/// The sums of each element and all before it on the axis.
pub fn cumsum_forward(x: &[f64], shape: &Shape, axis: usize) -> Vec<f64> {
    sums(x, shape, axis, |other, own| other <= own)
}

/// The sums of each element and all after it on the axis.
pub fn cumsum_backward(dy: &[f64], shape: &Shape, axis: usize) -> Vec<f64> {
    sums(dy, shape, axis, |other, own| other >= own)
}

fn sums(x: &[f64], shape: &Shape, axis: usize, is_added: fn(usize, usize) -> bool) -> Vec<f64> {
    let stride = shape.strides()[axis];
    let sum = |(idx, at): (usize, usize)| {
        let others = (0..shape[axis]).filter(|&other| is_added(other, at));
        others.map(|other| x[idx + other * stride - at * stride]).sum()
    };
    indices(*shape).map(|idx| idx[axis]).enumerate().map(sum).collect()
}
