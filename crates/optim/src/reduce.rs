//! Sums and norms that do not depend on the number of threads.
//!
//! The order of additions depends only on the length: 64 running sums within a chunk, and the chunks are
//! joined in a binary tree. Terms are formed and added in f64, where the square of an f32 neither overflows
//! nor underflows. Squares of f64 may; the norm is then recomputed from the elements divided by the largest.

use std::ops::Range;

use rayon::prelude::*;

use crate::Real;
use crate::elementwise::CHUNK;
use simd::{Kernel, Level, Simd, dispatch};

const LANES: usize = 64;

/// Sums `part` over the pieces of `range` in a fixed binary tree; a leaf has at most `leaf_len` items.
pub(crate) fn tree_sum<const K: usize>(
    range: Range<usize>,
    leaf_len: usize,
    part: &(impl Fn(Range<usize>) -> [f64; K] + Sync),
) -> [f64; K] {
    if range.len() <= leaf_len {
        return part(range);
    }
    let mid = range.start + (range.len() / 2).next_multiple_of(LANES.min(leaf_len));
    let (left, right) = rayon::join(
        || tree_sum(range.start..mid, leaf_len, part),
        || tree_sum(mid..range.end, leaf_len, part),
    );
    std::array::from_fn(|k| left[k] + right[k])
}

/// K sums over the coordinates of N equally long slices, in one pass.
pub(crate) fn sums<F: Real, const N: usize, const K: usize>(
    slices: [&[F]; N],
    terms: impl Fn([F; N]) -> [f64; K] + Copy + Send + Sync,
) -> [f64; K] {
    tree_sum(0..slices[0].len(), CHUNK, &|range: Range<usize>| {
        dispatch(Level::current(), Sums { slices: slices.map(|slice| &slice[range.clone()]), terms })
    })
}

/// x², in f64.
#[inline(always)]
pub(crate) fn square<F: Real>(x: F) -> f64 {
    x.to_f64() * x.to_f64()
}

/// Σ x².
pub(crate) fn sum_of_squares<F: Real>(x: &[F]) -> f64 {
    let [sum] = sums([x], move |[x]| [square(x)]);
    sum
}

/// Σ x·y.
pub(crate) fn dot<F: Real>(x: &[F], y: &[F]) -> f64 {
    let [sum] = sums([x, y], move |[x, y]| [x.to_f64() * y.to_f64()]);
    sum
}

/// √Σx², accurate for any norm that f64 can represent.
pub(crate) fn l2_norm<F: Real>(x: &[F]) -> f64 {
    l2_norm_of(x, sum_of_squares(x))
}

/// √Σx² when Σx² is already known.
pub(crate) fn l2_norm_of<F: Real>(x: &[F], sum: f64) -> f64 {
    if is_exact(sum) { sum.sqrt() } else { scaled_norm(|| std::iter::once(x), |x| x * x, f64::sqrt) }
}

/// √Σu² of the terms u over the coordinates of N equally long slices, when Σu² is already known.
pub(crate) fn l2_norm_of_terms<F: Real, const N: usize>(
    slices: [&[F]; N],
    sum: f64,
    term: impl Fn([F; N]) -> F + Copy + Send + Sync,
) -> f64 {
    if is_exact(sum) {
        return sum.sqrt();
    }
    let terms = (0..slices[0].len()).map(|idx| term(slices.map(|slice| slice[idx])));
    let largest = terms.fold(F::ZERO, |largest, u| largest.larger(u.abs())).to_f64();
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let [sum] = sums(slices, move |at| [square(term(at).to_f64() / largest)]);
    largest * sum.sqrt()
}

/// (Σ|x|ᵖ)^(1/p) of several vectors as if they were one; `power` maps |x| to |x|ᵖ and `root` is its inverse.
pub(crate) fn norm<'a, F: Real, I: Iterator<Item = &'a [F]>>(
    parts: impl Fn() -> I,
    power: impl Fn(f64) -> f64 + Copy + Send + Sync,
    root: impl Fn(f64) -> f64,
) -> f64 {
    let sum = parts().map(|x| sums([x], move |[x]| [power(x.abs().to_f64())])[0]).sum();
    if is_exact(sum) { root(sum) } else { scaled_norm(parts, power, root) }
}

