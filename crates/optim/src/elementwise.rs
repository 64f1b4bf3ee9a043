//! One pass over values, gradients and state, in blocks for vector units and chunks for threads.
//!
//! Each coordinate is computed independently, so how the slices are split does not change the result.

use crate::Real;
use simd::{Kernel, Level, Simd, dispatch};

/// Coordinates a thread takes at a time; slices up to this length stay on the calling thread.
pub(crate) const CHUNK: usize = 1 << 15;

/// Coordinates in a block: a whole number of vectors of any width up to 512 bits.
const BLOCK: usize = 64;

/// Bytes.
const CACHE_LINE: usize = 64;

/// Equally long pieces of the values, the gradients and `N` slots.
pub(crate) struct Lanes<'a, F, const N: usize> {
    pub(crate) values: &'a mut [F],
    pub(crate) grads: &'a [F],
    pub(crate) slots: [&'a mut [F]; N],
}

impl<F: Real, const N: usize> Lanes<'_, F, N> {
    /// Applies `formula` to each coordinate, in parallel on the current rayon pool when there are many.
    pub(crate) fn each(self, formula: impl Fn(&mut F, F, [&mut F; N]) + Copy + Send + Sync) {
        if self.values.len() <= CHUNK {
            return dispatch(Level::current(), Each { lanes: self, formula });
        }
        let mid = self.unaligned() + (self.values.len() / 2).next_multiple_of(BLOCK);
        let (left, right) = self.split_at(mid);
        rayon::join(|| left.each(formula), || right.each(formula));
    }

    /// The number of coordinates before the first value that begins a cache line. Allocators place long
    /// vectors at the same offset within a line, so the other pieces usually begin one there too.
    fn unaligned(&self) -> usize {
        self.values.as_ptr().align_offset(CACHE_LINE).min(self.values.len())
    }

    #[inline(always)]
    fn split_at(self, mid: usize) -> (Self, Self) {
        let (left_values, right_values) = self.values.split_at_mut(mid);
        let (left_grads, right_grads) = self.grads.split_at(mid);
        let mut right_slots = self.slots.map(Some);
        let left_slots = right_slots.each_mut().map(|slot| {
            let (left, right) = slot.take().expect("taken once").split_at_mut(mid);
            *slot = Some(right);
            left
        });
        let right_slots = right_slots.map(|slot| slot.expect("put back above"));
        (
            Lanes { values: left_values, grads: left_grads, slots: left_slots },
            Lanes { values: right_values, grads: right_grads, slots: right_slots },
        )
    }
}

struct Each<'a, F, const N: usize, T> {
    lanes: Lanes<'a, F, N>,
    formula: T,
}

impl<F: Real, const N: usize, T: Fn(&mut F, F, [&mut F; N]) + Copy> Kernel for Each<'_, F, N, T> {
    type Output = ();

    /// One by one up to the first cache line, then in blocks.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { lanes, formula } = self;
        let unaligned = lanes.unaligned();
        let (first, rest) = lanes.split_at(unaligned);
        first.one_by_one(formula);
        rest.block_by_block(formula);
    }
}

impl<F: Real, const N: usize> Lanes<'_, F, N> {
    /// Works through local arrays, which tells the compiler that nothing overlaps, then handles the
    /// remainder.
    #[inline(always)]
    fn block_by_block(self, formula: impl Fn(&mut F, F, [&mut F; N]) + Copy) {
        let (value_blocks, values) = self.values.as_chunks_mut::<BLOCK>();
        let (grad_blocks, grads) = self.grads.as_chunks::<BLOCK>();
        let mut slots = self.slots.map(<[F]>::as_chunks_mut::<BLOCK>);
        for (block_idx, (value_block, grad_block)) in value_blocks.iter_mut().zip(grad_blocks).enumerate() {
            let mut value = *value_block;
            let mut slot: [[F; BLOCK]; N] = slots.each_ref().map(|(blocks, _)| blocks[block_idx]);
            for lane in 0..BLOCK {
                let mut w = value[lane];
                let mut state = [F::ZERO; N];
                for idx in 0..N {
                    state[idx] = slot[idx][lane];
                }
                formula(&mut w, grad_block[lane], state.each_mut());
                value[lane] = w;
                for idx in 0..N {
                    slot[idx][lane] = state[idx];
                }
            }
            *value_block = value;
            for ((blocks, _), slot) in slots.iter_mut().zip(slot) {
                blocks[block_idx] = slot;
            }
        }
        Lanes { values, grads, slots: slots.map(|(_, rest)| rest) }.one_by_one(formula);
    }

    #[inline(always)]
    fn one_by_one(mut self, formula: impl Fn(&mut F, F, [&mut F; N])) {
        for (idx, (value, &grad)) in self.values.iter_mut().zip(self.grads).enumerate() {
            formula(value, grad, self.slots.each_mut().map(|slot| &mut slot[idx]));
        }
    }
}
