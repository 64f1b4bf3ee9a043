//! Splitting work by the problem, never by the number of threads.
//!
//! Parts and the order in which partial results are joined follow from the sizes alone; threads only decide
//! which core computes a part. Results therefore have the same bits on 1, 2 or 16 threads. Everything runs
//! on the current rayon pool by `join`; nothing is spawned.

mod tree;

use std::ops::Range;

pub use tree::sum_over_groups;

/// Work under this many units stays on the calling thread: a fork and join costs several microseconds.
///
/// A unit is one element of an element-wise kernel, or 16 floating-point operations of a product: about a
/// tenth of a nanosecond either way. Under Miri hardly any work is too little, or it would never see two threads
/// in the shapes that it has the time for.
pub const MIN_PARALLEL_WORK: usize = if cfg!(miri) { 256 } else { 1 << 17 };

/// Images in a full group, until there are [`MAX_GROUPS`].
const IMAGES_PER_GROUP: usize = 8;

/// The most groups a batch is split into.
pub const MAX_GROUPS: usize = 16;

/// The number of groups in which `n_images` are processed: min(⌈n/8⌉, 16).
pub fn groups(n_images: usize) -> usize {
    n_images.div_ceil(IMAGES_PER_GROUP).min(MAX_GROUPS)
}

/// The images of group `group_idx` of `n_groups`: consecutive, sizes equal to within one.
pub fn group_range(n_images: usize, n_groups: usize, group_idx: usize) -> Range<usize> {
    group_start(n_images, n_groups, group_idx)..group_start(n_images, n_groups, group_idx + 1)
}

fn group_start(n_images: usize, n_groups: usize, group_idx: usize) -> usize {
    n_images * group_idx / n_groups.max(1)
}

/// Something made of rows that can be cut in two between rows: the outputs of a parallel loop.
///
/// Implemented for [`RowsMut`], for `()` (no output) and for tuples (several outputs, cut alike).
pub trait SplitRows: Send + Sized {
    /// The first `n_rows` rows, and the rest.
    fn split_rows(self, n_rows: usize) -> (Self, Self);
}

/// A mutable slice seen as rows of equal length.
pub struct RowsMut<'a, T> {
    data: &'a mut [T],
    row_len: usize,
}

/// `data` as rows of `row_len` elements, to be cut by [`for_each_group`] or [`for_each_chunk`].
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
        let (head, tail) = self.data.split_at_mut(n_rows * self.row_len);
        (Self { data: head, row_len: self.row_len }, Self { data: tail, row_len: self.row_len })
    }
}

impl SplitRows for () {
    fn split_rows(self, _: usize) -> (Self, Self) {
        ((), ())
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

/// Calls `f(images, rows of these images)` for each of `n_groups` groups of a batch; `outputs` has a row an image.
/// [`groups`] says how many are usual; what is not summed over images may be cut otherwise.
///
/// `work` estimates the whole loop in the units of [`MIN_PARALLEL_WORK`]; it decides between one thread and
/// several, not how the batch is split.
pub fn for_each_group<R: SplitRows>(
    n_images: usize,
    n_groups: usize,
    work: usize,
    outputs: R,
    f: impl Fn(Range<usize>, R) + Sync,
) {
    let start = |group_idx| group_start(n_images, n_groups, group_idx);
    run(0..n_groups, &start, worth_splitting(work), outputs, &f);
}

/// Calls `f(rows, outputs of these rows)` for each chunk of `chunk_len` consecutive rows (the last may be
/// shorter). For `work` see [`for_each_group`].
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
    let start = |chunk_idx| n_rows.min(chunk_idx * chunk_len);
    run(0..n_rows.div_ceil(chunk_len), &start, worth_splitting(work), outputs, &f);
}

/// Whether `work` units are worth a fork and join.
pub fn worth_splitting(work: usize) -> bool {
    work >= MIN_PARALLEL_WORK
}

fn run<R: SplitRows>(
    parts: Range<usize>,
    start: &(impl Fn(usize) -> usize + Sync),
    parallel: bool,
    outputs: R,
    f: &(impl Fn(Range<usize>, R) + Sync),
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
    fn groups_cover_the_batch_in_order() {
        for n in 0..300 {
            let n_groups = groups(n);
            let images: Vec<usize> = (0..n_groups).flat_map(|g| group_range(n, n_groups, g)).collect();
            assert_eq!(images, (0..n).collect::<Vec<_>>());
            let sizes = (0..n_groups).map(|g| group_range(n, n_groups, g).len());
            assert!(n == 0 || sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        assert_eq!([1, 8, 9, 64, 128, 1000].map(groups), [1, 1, 2, 8, 16, 16]);
    }

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
