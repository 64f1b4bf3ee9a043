//! Numbers that are a hash of their index, computed alike here and in `pytorch/record.py`.

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
