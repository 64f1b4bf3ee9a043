//! Repeatable numbers, and parameters that are filled with them.

use autograd::{ParamId, Params, Role};

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

/// Adds a trainable entry, He-uniform for its fan-in.
pub(crate) fn weight(params: &mut Params, name: &str, dims: &[usize]) -> ParamId {
    let id = params.add(name, dims, Role::Trainable);
    let fan_in: usize = dims[1..].iter().product();
    let bound = (6.0 / fan_in.max(1) as f32).sqrt();
    let n = params.value(id).len();
    let values = numbers(n, (name.len() + n) as u64);
    params.value_mut(id).iter_mut().zip(values).for_each(|(weight, number)| *weight = bound * number);
    id
}