/// The norm of the elements divided by the largest, times the largest.
fn scaled_norm<'a, F: Real, I: Iterator<Item = &'a [F]>>(
    parts: impl Fn() -> I,
    power: impl Fn(f64) -> f64 + Copy + Send + Sync,
    root: impl Fn(f64) -> f64,
) -> f64 {
    let largest = parts().fold(0.0, |max: f64, x| max.larger(largest(x)));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let sum = parts().map(|x| sums([x], move |[x]| [power(x.abs().to_f64() / largest)])[0]).sum();
    largest * root(sum)
}

/// Whether a sum of powers has not overflowed and is so far above the smallest numbers that no significant
/// term has lost digits to underflow.
fn is_exact(sum: f64) -> bool {
    const FAR_ABOVE: f64 = f64::MIN_POSITIVE * (1u64 << 62) as f64;
    (FAR_ABOVE..=f64::MAX).contains(&sum)
}

/// max |x|; NaN if any element is NaN.
pub(crate) fn largest<F: Real>(x: &[F]) -> f64 {
    x.iter().fold(F::ZERO, |largest, x| largest.larger(x.abs())).to_f64()
}

/// x·to/from, accurate even when the factor to/from is too small for `F` to hold its digits.
pub(crate) fn rescale<F: Real>(x: &mut [F], to: f64, from: f64) {
    let factor = F::of(to / from);
    let is_subnormal = factor < F::MIN_POSITIVE && to > 0.0 && from.is_finite();
    let scale = |x: &mut [F]| {
        if is_subnormal {
            x.iter_mut().for_each(|x| *x = F::of(x.to_f64() / from * to));
        } else {
            x.iter_mut().for_each(|x| *x *= factor);
        }
    };
    if x.len() <= CHUNK { scale(x) } else { x.par_chunks_mut(CHUNK).for_each(scale) }
}

struct Sums<'a, F, const N: usize, T> {
    slices: [&'a [F]; N],
    terms: T,
}

impl<F: Real, const N: usize, const K: usize, T: Fn([F; N]) -> [f64; K]> Kernel for Sums<'_, F, N, T> {
    type Output = [f64; K];

    /// Computes the terms of a block first, then their sums: two loops that vectorise.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> [f64; K] {
        let len = self.slices[0].len();
        let slices = self.slices.map(|slice| slice[..len].as_chunks::<LANES>());
        let mut running = [[0.0; LANES]; K];
        for block_idx in 0..len / LANES {
            let block = slices.map(|(blocks, _)| blocks[block_idx]);
            let mut terms = [[0.0; LANES]; K];
            for lane in 0..LANES {
                let term = (self.terms)(std::array::from_fn(|idx| block[idx][lane]));
                for k in 0..K {
                    terms[k][lane] = term[k];
                }
            }
            for k in 0..K {
                for lane in 0..LANES {
                    running[k][lane] += terms[k][lane];
                }
            }
        }
        for lane in 0..len % LANES {
            let term = (self.terms)(slices.map(|(_, rest)| rest[lane]));
            for k in 0..K {
                running[k][lane] += term[k];
            }
        }
        // Skip the lanes to which nothing was added: in a short slice they would dominate the cost.
        running.map(|lanes| lanes[..len.clamp(1, LANES)].iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right_at_awkward_lengths() {
        for n in [0, 1, 15, 16, 17, 1000, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            let x: Vec<f64> = (0..n).map(|i| (i as f64 * 0.37).sin()).collect();
            let y: Vec<f64> = (0..n).map(|i| (i as f64 * 0.11).cos()).collect();
            let plain: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            assert!((dot(&x, &y) - plain).abs() < 1e-9 * (1.0 + n as f64).sqrt(), "n = {n}");
        }
    }

    #[test]
    fn sums_have_the_same_bits_on_any_number_of_threads() {
        let x: Vec<f32> = (0..5 * CHUNK + 3).map(|i| (i as f32 * 0.37).sin()).collect();
        let on = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| sum_of_squares(&x)).to_bits()
        };
        assert_eq!((on(1), on(1)), (on(2), on(7)));
    }
}
