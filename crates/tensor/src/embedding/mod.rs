//! Looks up rows of a table by index. The cost of the table's gradient is that of the rows used.
//!
//! Each row of the gradient is the sum of dy over the tokens with its number: within each shard in the order
//! of the tokens, with the shards combined in the tree of [`crate::parallel`]. Tokens are sorted by number
//! first, so no second table is needed, and with [`Beta::One`] unused rows cost nothing.
//!
//! Rounding error of a row: |error| ≤ tokens·ε·Σ|dy|, with ε = 2⁻²⁴.

pub(crate) mod reference;

use std::ops::Range;

use crate::parallel::{MAX_SHARDS, Shards, for_each_chunk, rows_mut, tree_mid};
use crate::shape::checked_len;
use crate::{Beta, elementwise, scratch};

/// How many numbers a task copies.
const COPY_LEN: usize = 1 << 14;

/// The number of tasks of a backward pass.
const N_TASKS: usize = 64;

/// y\[i\] = weight\[tokens\[i\]\], in rows of `dim` numbers.
///
/// # Panics
/// When a length does not fit, or a token is out of range.
#[track_caller]
pub fn embedding_forward(y: &mut [f32], weight: &[f32], tokens: &[u32], dim: usize) {
    let len = checked_len("embedding_forward", &[tokens.len(), dim]);
    assert_eq!(y.len(), len, "embedding_forward: a row of {dim} for each token");
    let outputs = rows_mut(y, dim);
    for_each_chunk(tokens.len(), (COPY_LEN / dim.max(1)).max(1), tokens.len() * dim, outputs, |range, y| {
        for (y, &token) in y.into_slice().chunks_exact_mut(dim.max(1)).zip(&tokens[range]) {
            y.copy_from_slice(&weight[token as usize * dim..][..dim]);
        }
    });
}

/// dweight\[r\] = β·dweight\[r\] + Σ dy\[i\] over the tokens i that are r; none for the token `padding`.
///
/// `order` is a buffer for the order of the tokens. Shards are those of the images, with equally many tokens
/// each.
///
/// # Panics
/// When a length does not fit.
#[track_caller]
#[expect(clippy::too_many_arguments, reason = "an output, its operands, a buffer and two options")]
pub fn embedding_backward(
    dweight: &mut [f32],
    dy: &[f32],
    tokens: &[u32],
    dim: usize,
    padding: Option<u32>,
    order: &mut Vec<u32>,
    shards: &Shards<'_>,
    beta: Beta,
) {
    let len = checked_len("embedding_backward", &[tokens.len(), dim]);
    assert_eq!(dy.len(), len, "embedding_backward: a row of {dim} for each token");
    if shards.is_exchanging() {
        return scratch::with(dweight.len(), |sum| {
            embedding_backward(sum, dy, tokens, dim, padding, order, &shards.alone(), Beta::Zero);
            shards.join(sum);
            store(dweight, sum, beta);
        });
    }
    order.clear();
    order.extend((0..tokens.len() as u32).filter(|&at| Some(tokens[at as usize]) != padding));
    order.sort_unstable_by_key(|&at| (tokens[at as usize], at));
    let table = Table { dy, tokens, dim, shards };
    let n_rows = dweight.len().checked_div(dim).unwrap_or(0);
    let work = 2 * dy.len() + if beta == Beta::Zero { dweight.len() } else { 0 };
    for_each_chunk(n_rows, n_rows.div_ceil(N_TASKS).max(1), work, rows_mut(dweight, dim), |rows, dweight| {
        table.backward(dweight.into_slice(), rows, order, beta);
    });
}

/// The data for a table's gradient.
struct Table<'a> {
    dy: &'a [f32],
    tokens: &'a [u32],
    dim: usize,
    shards: &'a Shards<'a>,
}

