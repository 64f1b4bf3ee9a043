//! Computes weights from scores, a block of keys × queries at a time: masks, the running maximum and sum,
//! dropout.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use keyed_random::{splitmix64, unit};
use simd::{Kernel, LANES, Level, Simd, Vector, dispatch};

use super::WeightDropout;
use super::head::{Head, QUERIES};
use super::product::{Factor, Product};
use crate::transpose::read_transposed;

/// A block's position: its keys and queries, by their numbers in the head.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) keys: Range<usize>,
    pub(super) queries: Range<usize>,
}

impl Block {
    pub(super) fn n_vecs(&self) -> usize {
        self.queries.len().div_ceil(LANES)
    }
}

impl Head<'_> {
    /// Computes the masked scores of a block; `keys` are the packed keys, `queries` the packed queries,
    /// transposed.
    pub(super) fn scores(
        &self,
        level: Level,
        scores: &mut [f32],
        keys: &[f32],
        queries: &[f32],
        block: &Block,
    ) {
        let dim = self.shape.head_dim;
        dispatch(
            level,
            Product {
                c: scores,
                c_stride: QUERIES,
                a: keys,
                a_strides: [super::head::padded(dim), 1],
                b: queries,
                b_stride: QUERIES,
                sizes: [block.keys.len(), dim, block.n_vecs()],
                factor: Factor::Zero,
            },
        );
        for mask in self.scoring.masks.iter().flatten() {
            let (values, query_stride) = mask.of_head(self.place());
            dispatch(level, AddMask { scores, values, query_stride, block });
        }
        if self.scoring.is_causal {
            // Key by key: the queries before it.
            for (scores, key) in scores.chunks_exact_mut(QUERIES).zip(block.keys.clone()) {
                let n_before = key.saturating_sub(block.queries.start).min(QUERIES);
                scores[..n_before].fill(f32::NEG_INFINITY);
            }
        }
    }

    /// Calls `f(place in the block, factor)` for each weight of a block: the factor is 1 / (1 − p) if it is
    /// kept, 0 if it is dropped.
    pub(super) fn dropout(&self, dropout: WeightDropout, block: &Block, mut f: impl FnMut(usize, f32)) {
        let (kept, first) = (1.0 / (1.0 - dropout.p), self.idx * self.shape.queries);
        for (row, key) in block.keys.clone().enumerate() {
            for (lane, query) in block.queries.clone().enumerate() {
                let weight = (first + query) * self.shape.keys + key;
                let is_kept = unit(splitmix64(dropout.key, weight as u64)) >= dropout.p;
                f(row * QUERIES + lane, if is_kept { kept } else { 0.0 });
            }
        }
    }
}

/// `scores += log₂ e · mask`.
struct AddMask<'a> {
    scores: &'a mut [f32],
    /// The mask of the head.
    values: &'a [f32],
    query_stride: usize,
    block: &'a Block,
}

impl Kernel for AddMask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { scores, values, query_stride, block: Block { keys, queries } } = self;
        let unit = simd.splat(LOG2_E);
        for first in (0..queries.len()).step_by(LANES) {
            let values = &values[(queries.start + first) * query_stride..];
            for start in (0..keys.len()).step_by(LANES) {
                let n_keys = LANES.min(keys.len() - start);
                let values = &values[keys.start + start..];
                let columns = if query_stride == 0 {
                    let mut columns = [simd.zero(); LANES];
                    for key in 0..LANES {
                        if key < n_keys {
                            columns[key] = simd.splat(values[key]);
                        }
                    }
                    columns
                } else {
                    let n_queries = LANES.min(queries.len() - first);
                    read_transposed(simd, values, query_stride, n_queries, n_keys)
                };
                for key in 0..LANES {
                    if key < n_keys {
                        let scores = &mut scores[(start + key) * QUERIES + first..][..LANES];
                        (simd.read(scores) + columns[key] * unit).write(scores);
                    }
                }
            }
        }
    }
}

