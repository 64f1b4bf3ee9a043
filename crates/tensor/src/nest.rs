//! A loop nest over strided operands, used for broadcasting and permuting.

use std::ops::Range;

use crate::{MAX_RANK, Shape};

/// A loop nest over a shape with `N` operands, with as few loops as their strides allow.
///
/// Axes of size 1 are dropped and neighbouring axes are merged where every operand steps through them evenly,
/// so that the innermost row is as long as possible.
pub(crate) struct Nest<const N: usize> {
    /// Outermost first; the last entry is the innermost row.
    dims: [usize; MAX_RANK],
    strides: [[usize; MAX_RANK]; N],
    rank: usize,
}

impl<const N: usize> Nest<N> {
    pub(crate) fn new(shape: &Shape, strides: [[usize; MAX_RANK]; N]) -> Self {
        let mut nest = Self { dims: [1; MAX_RANK], strides: [[0; MAX_RANK]; N], rank: 0 };
        for (axis, &dim) in shape.iter().enumerate().filter(|&(_, &dim)| dim != 1) {
            let mergeable =
                nest.rank > 0 && (0..N).all(|op| nest.strides[op][nest.rank - 1] == strides[op][axis] * dim);
            if mergeable {
                nest.dims[nest.rank - 1] *= dim;
            } else {
                nest.dims[nest.rank] = dim;
                nest.rank += 1;
            }
            for (merged, strides) in nest.strides.iter_mut().zip(&strides) {
                merged[nest.rank - 1] = strides[axis];
            }
        }
        nest.rank = nest.rank.max(1);
        nest
    }

    /// The number of elements of the innermost row.
    pub(crate) fn row_len(&self) -> usize {
        self.dims[self.rank - 1]
    }

    /// The step of each operand within the innermost row.
    pub(crate) fn row_strides(&self) -> [usize; N] {
        self.strides.map(|strides| strides[self.rank - 1])
    }

    /// The number of innermost rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.dims[..self.rank - 1].iter().product()
    }

    /// Where each operand's row starts, for the given rows in row-major order.
    pub(crate) fn row_starts(&self, rows: Range<usize>) -> impl Iterator<Item = [usize; N]> {
        let outer = self.rank - 1;
        let mut idx = [0; MAX_RANK];
        let mut rest = rows.start;
        for axis in (0..outer).rev() {
            idx[axis] = rest % self.dims[axis].max(1);
            rest /= self.dims[axis].max(1);
        }
        let mut starts = self.strides.map(|strides| (0..outer).map(|axis| idx[axis] * strides[axis]).sum());
        rows.map(move |_| {
            let current = starts;
            for axis in (0..outer).rev() {
                idx[axis] += 1;
                let wraps = idx[axis] == self.dims[axis];
                for (start, strides) in starts.iter_mut().zip(&self.strides) {
                    *start += strides[axis];
                    if wraps {
                        *start -= strides[axis] * self.dims[axis];
                    }
                }
                if !wraps {
                    break;
                }
                idx[axis] = 0;
            }
            current
        })
    }
}
