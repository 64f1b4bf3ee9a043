//! Partial results of groups, added up in a fixed binary tree.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::{MAX_GROUPS, SplitRows, worth_splitting};
use crate::{elementwise, scratch};

/// `sum` = Σ of the groups' partial results; `part(group, partial, rows of outputs)` overwrites `partial` with
/// one of them. `outputs` has a row a group.
///
/// The partial results are joined in a fixed binary tree by index, (0+1), (2+3), …, then pairs of those, so
/// the bits do not depend on the threads; an aligned subtree is a partial sum in its own right, so several
/// processes that own one each get the same bits. Two neighbours are added as soon as both are there: few
/// partial results are alive at a time, and those are in the caches. For `work` see
/// [`for_each_group`](super::for_each_group).
///
/// # Panics
/// When there are more than [`MAX_GROUPS`] groups.
pub fn sum_over_groups<R: SplitRows>(
    sum: &mut [f32],
    n_groups: usize,
    work: usize,
    outputs: R,
    part: impl Fn(usize, &mut [f32], R) + Sync,
) {
    assert!(n_groups <= MAX_GROUPS, "sum_over_groups: {n_groups} groups, at most {MAX_GROUPS}");
    let len = sum.len();
    if n_groups == 0 || len == 0 {
        sum.fill(0.0);
    }
    if n_groups > 0 {
        scratch::with((n_groups - 1) * len, |memory| {
            let tree =
                Tree { spare: Spare::new(memory, n_groups - 1), parallel: worth_splitting(work), part };
            tree.add_up(0..n_groups, sum, outputs);
        });
    }
}

struct Tree<'a, F> {
    spare: Spare<'a>,
    parallel: bool,
    part: F,
}

impl<F> Tree<'_, F> {
    /// Overwrites `sum` with the sum of some groups.
    fn add_up<R: SplitRows>(&self, groups: Range<usize>, sum: &mut [f32], outputs: R)
    where
        F: Fn(usize, &mut [f32], R) + Sync,
    {
        if groups.len() == 1 {
            return (self.part)(groups.start, sum, outputs);
        }
        // The left subtree is the largest complete one, so that its shape does not depend on the rest.
        let n_left = groups.len().next_power_of_two() / 2;
        let mid = groups.start + n_left;
        let (left_outputs, right_outputs) = outputs.split_rows(n_left);
        let left = |sum: &mut [f32]| self.add_up(groups.start..mid, sum, left_outputs);
        let right = || {
            let right_sum = self.spare.take();
            self.add_up(mid..groups.end, right_sum, right_outputs);
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

/// Rows that hold no partial sum at the moment, the one used last on top: it may still be in a cache.
struct Spare<'a>(Mutex<Stack<'a>>);

struct Stack<'a> {
    rows: [&'a mut [f32]; MAX_GROUPS],
    n_rows: usize,
}

impl<'a> Spare<'a> {
    fn new(memory: &'a mut [f32], n_rows: usize) -> Self {
        let mut rows: [&mut [f32]; MAX_GROUPS] = Default::default();
        let row_len = memory.len() / n_rows.max(1);
        for (row, memory) in rows.iter_mut().zip(memory.chunks_exact_mut(row_len.max(1))) {
            *row = memory;
        }
        Self(Mutex::new(Stack { rows, n_rows }))
    }

    fn take(&self) -> &'a mut [f32] {
        let mut stack = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A tree of n leaves never has more than n − 1 right subtrees under way.
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
            sum_over_groups(&mut sum, values.len(), work, (), |group, partial, ()| {
                partial[0] = values[group]
            });
            sum[0]
        };
        let serial = sum(0);
        assert_eq!(serial.to_bits(), sum(MIN_PARALLEL_WORK).to_bits());
        serial
    }

    #[test]
    fn neighbours_are_added_first() {
        // 2^24 absorbs a single 1, so the order of the additions shows in the result.
        let big = 16_777_216.0;
        assert_eq!(sum(&[big, 1.0, 1.0, 1.0]), big + 2.0);
        assert_eq!(sum(&[1.0, 2.0, 3.0, 4.0, big]), 10.0 + big);
        assert_eq!(sum(&[1.0]), 1.0);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1.0; MAX_GROUPS]), MAX_GROUPS as f32);
    }

    #[test]
    fn every_group_gets_its_row() {
        for n_groups in 1..=MAX_GROUPS {
            let (mut rows, mut sum) = (vec![0; n_groups], [0.0; 3]);
            sum_over_groups(
                &mut sum,
                n_groups,
                MIN_PARALLEL_WORK,
                rows_mut(&mut rows, 1),
                |group, partial, row| {
                    partial.fill(1.0);
                    row.into_slice()[0] += group + 1;
                },
            );
            assert_eq!(rows, (1..=n_groups).collect::<Vec<_>>());
            assert_eq!(sum, [n_groups as f32; 3]);
        }
    }
}