impl Table<'_> {
    /// Computes the gradient of some rows; `order` has all tokens in the order of their rows.
    fn backward(&self, dweight: &mut [f32], rows: Range<usize>, order: &[u32], beta: Beta) {
        let row_of = |&at: &u32| self.tokens[at as usize] as usize;
        let start = order.partition_point(|at| row_of(at) < rows.start);
        let end = order.partition_point(|at| row_of(at) < rows.end);
        beta.prepare(dweight);
        // The sum, and a partial sum for each level of the tree.
        scratch::with((MAX_SHARDS.ilog2() as usize + 2) * self.dim, |memory| {
            let (sum, partials) = memory.split_at_mut(self.dim);
            for ats in order[start..end].chunk_by(|a, b| row_of(a) == row_of(b)) {
                self.add_up(sum, partials, ats, self.shards.owned());
                store(&mut dweight[(row_of(&ats[0]) - rows.start) * self.dim..][..self.dim], sum, Beta::One);
            }
        });
    }

    /// Overwrites `sum` with the sum of dy at these tokens, which belong to some shards. A shard without any
    /// can be skipped: it would add 0 to a sum that is not −0.
    fn add_up(&self, sum: &mut [f32], partials: &mut [f32], ats: &[u32], shards: Range<usize>) {
        if shards.len() <= 1 {
            sum.fill(0.0);
            for &at in ats {
                let dy = &self.dy[at as usize * self.dim..][..self.dim];
                sum.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
            }
            return;
        }
        let (left, right) = (shards.start..tree_mid(&shards), tree_mid(&shards)..shards.end);
        let n_left = self.shards.rows_of(left.clone(), self.tokens.len()).end;
        match ats.split_at(ats.partition_point(|&at| (at as usize) < n_left)) {
            (ats, []) => self.add_up(sum, partials, ats, left),
            ([], ats) => self.add_up(sum, partials, ats, right),
            (left_ats, right_ats) => {
                let (right_sum, partials) = partials.split_at_mut(self.dim);
                self.add_up(sum, partials, left_ats, left);
                self.add_up(right_sum, partials, right_ats, right);
                sum.iter_mut().zip(right_sum).for_each(|(sum, right)| *sum += *right);
            }
        }
    }
}

/// `dst = β·dst + sum`; where the sum is 0, as in all unused rows, the existing value is kept, including a
/// zero's sign.
fn store(dst: &mut [f32], sum: &[f32], beta: Beta) {
    match beta {
        Beta::Zero => elementwise::copy_or_add(dst, sum, beta),
        Beta::One => {
            dst.iter_mut().zip(sum).for_each(|(dst, sum)| *dst = if *sum == 0.0 { *dst } else { *dst + sum });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{self, assert_within, magnitudes, to_f64};
    use crate::testing::{assert_same_on_any_threads, cases, values};

    /// Tokens, some of which occur often.
    fn tokens(n: usize, n_rows: usize, seed: u64) -> Vec<u32> {
        values(n, seed).iter().map(|v| (v * v * n_rows as f32) as u32).collect()
    }

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn rows_are_found_and_their_gradients_added_up(
            n_images in 0usize..40, per_image in 1usize..5, n_rows in 1usize..100, dim in 0usize..20, seed: u64,
        ) {
            let (n, padding) = (n_images * per_image, (seed % 2 == 0).then_some(seed as u32 % 3));
            let tokens = tokens(n, n_rows, seed);
            let (weight, dy) = (values(n_rows * dim, seed ^ 1), values(n * dim, seed ^ 2));
            let mut y = vec![f32::NAN; n * dim];
            embedding_forward(&mut y, &weight, &tokens, dim);
            assert_eq!(to_f64(&y), reference::embedding_forward(&to_f64(&weight), &tokens, dim));

            let backward = |dy: &[f64]| reference::embedding_backward(dy, &tokens, n_rows, dim, padding);
            let (expected, magnitude) = (backward(&to_f64(&dy)), backward(&magnitudes(&dy)));
            let (mut dweight, mut order) = (vec![f32::NAN; weight.len()], Vec::new());
            let shards = Shards::whole(n_images);
            let mut run = |dweight: &mut [f32], beta| {
                embedding_backward(dweight, &dy, &tokens, dim, padding, &mut order, &shards, beta);
            };
            run(&mut dweight, Beta::Zero);
            assert_within(&dweight, &expected, &magnitude, n as f64);
            let mut added = weight.clone();
            run(&mut added, Beta::One);
            let sum: Vec<f32> = weight.iter().zip(&dweight).map(|(a, b)| a + b).collect();
            assert_eq!(added, sum);
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let (n, n_rows, dim) = if cfg!(miri) { (40, 9, 8) } else { (4096, 65, 40) };
        let (tokens, dy) = (tokens(n, n_rows, 1), values(n * dim, 2));
        assert_same_on_any_threads(|| {
            let (mut dweight, shards) = (vec![1.0; n_rows * dim], Shards::whole(n / 8));
            embedding_backward(&mut dweight, &dy, &tokens, dim, None, &mut Vec::new(), &shards, Beta::One);
            dweight
        });
    }
}
