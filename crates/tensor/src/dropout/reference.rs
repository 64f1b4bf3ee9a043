//! Dropout with SplitMix64 written as a sequential generator.

/// x / (1 − p) where the generator's number is at least p, 0 elsewhere.
pub fn dropout_forward(x: &[f64], p: f32, key: u64) -> Vec<f64> {
    let mut state = key;
    x.iter()
        .map(|x| {
            state = state.wrapping_add(0x9E3779B97F4A7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
            z ^= z >> 31;
            let uniform = (z >> 40) as f64 / f64::from(1 << 24);
            if uniform >= f64::from(p) { x / (1.0 - f64::from(p)) } else { 0.0 }
        })
        .collect()
}

/// The gradient of [`dropout_forward`]: a linear map that is its own transpose.
pub fn dropout_backward(dy: &[f64], p: f32, key: u64) -> Vec<f64> {
    dropout_forward(dy, p, key)
}

/// One number for each channel of each image, which decides whether all its pixels are kept or dropped.
pub fn channel_dropout_forward(
    x: &[f64],
    [images, pixels, channels]: [usize; 3],
    p: f32,
    key: u64,
) -> Vec<f64> {
    let factors = dropout_forward(&vec![1.0; images * channels], p, key);
    let channel = |idx: usize| idx / (pixels * channels) * channels + idx % channels;
    x.iter().enumerate().map(|(idx, x)| x * factors[channel(idx)]).collect()
}

/// The gradient of [`channel_dropout_forward`]: a linear map that is its own transpose.
pub fn channel_dropout_backward(dy: &[f64], sizes: [usize; 3], p: f32, key: u64) -> Vec<f64> {
    channel_dropout_forward(dy, sizes, p, key)
}
