//! Numbers that are a hash of their index, computed alike here and in `pytorch/record.py`.

#![allow(dead_code, reason = "each test file uses its share")]

/// `n` numbers in [−1, 1), exact in f32.
pub(crate) fn uniform(stream: u32, n: usize) -> Vec<f32> {
    let number = |i: usize| {
        let mut x = (i as u32).wrapping_mul(0x9e37_79b1).wrapping_add(stream.wrapping_mul(0x85eb_ca77));
        x ^= x >> 16;
        x = x.wrapping_mul(0x7feb_352d);
        x ^= x >> 15;
        x = x.wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        (x >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(number).collect()
}

/// `n` images 32 × 32 × 3 of ten classes, each half its class's pattern and half noise, and the labels.
pub(crate) fn batch(step: u32, n: usize) -> (Vec<f32>, Vec<u32>) {
    const IMAGE: usize = 32 * 32 * 3;
    let labels: Vec<u32> = (0..n as u32).map(|i| (i * 7 + step * 3) % 10).collect();
    let patterns: Vec<Vec<f32>> = (0..10).map(|label| uniform(1000 + label, IMAGE)).collect();
    let mut images = uniform(100 + step, n * IMAGE);
    for (image, &label) in images.chunks_mut(IMAGE).zip(&labels) {
        let pattern = &patterns[label as usize];
        image.iter_mut().zip(pattern).for_each(|(x, p)| *x = *x * 0.5 + p * 0.5);
    }
    (images, labels)
}
