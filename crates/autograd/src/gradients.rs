//! The gradients of a step's nodes, and the buffers that they share.
//!
//! An op's gradient is needed from the first op that adds to it until its own backward has run; then its
//! buffer is reused for a later gradient. So backward takes the memory of the few gradients that are live at
//! once, not of all.

use std::mem;
use std::ops::{Deref, DerefMut};

/// Gradients by node.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    by_node: Vec<Gradient>,
    free: Vec<Buffer>,
}

/// The gradient of a node: [`Default`] until something is written.
#[derive(Debug, Default)]
struct Gradient {
    buffer: Buffer,
    is_written: bool,
}

/// The elements of a gradient, in memory that has room for at least as many.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Never truncated, since making it longer again would fill it with zeros.
    memory: Vec<f32>,
    len: usize,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.len]
    }
}

impl Gradients {
    /// Discards all gradients but keeps their memory, and makes room for `n_nodes`.
    pub(crate) fn begin(&mut self, n_nodes: usize) {
        for gradient in &mut self.by_node {
            release(&mut self.free, mem::take(gradient).buffer);
        }
        self.by_node.resize_with(n_nodes, Gradient::default);
    }

    /// Whether anything was written to the gradient of a node since [`begin`](Self::begin).
    pub(crate) fn is_written(&self, node: usize) -> bool {
        self.by_node.get(node).is_some_and(|gradient| gradient.is_written)
    }

    /// The gradient of a node; empty when nothing was written, or when it was [released](Self::release).
    pub(crate) fn get(&self, node: usize) -> &[f32] {
        &self.by_node[node].buffer
    }

    /// The gradient of a node for writing, with `len` elements and stale contents, and whether it was written
    /// before.
    pub(crate) fn write(&mut self, node: usize, len: usize) -> (&mut [f32], bool) {
        let gradient = &mut self.by_node[node];
        let was_written = mem::replace(&mut gradient.is_written, true);
        if !was_written {
            gradient.buffer = take(&mut self.free, len);
        }
        (&mut gradient.buffer, was_written)
    }

    /// Takes out the gradient of a node, so that others can be written while it is read.
    pub(crate) fn take(&mut self, node: usize) -> Buffer {
        mem::take(&mut self.by_node[node].buffer)
    }

    /// Puts back a gradient that was [taken out](Self::take), to be read after backward.
    pub(crate) fn keep(&mut self, node: usize, buffer: Buffer) {
        self.by_node[node].buffer = buffer;
    }

    /// Frees the memory of a gradient that is no longer read, for the next one.
    pub(crate) fn release(&mut self, buffer: Buffer) {
        release(&mut self.free, buffer);
    }

    /// Swaps the free memory with that of `other`.
    pub(crate) fn exchange_free(&mut self, other: &mut Self) {
        mem::swap(&mut self.free, &mut other.free);
    }

    /// Swaps the gradient of `node` with that of `other_node` in `other`.
    pub(crate) fn exchange(&mut self, node: usize, other: &mut Self, other_node: usize) {
        mem::swap(&mut self.by_node[node], &mut other.by_node[other_node]);
    }
}

/// How many times as long as a gradient its buffer may be. Without a limit, small gradients that are live for
/// long would take the large buffers.
const MOST_ROOM: usize = 8;

/// Returns a buffer for `len` elements, with stale contents: the shortest that is long enough and not too
/// long, otherwise the longest that is at least half as long, which is replaced by a longer one. A buffer is
/// added only while all of the same power of two are in use, and they never get shorter, so a steady step
/// soon finds all it needs.
fn take(free: &mut Vec<Buffer>, len: usize) -> Buffer {
    if len == 0 {
        return Buffer::default();
    }
    let rooms = || free.iter().map(|buffer| buffer.memory.len()).enumerate();
    let fitting = rooms().filter(|(_, room)| (len..=len.saturating_mul(MOST_ROOM)).contains(room));
    let found = fitting.min_by_key(|(_, room)| *room).or_else(|| {
        let too_short = rooms().filter(|(_, room)| (len.div_ceil(2)..len).contains(room));
        too_short.max_by_key(|(_, room)| *room)
    });
    let mut memory = found.map_or_else(Vec::new, |(idx, _)| free.swap_remove(idx).memory);
    if memory.len() < len {
        // Freed first, as the old contents need not be copied.
        drop(memory);
        memory = vec![0.0; len];
    }
    Buffer { memory, len }
}

fn release(free: &mut Vec<Buffer>, buffer: Buffer) {
    if !buffer.memory.is_empty() {
        free.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nodes of a step in the order in which backward writes and reads them.
    fn step(gradients: &mut Gradients, lens: &[usize]) {
        gradients.begin(lens.len());
        for node in (0..lens.len()).rev() {
            gradients.write(node, lens[node]).0.fill(node as f32);
            if let Some(&len) = lens.get(node + 2) {
                let dy = gradients.take(node + 2);
                assert_eq!(*dy, vec![(node + 2) as f32; len]);
                gradients.release(dy);
            }
        }
    }

    /// The lengths of all buffers after a step, in order.
    fn held(gradients: &mut Gradients) -> Vec<usize> {
        gradients.begin(0);
        let mut lens: Vec<usize> = gradients.free.iter().map(|buffer| buffer.memory.len()).collect();
        lens.sort_unstable();
        lens
    }

    #[test]
    fn gradients_take_turns_in_few_buffers() {
        let mut gradients = Gradients::default();
        let lens: Vec<usize> = (0..50).map(|node| 100 + node * 7 % 20).collect();
        for _ in 0..3 {
            step(&mut gradients, &lens);
        }
        let held = held(&mut gradients);
        assert!(held.len() == 3 && held.iter().all(|&len| len < 120), "{held:?}");
    }

    #[test]
    fn a_small_gradient_leaves_a_large_buffer_alone() {
        let mut gradients = Gradients::default();
        step(&mut gradients, &[1 << 20, 1, 1 << 20, 1, 10, 1 << 20]);
        let total: usize = held(&mut gradients).iter().sum();
        assert!(total < (2 << 20) + 100, "{total}");
    }

    /// As in a network whose images are halved from stage to stage.
    #[test]
    fn the_buffers_of_large_gradients_serve_smaller_ones() {
        let mut gradients = Gradients::default();
        let lens: Vec<usize> = (0..40).map(|node| (1 << 16) >> (node / 5)).collect();
        (0..4).for_each(|_| step(&mut gradients, &lens));
        let total: usize = held(&mut gradients).iter().sum();
        assert!(total < 4 << 16, "{total}: three are live at once");
    }

    #[test]
    fn a_steady_step_comes_to_find_all_that_it_needs() {
        let mut gradients = Gradients::default();
        let lens: Vec<usize> = (0..200).map(|node| (node * 7919) % 5000).collect();
        let mut after = || {
            step(&mut gradients, &lens);
            held(&mut gradients)
        };
        let [.., before, last] = [(); 20].map(|()| after());
        assert_eq!(before, last);
        assert!(last.len() < 40, "{}", last.len());
    }
}
