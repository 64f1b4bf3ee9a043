//! Repeatable numbers.

use keyed_random::{splitmix64, unit};

/// Repeatable numbers between −1 and 1.
pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64).map(|idx| 2.0 * unit(splitmix64(0, seed << 32 | idx)) - 1.0).collect()
}
