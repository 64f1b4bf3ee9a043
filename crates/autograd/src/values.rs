//! The values of a step's nodes: each is written once and can be borrowed from then on, while more are
//! written.

use std::cell::OnceCell;

/// Vectors by node. Once written, a vector does not move until [`take`](Self::take), so a `&[f32]` of one
/// node stays valid while the next is recorded.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// Chunk `c` holds `FIRST_LEN << c` nodes, so that none has to move when more are added.
    chunks: [OnceCell<Chunk>; 32],
}

type Chunk = Box<[OnceCell<Vec<f32>>]>;

const FIRST_LEN: usize = 32;

impl Values {
    /// The values of a node; empty if they are stored elsewhere, or not yet.
    pub(crate) fn get(&self, node: usize) -> &[f32] {
        self.written(node).map_or(&[], Vec::as_slice)
    }

    /// Whether the values of a node have been written.
    pub(crate) fn has(&self, node: usize) -> bool {
        self.written(node).is_some()
    }

    fn written(&self, node: usize) -> Option<&Vec<f32>> {
        let (chunk_idx, idx) = place(node);
        self.chunks[chunk_idx].get()?[idx].get()
    }

    /// Writes the values of a node, once.
    pub(crate) fn set(&self, node: usize, values: Vec<f32>) {
        let (chunk_idx, idx) = place(node);
        let chunk = self.chunks[chunk_idx]
            .get_or_init(|| (0..FIRST_LEN << chunk_idx).map(|_| OnceCell::new()).collect());
        chunk[idx].set(values).expect("a node is written once in a step");
    }

    /// Takes back the memory of a node for reuse.
    pub(crate) fn take(&mut self, node: usize) -> Option<Vec<f32>> {
        let (chunk_idx, idx) = place(node);
        self.chunks[chunk_idx].get_mut()?[idx].take()
    }
}

/// The chunk of a node, and its index in the chunk.
fn place(node: usize) -> (usize, usize) {
    let n = node + FIRST_LEN;
    let chunk_idx = (n.ilog2() - FIRST_LEN.ilog2()) as usize;
    (chunk_idx, n - (FIRST_LEN << chunk_idx))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_place_of_its_own_that_does_not_move() {
        let mut values = Values::default();
        let n_nodes = 10 * FIRST_LEN + 1;
        values.set(0, vec![0.0]);
        let first = values.get(0);
        (1..n_nodes).for_each(|node| values.set(node, vec![node as f32]));
        assert_eq!(first, [0.0]);
        for node in 0..n_nodes {
            assert_eq!(values.get(node), [node as f32]);
        }
        assert_eq!(values.take(n_nodes - 1), Some(vec![(n_nodes - 1) as f32]));
        assert_eq!((values.take(n_nodes - 1), values.has(n_nodes - 1), values.has(0)), (None, false, true));
        assert!(values.get(n_nodes - 1).is_empty() && values.get(1 << 20).is_empty());
    }
}
