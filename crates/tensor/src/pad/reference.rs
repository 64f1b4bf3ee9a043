//! Padding, index by index.

use super::{PadMode, padded_shape};
use crate::layout::reference::indices;
use crate::{MAX_RANK, Shape};

/// `x` with a border.
pub fn pad_forward(x: &[f64], x_shape: &Shape, padding: &[[usize; 2]], mode: PadMode) -> Vec<f64> {
    let constant = if let PadMode::Constant(value) = mode { f64::from(value) } else { f64::NAN };
    let sources = indices(padded_shape(x_shape, padding)).map(|idx| source(idx, x_shape, padding, mode));
    sources.map(|source| source.map_or(constant, |source| x[source])).collect()
}

/// The sum of `dy` over the places that each element was copied to.
pub fn pad_backward(dy: &[f64], x_shape: &Shape, padding: &[[usize; 2]], mode: PadMode) -> Vec<f64> {
    let mut dx = vec![0.0; x_shape.numel()];
    for (idx, dy) in indices(padded_shape(x_shape, padding)).zip(dy) {
        if let Some(source) = source(idx, x_shape, padding, mode) {
            dx[source] += dy;
        }
    }
    dx
}

fn source(idx: [usize; MAX_RANK], x_shape: &Shape, padding: &[[usize; 2]], mode: PadMode) -> Option<usize> {
    let strides = x_shape.strides();
    let mut source = 0;
    for axis in 0..x_shape.rank() {
        let (pos, last) = (idx[axis] as isize - padding[axis][0] as isize, x_shape[axis] as isize - 1);
        let pos = match mode {
            _ if (0..=last).contains(&pos) => pos,
            PadMode::Constant(_) => return None,
            PadMode::Reflect => last - (last - pos.abs()).abs(),
            PadMode::Replicate => pos.clamp(0, last),
            PadMode::Circular => pos.rem_euclid(last + 1),
        };
        source += pos as usize * strides[axis];
    }
    Some(source)
}
