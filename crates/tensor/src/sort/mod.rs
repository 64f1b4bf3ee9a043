//! The order of the elements along an axis.

pub(crate) mod reference;

use std::cmp::Ordering;

use crate::parallel::{for_each_chunk, rows_mut};
use crate::reduce::split_at_axis;
use crate::{Shape, scratch};

/// The number of elements per task.
const TASK_LEN: usize = 1 << 12;

/// Writes the indices along `axis` of the `k` smallest elements, smallest first, or of the largest, largest
/// first, if `descending`. Ties keep their order, and NaN counts as largest. With `k` the size of the axis,
/// this sorts all elements.
///
/// `y` has the shape of `x` except for the axis, whose size is `k`.
///
/// # Panics
/// When there is no such axis, it has fewer than `k` elements, or a length does not fit.
#[track_caller]
pub fn topk(y: &mut [u32], x: &[f32], x_shape: &Shape, axis: usize, k: usize, descending: bool) {
    let (outer, n, inner) = split_at_axis(x_shape, axis);
    assert!(k <= n, "topk: axis {axis} of {x_shape} does not have {k} elements");
    assert_eq!(x.len(), x_shape.numel(), "topk: number of elements for shape {x_shape}");
    assert_eq!(y.len(), outer * k * inner, "topk: number of results for {k} of axis {axis} of {x_shape}");
    // Indices are stored in float buffers as their bits; these must not be those of a NaN, which might
    // change.
    assert!(n < f32::INFINITY.to_bits() as usize, "topk: axis {axis} of {x_shape} is too long");
    if y.is_empty() {
        return;
    }
    let chunk = (TASK_LEN / (n * inner)).max(1);
    for_each_chunk(outer, chunk, 16 * x.len(), rows_mut(y, k * inner), |blocks, y| {
        scratch::with(n, |order| {
            for (y, block) in y.into_slice().chunks_exact_mut(k * inner).zip(blocks) {
                for column in 0..inner {
                    let x = &x[block * n * inner + column..];
                    let first = first_of(order, |idx| x[idx * inner], k, descending);
                    for (i, idx) in first.iter().enumerate() {
                        y[i * inner + column] = idx.to_bits();
                    }
                }
            }
        });
    });
}

/// The bits of the indices of the first `k` elements, in sorted order.
fn first_of(order: &mut [f32], x: impl Fn(usize) -> f32, k: usize, descending: bool) -> &[f32] {
    order.iter_mut().enumerate().for_each(|(idx, bits)| *bits = f32::from_bits(idx as u32));
    let compare = |a: &f32, b: &f32| {
        let [a, b] = [a, b].map(|bits| bits.to_bits() as usize);
        let order = compare_nan_last(x(a), x(b));
        (if descending { order.reverse() } else { order }).then(a.cmp(&b))
    };
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, compare);
    }
    // Since no two compare as equal, an unstable sort gives the stable order, and allocates nothing.
    order[..k].sort_unstable_by(compare);
    &order[..k]
}

/// Compares numbers in the order in which −0 equals 0 and NaN is larger than all others.
fn compare_nan_last(a: f32, b: f32) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
