//! Filters that whiten: what they make of the patches that they were made from.

use init::whitening;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SIZE: [usize; 4] = [20, 9, 7, 3];
const EPS: f64 = 5e-4;

/// Smooth images in three channels that go together.
fn images() -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut last = [0.0_f32; 3];
    let value = |i: usize| {
        let noise = (rng.next_u32() >> 8) as f32 / (1 << 24) as f32 - 0.5;
        last[i % 3] = 0.7 * last[i % 3] + 0.2 * last[(i + 1) % 3] + noise;
        last[i % 3]
    };
    (0..SIZE.iter().product()).map(value).collect()
}

/// The mean of response · responseᵀ of the first half of the filters.
fn covariance(weights: &[f32], images: &[f32], [kh, kw]: [usize; 2]) -> Vec<Vec<f64>> {
    let [n, height, width, channels] = SIZE;
    let len = channels * kh * kw;
    let filters: Vec<_> = weights.chunks_exact(len).take(len).collect();
    let mut sum = vec![vec![0.0; len]; len];
    let mut n_patches = 0.0;
    for (image, top, left) in (0..n)
        .flat_map(|image| (0..=height - kh).map(move |top| (image, top)))
        .flat_map(|(image, top)| (0..=width - kw).map(move |left| (image, top, left)))
    {
        let pixel = |i: usize| {
            let (channel, row, col) = (i / (kh * kw), i / kw % kh, i % kw);
            images[((image * height + top + row) * width + left + col) * channels + channel]
        };
        let response: Vec<f64> = filters
            .iter()
            .map(|filter| filter.iter().enumerate().map(|(i, w)| f64::from(*w) * f64::from(pixel(i))).sum())
            .collect();
        for (row, x) in sum.iter_mut().zip(&response) {
            row.iter_mut().zip(&response).for_each(|(sum, y)| *sum += x * y);
        }
        n_patches += 1.0;
    }
    sum.iter_mut().flatten().for_each(|sum| *sum /= n_patches);
    sum
}

#[test]
fn responses_are_uncorrelated_and_of_variance_one() {
    let images = images();
    for (kernel_size, eps) in [([2, 2], EPS), ([1, 3], 0.0)] {
        let len = 3 * kernel_size[0] * kernel_size[1];
        let mut weights = vec![f32::NAN; 2 * len * len];
        whitening(&mut weights, &[2 * len, 3, kernel_size[0], kernel_size[1]], &images, SIZE, eps);
        let (positive, negative) = weights.split_at(len * len);
        assert!(positive.iter().zip(negative).all(|(p, n)| *p == -*n));
        let covariance = covariance(&weights, &images, kernel_size);
        for (i, row) in covariance.iter().enumerate() {
            // λ / (λ + eps), where 1/(λ + eps) is the square of the filter.
            let square: f64 = positive[i * len..][..len].iter().map(|w| f64::from(*w).powi(2)).sum();
            for (j, found) in row.iter().enumerate() {
                let expected = if i == j { 1.0 - eps * square } else { 0.0 };
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{kernel_size:?}: {i}, {j}: {found}, expected {expected}"
                );
            }
        }
        // Ascending eigenvalues are descending filters.
        let norms: Vec<f32> = positive.chunks(len).map(|filter| filter.iter().map(|w| w * w).sum()).collect();
        assert!(norms.is_sorted_by(|a, b| a >= b), "{norms:?}");
    }
}

#[test]
fn black_images_are_taken_with_eps_and_refused_without() {
    let mut weights = [0.0; 8];
    let black = [0.0; 2 * 4];
    whitening(&mut weights, &[4, 1, 1, 2], &black, [2, 2, 2, 1], 0.25);
    assert_eq!(weights, [2.0, 0.0, 0.0, 2.0, -2.0, 0.0, 0.0, -2.0]);
    let refused =
        std::panic::catch_unwind(|| whitening(&mut [0.0; 8], &[4, 1, 1, 2], &black, [2, 2, 2, 1], 0.0));
    let message = *refused.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("do not vary in every direction"), "{message}");
}

#[test]
#[should_panic(expected = "the weight [6, 3, 1, 1] does not fit patches of 1 × 1 × 1, expected [2, 1, 1, 1]")]
fn another_number_of_channels_panics() {
    whitening(&mut [0.0; 18], &[6, 3, 1, 1], &[0.0; 4], [1, 2, 2, 1], EPS);
}
