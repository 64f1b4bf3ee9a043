//! The pass of backward over rows: the gradients of rows, and sums over the batch for weight and bias.

use std::ops::Range;

use crate::parallel::{Shards, SplitRows, for_each_chunk, rows_mut, tree_mid};
use crate::{Beta, elementwise, scratch};

/// The maximum number of pieces that a shard is split into.
const MAX_PIECES: usize = 16;

/// The rows of a batch and the gradient of their inputs, if needed.
pub(super) struct Rows<'a> {
    pub(super) n_rows: usize,
    pub(super) row_len: usize,
    pub(super) dx: Option<&'a mut [f32]>,
    /// The work in units of [`MIN_PARALLEL_WORK`](crate::parallel::MIN_PARALLEL_WORK).
    pub(super) work: usize,
    /// Fewer rows than this do not get their own sums.
    pub(super) min_rows: usize,
}

impl Rows<'_> {
    /// Calls `leaf(rows, their dx, sums)` for pieces of the shards, in parallel, each with `n_sums` sums to
    /// add to, which start at 0; passes the totals of the whole batch to `finish`.
    ///
    /// Sums are f64 and combined in the tree of [`crate::parallel`]; a shard's pieces are determined by the
    /// whole batch.
    pub(super) fn sum(
        self,
        shards: &Shards<'_>,
        n_sums: usize,
        leaf: impl Fn(Range<usize>, Option<&mut [f32]>, &mut [f64]) + Sync,
        finish: impl FnOnce(&[f64]),
    ) {
        let Self { n_rows, row_len, dx, work, min_rows } = self;
        let owned = shards.owned();
        let per_shard = shards.rows_of_batch(n_rows) / shards.n_shards().max(1);
        let n_pieces = (per_shard / min_rows).clamp(1, MAX_PIECES);
        let start = |piece: usize| {
            let shard = owned.start + piece / n_pieces;
            if shard == owned.end {
                return n_rows;
            }
            let rows = shards.rows_of(shard..shard + 1, n_rows);
            rows.start + rows.len() * (piece % n_pieces) / n_pieces
        };
        let n_all = owned.len() * n_pieces;
        scratch::with_f64(n_all.max(1) * n_sums, |sums| {
            if n_all == 0 {
                sums.fill(0.0);
            }
            let dx = dx.map(|data| ByPiece { data, row_len, first: 0, start: &start });
            for_each_chunk(n_all, 1, work, (dx, rows_mut(sums, n_sums)), |piece, (dx, sums)| {
                let sums = sums.into_slice();
                sums.fill(0.0);
                leaf(start(piece.start)..start(piece.end), dx.map(|rows| rows.data), sums);
            });
            if n_sums > 0 {
                add_up(sums, n_sums, n_pieces);
                shards.join_f64(&mut sums[..n_sums], &add);
            }
            finish(&sums[..n_sums]);
        });
    }
}

/// Rows that are split where pieces begin.
struct ByPiece<'a, F> {
    data: &'a mut [f32],
    row_len: usize,
    /// The first piece in these rows.
    first: usize,
    start: &'a F,
}

impl<F: Fn(usize) -> usize + Sync> SplitRows for ByPiece<'_, F> {
    fn split_rows(self, n_pieces: usize) -> (Self, Self) {
        let Self { data, row_len, first, start } = self;
        let second = first + n_pieces;
        let (head, tail) = data.split_at_mut((start(second) - start(first)) * row_len);
        (Self { data: head, row_len, first, start }, Self { data: tail, row_len, first: second, start })
    }
}

/// Adds the sums of all pieces to those of the first: sequentially within a shard, shards in the tree.
fn add_up(sums: &mut [f64], n_sums: usize, n_pieces: usize) {
    let n_shards = sums.len() / (n_sums * n_pieces);
    if n_shards < 2 {
        let (first, rest) = sums.split_at_mut(n_sums);
        return rest.chunks_exact(n_sums).for_each(|piece| add(first, piece));
    }
    let (left, right) = sums.split_at_mut(tree_mid(&(0..n_shards)) * n_pieces * n_sums);
    add_up(left, n_sums, n_pieces);
    add_up(right, n_sums, n_pieces);
    add(&mut left[..n_sums], &right[..n_sums]);
}

fn add(into: &mut [f64], from: &[f64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
}

/// out = β·out + sums, rounded once.
pub(super) fn write(out: Option<(&mut [f32], Beta)>, sums: &[f64]) {
    if let Some((out, beta)) = out {
        scratch::with(sums.len(), |rounded| {
            rounded.iter_mut().zip(sums).for_each(|(rounded, &sum)| *rounded = sum as f32);
            elementwise::copy_or_add(out, rounded, beta);
        });
    }
}

/// Separates a gradient and its β.
pub(super) fn apart(gradient: Option<(&mut [f32], Beta)>) -> (Option<&mut [f32]>, Beta) {
    gradient.map_or((None, Beta::Zero), |(data, beta)| (Some(data), beta))
}

/// Checks the lengths of arrays, and of weights, biases and their gradients.
#[track_caller]
pub(super) fn check(name: &str, arrays: &[(&[f32], usize)], vectors: &[Option<&[f32]>], len: usize) {
    for (array, expected) in arrays {
        assert_eq!(array.len(), *expected, "{name}: array length");
    }
    for vector in vectors.iter().flatten() {
        assert_eq!(vector.len(), len, "{name}: length of weight or bias");
    }
}
