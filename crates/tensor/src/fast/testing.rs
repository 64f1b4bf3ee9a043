//! What the tests of the fast kernels share: values, shapes, and the levels to run them at.

use proptest::prelude::*;

use super::simd::Level;
use crate::conv::Conv2dShape;

/// `n` numbers in (−1, 1), the same for the same seed, no two in a row alike.
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

/// Every instruction set of this machine.
pub(crate) fn levels() -> Vec<Level> {
    Level::available()
}

/// Channels that fill vectors, do not fill them, and take several.
pub(crate) fn channels() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 3, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 70])
}

/// Stride-1 convolutions with kernels of the given sizes, of 1 to 3 or 17 images, down to single pixels.
pub(crate) fn shapes(
    kernel_size: impl Strategy<Value = usize> + Clone,
) -> impl Strategy<Value = Conv2dShape> {
    let axis = || (kernel_size.clone(), 1usize..=11);
    let batch = prop_oneof![4 => 1usize..=3, 1 => Just(17usize)];
    (batch, axis(), axis(), channels(), channels(), any::<[prop::sample::Index; 2]>()).prop_map(
        |(batch, (kernel_height, height), (kernel_width, width), in_channels, out_channels, paddings)| {
            let padding = [paddings[0].index(kernel_height), paddings[1].index(kernel_width)];
            Conv2dShape {
                batch,
                // Large enough for the kernel.
                height: height.max(kernel_height.saturating_sub(2 * padding[0])),
                width: width.max(kernel_width.saturating_sub(2 * padding[1])),
                in_channels,
                out_channels,
                kernel_size: [kernel_height, kernel_width],
                stride: [1, 1],
                padding,
                dilation: [1, 1],
                groups: 1,
            }
        },
    )
}

/// Asserts that `f` gives the same bits on pools of one, two and three threads.
pub(crate) fn assert_same_on_any_threads(f: impl Fn() -> Vec<f32> + Sync) {
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a thread pool");
        pool.install(|| f().into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let one = on(1);
    assert!(one == on(2) && one == on(3), "the bits depend on the number of threads");
}
