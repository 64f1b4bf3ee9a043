//! Repeatable numbers.

/// Repeatable numbers between −1 and 1.
pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let number = |idx: u64| {
        let mut z = (seed << 32 | idx).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n as u64).map(number).collect()
}