// ANCHOR: softmax
/// Turns scores into weights, not yet divided by their sum, and updates maximum and sum with this block.
pub(super) struct Softmax<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) n_keys: usize,
    pub(super) n_vecs: usize,
    /// The maximum of each query over the blocks so far; −∞ before the first.
    pub(super) max: &'a mut [f32],
    /// Σ 2^(scores − max).
    pub(super) sum: &'a mut [f32],
    /// The factor by which y and the sum shrink as the maximum grows.
    pub(super) factor: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { scores, n_keys, n_vecs, max, sum, factor } = self;
        for first in (0..n_vecs).map(|vec| vec * LANES) {
            let column = &mut scores[first..(n_keys - 1) * QUERIES + first + LANES];
            let [max, sum, factor] =
                [&mut *max, &mut *sum, &mut *factor].map(|row| &mut row[first..][..LANES]);
            let old = simd.read(max);
            let mut new = old;
            for row in column.chunks(QUERIES) {
                // A NaN is ignored here, and makes its weight NaN below.
                new = simd.read(&row[..LANES]).max(new);
            }
            // If all keys so far are hidden, any finite number works: 2^(−∞ − it) is 0.
            let shift = S::V::select(new.gt(simd.splat(f32::NEG_INFINITY)), new, simd.zero());
            let shrink = exp2(simd, old - shift);
            let mut total = simd.read(sum) * shrink;
            for row in column.chunks_mut(QUERIES) {
                let weight = exp2(simd, simd.read(&row[..LANES]) - shift);
                total = total + weight;
                weight.write(&mut row[..LANES]);
            }
            new.write(max);
            total.write(sum);
            shrink.write(factor);
        }
    }
}

// ANCHOR_END: softmax

/// Turns scores into weights, given the logarithm of their sum.
pub(super) struct Weights<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) n_keys: usize,
    pub(super) n_vecs: usize,
    pub(super) log_sums: &'a [f32],
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { scores, n_keys, n_vecs, log_sums } = self;
        for scores in scores[..n_keys * QUERIES].chunks_exact_mut(QUERIES) {
            for first in (0..n_vecs).map(|vec| vec * LANES) {
                let scores = &mut scores[first..][..LANES];
                exp2(simd, simd.read(scores) - simd.read(&log_sums[first..][..LANES])).write(scores);
            }
        }
    }
}

/// `dweights = weights · (dweights − delta)`: the gradient of the scores, except for the scale.
pub(super) struct ScoreGradient<'a> {
    pub(super) dweights: &'a mut [f32],
    pub(super) weights: &'a [f32],
    pub(super) n_keys: usize,
    pub(super) n_vecs: usize,
    /// Σ dy · y of each query, which is Σ weights · dweights.
    pub(super) delta: &'a [f32],
}

impl Kernel for ScoreGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { dweights, weights, n_keys, n_vecs, delta } = self;
        let rows = dweights.chunks_exact_mut(QUERIES).zip(weights.chunks_exact(QUERIES));
        for (dweights, weights) in rows.take(n_keys) {
            for first in (0..n_vecs).map(|vec| vec * LANES) {
                let dweights = &mut dweights[first..][..LANES];
                let delta = simd.read(&delta[first..][..LANES]);
                (simd.read(&weights[first..][..LANES]) * (simd.read(dweights) - delta)).write(dweights);
            }
        }
    }
}

/// 2ˣ for x ≤ 127, with a relative error of at most 1.5 ε; 1 for 0, and 0 below 2⁻¹²⁶. NaN stays NaN.
#[inline(always)]
pub(super) fn exp2<S: Simd>(simd: S, x: S::V) -> S::V {
    // Adding it leaves no bits below 1, which rounds to the nearest integer.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    // A minimax fit of (2ᶠ − 1) / f for |f| ≤ ½, with an error of 9e-9 in 2ᶠ.
    const FIT: [f32; 6] = [1.545_316_3e-4, 1.339_086_3e-3, 9.618_083e-3, 5.550_357e-2, 0.240_226_5, LN_2];
    // x second, so that NaN is returned if x is NaN.
    let x = simd.splat(-127.0).max(x);
    let n = (x + simd.splat(ROUND)) - simd.splat(ROUND);
    let f = x - n;
    let mut fit = simd.splat(FIT[0]);
    for coefficient in &FIT[1..] {
        fit = fit.mul_add(f, simd.splat(*coefficient));
    }
    fit.mul_add(f, simd.splat(1.0)) * n.power_of_two()
}
