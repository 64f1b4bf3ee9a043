//! Random data, and the comparison of a kernel with its reference for both betas.

// Each test file compiles this module anew and uses a part of it.
#![allow(dead_code)]

use tensor::Beta;
use tensor::reference::{assert_within, to_f64};

/// `len` numbers, uniform in [-1, 1), a function of the seed.
pub(crate) fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// `len` numbers of which no two are equal, in random order: inputs without ties.
pub(crate) fn distinct(len: usize, seed: u64) -> Vec<f32> {
    let keys = random(len, seed);
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]).then(a.cmp(&b)));
    order.iter().map(|&rank| rank as f32 - len as f32 / 2.0).collect()
}

/// Runs `kernel` with `Beta::Zero` on an output full of NaN and with `Beta::One` on random numbers, and holds
/// both against `expected` within c · ε · magnitude.
#[track_caller]
pub(crate) fn check_betas(expected: &[f64], magnitude: &[f64], c: f64, kernel: impl Fn(&mut [f32], Beta)) {
    let mut overwritten = vec![f32::NAN; expected.len()];
    kernel(&mut overwritten, Beta::Zero);
    assert_within(&overwritten, expected, magnitude, c);

    let before = random(expected.len(), 7);
    let mut added = before.clone();
    kernel(&mut added, Beta::One);
    let plus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
    let absolute: Vec<f64> = before.iter().map(|v| f64::from(v.abs())).collect();
    assert_within(&added, &plus(&to_f64(&before), expected), &plus(&absolute, magnitude), c + 1.0);
}

/// The results of `f` on pools of 1, 2, 3 and 16 threads, which must have the same bits.
#[track_caller]
pub(crate) fn check_thread_independence(f: impl Fn() -> Vec<f32> + Sync) {
    let on_pool = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let bits: Vec<u32> = pool.install(&f).iter().map(|v| v.to_bits()).collect();
        bits
    };
    let serial = on_pool(1);
    // Miri interprets the idle threads, too.
    let several: &[usize] = if cfg!(miri) { &[2] } else { &[2, 3, 16] };
    for &n_threads in several {
        assert!(on_pool(n_threads) == serial, "{n_threads} threads give other bits than one");
    }
}
