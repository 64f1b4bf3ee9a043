//! What happens to a sum between the registers and memory: bias, ReLU, accumulation.

use std::ops::Range;

use crate::Beta;
use simd::{LANES, Simd, Vector};

/// What happens to a sum before it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// Added to the sum, one per column.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether negative sums become zero.
    pub(crate) relu: bool,
    /// Whether the existing value is added.
    pub(crate) beta: Beta,
}

impl<'a> Finish<'a> {
    /// Only the sum: `β·c + sum`.
    pub(crate) fn sum(beta: Beta) -> Self {
        Self { bias: None, relu: false, beta }
    }

    /// The same, for some of the columns.
    pub(crate) fn of(self, cols: Range<usize>) -> Self {
        Self { bias: self.bias.map(|bias| &bias[cols]), ..self }
    }

    /// Stores the sums of neighbouring columns from `col` on, up to the end of `dst`.
    #[inline(always)]
    pub(crate) fn store<S: Simd, const VECS: usize>(
        &self,
        simd: S,
        sums: &[S::V; VECS],
        dst: &mut [f32],
        col: usize,
    ) {
        for vec in 0..VECS {
            let first = col + vec * LANES;
            if first >= dst.len() {
                break;
            }
            let last = dst.len().min(first + LANES);
            let mut value = sums[vec];
            if let Some(bias) = self.bias {
                value = value + simd.read(&bias[first..last]);
            }
            if self.relu {
                value = value.relu();
            }
            let dst = &mut dst[first..last];
            if self.beta == Beta::One {
                value = value + simd.read(dst);
            }
            value.write(dst);
        }
    }
}
