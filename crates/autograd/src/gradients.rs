//! The gradients of a step's nodes, and the buffers that they share.
//!
//! An op's gradient is needed from the first op that adds to it until its own backward has run; then its
//! buffer is reused for a later gradient. So backward takes the memory of the few gradients that are live at
//! once, not of all.

use std::mem;

/// Gradients by node.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    by_node: Vec<Gradient>,
    free: Vec<Vec<f32>>,
}

/// The gradient of a node: [`Default`] until something is written.
#[derive(Debug, Default)]
struct Gradient {
    buffer: Vec<f32>,
    is_written: bool,
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
    pub(crate) fn take(&mut self, node: usize) -> Vec<f32> {
        mem::take(&mut self.by_node[node].buffer)
    }

    /// Puts back a gradient that was [taken out](Self::take), to be read after backward.
    pub(crate) fn keep(&mut self, node: usize, buffer: Vec<f32>) {
        self.by_node[node].buffer = buffer;
    }

    /// Frees the memory of a gradient that is no longer read, for the next one.
    pub(crate) fn release(&mut self, buffer: Vec<f32>) {
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

/// Returns a buffer for `len` elements, with stale contents: the closest large enough one of the same power
/// of two, otherwise the largest of them, which grows. There are as many buffers of a power of two as were
/// ever in use at once, and they never shrink, so a steady step soon finds all it needs.
fn take(free: &mut Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    if len == 0 {
        return Vec::new();
    }
    let like = |buffer: &Vec<f32>| buffer.capacity().ilog2() == len.ilog2();
    let candidates = || free.iter().enumerate().filter(|(_, buffer)| like(buffer));
    let fitting = candidates().filter(|(_, buffer)| buffer.capacity() >= len);
    let found = fitting
        .min_by_key(|(_, buffer)| buffer.capacity())
        .or_else(|| candidates().max_by_key(|(_, buffer)| buffer.capacity()));
    let mut buffer = match found.map(|(idx, _)| idx) {
        Some(idx) => free.swap_remove(idx),
        None => Vec::new(),
    };
    if buffer.capacity() < len {
        // The old contents need not be copied.
        buffer = Vec::new();
        buffer.reserve_exact(len);
    }
    buffer.resize(len, 0.0);
    buffer
}

fn release(free: &mut Vec<Vec<f32>>, buffer: Vec<f32>) {
    if buffer.capacity() > 0 {
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
                assert_eq!(dy, vec![(node + 2) as f32; len]);
                gradients.release(dy);
            }
        }
    }

    #[test]
    fn gradients_take_turns_in_few_buffers() {
        let mut gradients = Gradients::default();
        let lens: Vec<usize> = (0..50).map(|node| 100 + node * 7 % 20).collect();
        for _ in 0..3 {
            step(&mut gradients, &lens);
        }
        gradients.begin(0);
        assert_eq!(gradients.free.len(), 3);
        assert!(gradients.free.iter().all(|buffer| buffer.capacity() < 120));
    }

    #[test]
    fn a_small_gradient_leaves_a_large_buffer_alone() {
        let mut gradients = Gradients::default();
        step(&mut gradients, &[1 << 20, 1, 1 << 20, 1, 10, 1 << 20]);
        gradients.begin(0);
        let total: usize = gradients.free.iter().map(Vec::capacity).sum();
        assert!(total < (2 << 20) + 100, "{total}");
    }

    #[test]
    fn a_steady_step_comes_to_find_all_that_it_needs() {
        let mut gradients = Gradients::default();
        let lens: Vec<usize> = (0..200).map(|node| (node * 7919) % 5000).collect();
        let mut held = Vec::new();
        for _ in 0..20 {
            step(&mut gradients, &lens);
            gradients.begin(0);
            let mut lens: Vec<usize> = gradients.free.iter().map(Vec::capacity).collect();
            lens.sort_unstable();
            held.push(lens);
        }
        assert_eq!(held[18], held[19]);
        assert!(held[19].len() < 40, "{}", held[19].len());
    }
}
