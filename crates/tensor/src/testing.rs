//! Shared code of the kernels' tests: values, numbers of cases, instruction-set levels.

use proptest::test_runner::Config;
use simd::Level;

/// `n` numbers in (−1, 1), the same for the same seed, with no two equal in a row.
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 + 0.5) / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// How many cases of a property are tried. Miri takes about a thousand times as long for each.
pub(crate) fn cases(n_cases: u32) -> Config {
    if cfg!(miri) {
        Config { cases: 3, failure_persistence: None, ..Config::default() }
    } else {
        Config::with_cases(n_cases)
    }
}

/// All instruction sets of this machine.
pub(crate) fn levels() -> Vec<Level> {
    Level::available()
}

/// Asserts that `f` gives the same bits on pools of one, two and three threads; under Miri, which also
/// interprets idle threads, of one and two.
pub(crate) fn assert_same_on_any_threads(f: impl Fn() -> Vec<f32> + Sync) {
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a thread pool");
        pool.install(|| f().into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let one = on(1);
    let several = if cfg!(miri) { 2..=2 } else { 2..=3 };
    assert!(
        several.into_iter().all(|n_threads| on(n_threads) == one),
        "the bits depend on the number of threads"
    );
}
