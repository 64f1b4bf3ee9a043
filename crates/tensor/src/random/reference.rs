//! Random numbers with SplitMix64 written as a sequential generator.

use std::f64::consts::TAU;

/// `n` uniform numbers in [0, 1).
pub fn uniform(n: usize, key: u64) -> Vec<f64> {
    outputs(key).take(n).map(|z| (z >> 40) as f64 / f64::from(1 << 24)).collect()
}

/// `n` standard normal numbers.
pub fn normal(n: usize, key: u64) -> Vec<f64> {
    let transform = |z: u64| {
        let radius = ((z >> 24) as f64 + 1.0) / (1u64 << 40) as f64;
        (-2.0 * radius.ln()).sqrt() * (TAU * (z % (1 << 24)) as f64 / f64::from(1 << 24)).cos()
    };
    outputs(key).take(n).map(transform).collect()
}

fn outputs(mut state: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
