//! Partial results of shards, added up in the fixed binary tree.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::{MAX_SHARDS, Shards, SplitRows, tree_mid, worth_splitting};
use crate::{elementwise, scratch};

/// `sum` = Σ of the shards' partial results; `part(images, partial, rows of outputs)` overwrites `partial`
/// with that of a shard. Images count from the first in this process, and `outputs` has one row per image.
///
/// The partial results are combined in the tree of the [module](super). Two neighbours are added as soon as
/// both are available, so few partial results are live at a time, and those are in the caches. For `work` see
/// [`for_each_chunk`](super::for_each_chunk).
pub fn sum_over_shards<R: SplitRows>(
    sum: &mut [f32],
    shards: &Shards<'_>,
    work: usize,
    outputs: R,
    part: impl Fn(Range<usize>, &mut [f32], R) + Sync,
) {
    let (owned, len) = (shards.owned(), sum.len());
    if owned.is_empty() {
        sum.fill(0.0);
    } else {
        let n_rows = owned.len() - 1;
        scratch::with(n_rows * len, |memory| {
            let spare = Spare::new(memory, n_rows);
            let tree = Tree { shards, spare, parallel: worth_splitting(work), part: &part };
            tree.add_up(owned, sum, outputs);
        });
    }
    shards.join(sum);
}

/// What [`sum_over_shards`] does with a shard.
type Part<'a, R> = dyn Fn(Range<usize>, &mut [f32], R) + Sync + 'a;

/// The closure is behind a pointer, as in the module's loops, so one tree is compiled per kind of outputs.
struct Tree<'a, R> {
    shards: &'a Shards<'a>,
    spare: Spare<'a>,
    parallel: bool,
    part: &'a Part<'a, R>,
}

impl<R: SplitRows> Tree<'_, R> {
    /// Overwrites `sum` with the sum of some shards.
    fn add_up(&self, shards: Range<usize>, sum: &mut [f32], outputs: R) {
        let images_of = |range| self.shards.rows_of(range, self.shards.images().len());
        if shards.len() == 1 {
            return (self.part)(images_of(shards), sum, outputs);
        }
        let mid = tree_mid(&shards);
        let (left_outputs, right_outputs) = outputs.split_rows(images_of(shards.start..mid).len());
        let left = |sum: &mut [f32]| self.add_up(shards.start..mid, sum, left_outputs);
        let right = || {
            let right_sum = self.spare.take();
            self.add_up(mid..shards.end, right_sum, right_outputs);
            right_sum
        };
        let right_sum = if self.parallel {
            rayon::join(|| left(sum), right).1
        } else {
            left(sum);
            right()
        };
        elementwise::add_assign(sum, right_sum);
        self.spare.give_back(right_sum);
    }
}

/// Rows that hold no partial sum at the moment, with the one used last on top, since it may still be in a
/// cache.
struct Spare<'a>(Mutex<Stack<'a>>);

struct Stack<'a> {
    rows: [&'a mut [f32]; MAX_SHARDS],
    n_rows: usize,
}

impl<'a> Spare<'a> {
    fn new(memory: &'a mut [f32], n_rows: usize) -> Self {
        let mut rows: [&mut [f32]; MAX_SHARDS] = std::array::from_fn(|_| Default::default());
        let row_len = memory.len() / n_rows.max(1);
        for (row, memory) in rows.iter_mut().zip(memory.chunks_exact_mut(row_len.max(1))) {
            *row = memory;
        }
        Self(Mutex::new(Stack { rows, n_rows }))
    }

    fn take(&self) -> &'a mut [f32] {
        let mut stack = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A tree of n leaves never has more than n − 1 right subtrees in progress.
        stack.n_rows -= 1;
        let top = stack.n_rows;
        std::mem::take(&mut stack.rows[top])
    }

    fn give_back(&self, row: &'a mut [f32]) {
        let mut stack = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let top = stack.n_rows;
        stack.rows[top] = row;
        stack.n_rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::{MIN_PARALLEL_WORK, rows_mut};

    fn sum(values: &[f32]) -> f32 {
        let sum = |work| {
            let mut sum = [f32::NAN; 1];
            let shards = Shards::with_count(values.len(), values.len());
            sum_over_shards(&mut sum, &shards, work, (), |images, partial, ()| {
                partial[0] = values[images.start]
            });
            sum[0]
        };
        let serial = sum(0);
        assert_eq!(serial.to_bits(), sum(MIN_PARALLEL_WORK).to_bits());
        serial
    }

    #[test]
    fn neighbours_are_added_first() {
        // 2^24 absorbs a single 1, so the order of additions affects the result.
        let big = 16_777_216.0;
        assert_eq!(sum(&[big, 1.0, 1.0, 1.0]), big + 2.0);
        assert_eq!(sum(&[1.0, 2.0, 3.0, 4.0, big]), 10.0 + big);
        assert_eq!(sum(&[1.0]), 1.0);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1.0; MAX_SHARDS]), MAX_SHARDS as f32);
    }

    #[test]
    fn every_image_gets_its_row() {
        for n_images in 1..=150 {
            let (mut rows, mut sum) = (vec![0; n_images], [0.0; 3]);
            let (shards, outputs) = (Shards::whole(n_images), rows_mut(&mut rows, 1));
            sum_over_shards(&mut sum, &shards, MIN_PARALLEL_WORK, outputs, |images, partial, rows| {
                partial.fill(1.0);
                rows.into_slice().iter_mut().zip(images).for_each(|(row, image)| *row += image + 1);
            });
            assert_eq!(rows, (1..=n_images).collect::<Vec<_>>());
            assert_eq!(sum, [shards.n_shards() as f32; 3]);
        }
    }
}
