//! Splits work by the problem size, never by the number of threads, and batches into shards.
//!
//! Tasks and the order in which partial results are combined follow from the sizes alone; threads only decide
//! which core computes a task. Results therefore have the same bits on 1, 2 or 16 threads. Everything runs on
//! the current rayon pool through `join`; nothing is spawned.
//!
//! # Shards
//! Results also have the same bits on 1, 2 or 16 processes, each of which holds a part of the batch. The rule
//! for every kernel is:
//!
//! - A batch is split into *shards* of neighbouring images, determined by the number of images of the whole
//!   batch and the number of shards of the run ([`Shards::whole`] uses the default). If an image has many
//!   rows (pixels, tokens, time steps), they go with their image.
//! - The values of one image do not depend on the others: neither on how many there are nor on its position
//!   among them. A choice of algorithm by batch size uses the whole batch.
//! - A sum over images is computed within each shard, and the shards' sums are combined in one binary tree,
//!   (0+1), (2+3), …, then pairs of those ([`sum_over_shards`]). Sums kept in f64 are rounded after the last
//!   combination; statistics are combined as (count, mean, squared deviations).
//!
//! ```text
//!   images  0 … 7   8 … 15   16 … 23   24 … 31   32 … 39
//!   shards    0       1         2         3         4
//!             └── + ──┘         └─── + ───┘         │
//!                 └──────── + ────────┘             │       one of two processes owns shards 0 to 3,
//!                           └─────────── + ─────────┘       the other owns shard 4
//! ```
//!
//! A process owns a subtree, so its own sum is a partial sum of the tree. An [`Exchange`] sends it to the
//! others and adds theirs; without one, the process has the whole batch. "Group" always refers to channels,
//! not images.

mod exchange;
mod shards;
mod tree;

use std::ops::Range;

pub use exchange::{Exchange, Overlap};
pub use shards::{MAX_SHARDS, Shards};
pub(crate) use shards::{fold_in_tree, tree_mid};
pub use tree::sum_over_shards;

/// Less work than this many units stays on the calling thread: a fork and join costs several microseconds.
///
/// A unit is one element of an element-wise kernel, or 16 floating-point operations of a product: about a
/// tenth of a nanosecond either way. Under Miri the limit is very low, since otherwise the small shapes it
/// has time for would never use two threads.
pub const MIN_PARALLEL_WORK: usize = if cfg!(miri) { 256 } else { 1 << 17 };

/// Something made of rows that can be split in two between rows: the outputs of a parallel loop.
///
/// Implemented for [`RowsMut`], `()` (no output), `Option` (an optional output), and tuples (several outputs,
/// split alike).
pub trait SplitRows: Send + Sized {
    /// Splits off the first `n_rows` rows from the rest.
    fn split_rows(self, n_rows: usize) -> (Self, Self);
}

/// A mutable slice viewed as rows of equal length.
pub struct RowsMut<'a, T> {
    data: &'a mut [T],
    row_len: usize,
}

/// Views `data` as rows of `row_len` elements, to be split by [`for_each_chunk`] or [`sum_over_shards`].
pub fn rows_mut<T>(data: &mut [T], row_len: usize) -> RowsMut<'_, T> {
    RowsMut { data, row_len }
}

impl<'a, T> RowsMut<'a, T> {
    /// The rows as one slice.
    pub fn into_slice(self) -> &'a mut [T] {
        self.data
    }
}

impl<T: Send> SplitRows for RowsMut<'_, T> {
    fn split_rows(self, n_rows: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at_mut(n_rows.saturating_mul(self.row_len));
        (Self { data: head, row_len: self.row_len }, Self { data: tail, row_len: self.row_len })
    }
}

impl SplitRows for () {
    fn split_rows(self, _: usize) -> (Self, Self) {
        ((), ())
    }
}

impl<A: SplitRows> SplitRows for Option<A> {
    fn split_rows(self, n_rows: usize) -> (Self, Self) {
        self.map(|rows| rows.split_rows(n_rows)).unzip()
    }
}

impl<A: SplitRows, B: SplitRows> SplitRows for (A, B) {
    fn split_rows(self, n_rows: usize) -> (Self, Self) {
        let (a, b) = (self.0.split_rows(n_rows), self.1.split_rows(n_rows));
        ((a.0, b.0), (a.1, b.1))
    }
}

impl<A: SplitRows, B: SplitRows, C: SplitRows> SplitRows for (A, B, C) {
    fn split_rows(self, n_rows: usize) -> (Self, Self) {
        let (a, b, c) = (self.0.split_rows(n_rows), self.1.split_rows(n_rows), self.2.split_rows(n_rows));
        ((a.0, b.0, c.0), (a.1, b.1, c.1))
    }
}

/// Calls `f(rows, outputs of these rows)` for each chunk of `chunk_len` consecutive rows; the last may be
/// shorter.
///
/// `work` estimates the whole loop in the units of [`MIN_PARALLEL_WORK`]; it decides between one thread and
/// several, not how the rows are split.
///
/// # Panics
/// When `chunk_len` is zero.
pub fn for_each_chunk<R: SplitRows>(
    n_rows: usize,
    chunk_len: usize,
    work: usize,
    outputs: R,
    f: impl Fn(Range<usize>, R) + Sync,
) {
    let start = |chunk_idx: usize| n_rows.min(chunk_idx.saturating_mul(chunk_len));
    run(0..n_rows.div_ceil(chunk_len), &start, worth_splitting(work), outputs, &f);
}

/// Whether `work` units justify a fork and join.
pub fn worth_splitting(work: usize) -> bool {
    work >= MIN_PARALLEL_WORK
}

/// The loop of [`for_each_chunk`]: compiled once per kind of outputs rather than for each of hundreds of
/// closures.
fn run<R: SplitRows>(
    parts: Range<usize>,
    start: &(dyn Fn(usize) -> usize + Sync),
    parallel: bool,
    outputs: R,
    f: &(dyn Fn(Range<usize>, R) + Sync),
) {
    match parts.len() {
        0 => {}
        1 => f(start(parts.start)..start(parts.end), outputs),
        n_parts => {
            let mid = parts.start + n_parts / 2;
            let (left, right) = outputs.split_rows(start(mid) - start(parts.start));
            let first = || run(parts.start..mid, start, parallel, left, f);
            let second = || run(mid..parts.end, start, parallel, right, f);
            if parallel {
                rayon::join(first, second);
            } else {
                first();
                second();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_visited_once_serial_or_parallel() {
        for work in [0, MIN_PARALLEL_WORK] {
            for n in [0, 1, 7, 64, 65] {
                let mut rows = vec![0u32; n * 3];
                for_each_chunk(n, 4, work, rows_mut(&mut rows, 3), |range, rows| {
                    for (row, idx) in rows.into_slice().chunks_mut(3).zip(range) {
                        row.iter_mut().for_each(|v| *v += idx as u32 + 1);
                    }
                });
                let expected: Vec<u32> = (0..n as u32).flat_map(|idx| [idx + 1; 3]).collect();
                assert_eq!(rows, expected);
            }
        }
    }
}
