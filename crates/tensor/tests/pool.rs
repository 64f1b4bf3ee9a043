//! Pooling against its f64 reference.

mod common;

use common::{check_betas, check_thread_independence, distinct, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::pool::{
    Pool2dShape, avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward,
    global_avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward,
};
use tensor::reference::{self, assert_within, magnitudes, to_f64};

/// Random shapes: kernel ≠ stride, padding up to half the kernel, images as small as the kernel allows.
fn shapes() -> impl Strategy<Value = Pool2dShape> {
    let axis = || (1..5usize, 1..4usize, 0..3usize, 0..8usize);
    (0..4usize, 1..20usize, axis(), axis()).prop_map(|(batch, channels, rows, columns)| {
        let padding = |(kernel, _, padding, _): (usize, usize, usize, usize)| padding.min(kernel / 2);
        let size =
            |axis: (usize, usize, usize, usize)| axis.0.saturating_sub(2 * padding(axis)).max(1) + axis.3;
        Pool2dShape {
            batch,
            height: size(rows),
            width: size(columns),
            channels,
            kernel_size: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            padding: [padding(rows), padding(columns)],
        }
    })
}

fn max_pool(x: &[f32], shape: &Pool2dShape) -> (Vec<f32>, Vec<u32>) {
    let (mut y, mut indices) = (vec![f32::NAN; shape.output_len()], vec![u32::MAX; shape.output_len()]);
    max_pool2d_forward(&mut y, &mut indices, x, shape);
    (y, indices)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn max_pooling_is_exact(shape in shapes(), seed: u64) {
        let x = distinct(shape.input_len(), seed);
        let (y, indices) = max_pool(&x, &shape);
        let (expected, expected_indices) = reference::max_pool2d_forward(&to_f64(&x), &shape);
        prop_assert_eq!(to_f64(&y), expected);
        prop_assert_eq!(&indices, &expected_indices);

        let dy = random(shape.output_len(), seed);
        let expected = reference::max_pool2d_backward(&to_f64(&dy), &indices, &shape);
        // Overlapping windows may add up to every gradient of a window's area to one place.
        let magnitude = reference::max_pool2d_backward(&magnitudes(&dy), &indices, &shape);
        let terms = (shape.kernel_size[0] * shape.kernel_size[1]) as f64;
        check_betas(&expected, &magnitude, terms, |dx, beta| {
            max_pool2d_backward(dx, &dy, &indices, &shape, beta);
        });
    }

    #[test]
    fn average_pooling_on_random_shapes(shape in shapes(), seed: u64) {
        let (x, dy) = (random(shape.input_len(), seed), random(shape.output_len(), seed + 1));
        let c = (shape.kernel_size[0] * shape.kernel_size[1] + 1) as f64;
        let mut y = vec![f32::NAN; shape.output_len()];
        avg_pool2d_forward(&mut y, &x, &shape);
        let expected = reference::avg_pool2d_forward(&to_f64(&x), &shape);
        assert_within(&y, &expected, &reference::avg_pool2d_forward(&magnitudes(&x), &shape), c);
        check_betas(
            &reference::avg_pool2d_backward(&to_f64(&dy), &shape),
            &reference::avg_pool2d_backward(&magnitudes(&dy), &shape),
            c,
            |dx, beta| avg_pool2d_backward(dx, &dy, &shape, beta),
        );
    }

    #[test]
    fn global_average_pooling(batch in 0..4usize, n_pixels in 1..50usize, channels in 1..70usize, seed: u64) {
        let (x, dy) = (random(batch * n_pixels * channels, seed), random(batch * channels, seed + 1));
        let mut y = vec![f32::NAN; batch * channels];
        global_avg_pool2d_forward(&mut y, &x, batch, n_pixels, channels);
        let expected = reference::global_avg_pool2d_forward(&to_f64(&x), n_pixels, channels);
        let magnitude = reference::global_avg_pool2d_forward(&magnitudes(&x), n_pixels, channels);
        assert_within(&y, &expected, &magnitude, 2.0);
        let expected = reference::global_avg_pool2d_backward(&to_f64(&dy), n_pixels, channels);
        let magnitude = reference::global_avg_pool2d_backward(&magnitudes(&dy), n_pixels, channels);
        check_betas(&expected, &magnitude, 1.0, |dx, beta| {
            global_avg_pool2d_backward(dx, &dy, batch, n_pixels, channels, beta);
        });
    }
}

fn square(size: usize, kernel_size: usize, stride: usize, padding: usize) -> Pool2dShape {
    Pool2dShape {
        batch: 1,
        height: size,
        width: size,
        channels: 1,
        kernel_size: [kernel_size; 2],
        stride: [stride; 2],
        padding: [padding; 2],
    }
}

#[test]
fn of_equal_elements_the_first_wins_and_nan_is_handed_on() {
    let shape = square(2, 2, 2, 0);
    assert_eq!(max_pool(&[1.0, 3.0, 3.0, 3.0], &shape), (vec![3.0], vec![1]));
    assert_eq!(max_pool(&[f32::NEG_INFINITY; 4], &shape), (vec![f32::NEG_INFINITY], vec![0]));
    let (y, indices) = max_pool(&[1.0, f32::NAN, 5.0, 2.0], &shape);
    assert!(y[0].is_nan());
    assert_eq!(indices, [1]);
}

#[test]
fn padding_never_wins() {
    let (y, indices) = max_pool(&[-5.0, -6.0, -7.0, -8.0], &square(2, 2, 2, 1));
    assert_eq!((y, indices), (vec![-5.0, -6.0, -7.0, -8.0], vec![0, 1, 2, 3]));
}

#[test]
fn pooling_does_not_depend_on_the_number_of_threads() {
    let shape = Pool2dShape { batch: 40, channels: 32, ..square(20, 3, 2, 1) };
    let (x, dy) = (distinct(shape.input_len(), 1), random(shape.output_len(), 2));
    check_thread_independence(|| {
        let (mut y, indices) = max_pool(&x, &shape);
        let mut dx = vec![0.0; shape.input_len()];
        max_pool2d_backward(&mut dx, &dy, &indices, &shape, Beta::Zero);
        avg_pool2d_backward(&mut dx, &dy, &shape, Beta::One);
        let mut means = vec![0.0; shape.output_len()];
        avg_pool2d_forward(&mut means, &x, &shape);
        y.extend(dx);
        y.extend(means);
        y
    });
}

#[test]
fn an_invalid_shape_says_what_is_wrong() {
    let reason = |shape: Pool2dShape| shape.validate().unwrap_err();
    assert!(reason(square(4, 3, 1, 2)).contains("padding 2 is more than half of the kernel size 3"));
    assert!(reason(square(2, 5, 1, 1)).contains("kernel size 5 does not fit the size 2 with padding 1"));
    assert!(reason(square(4, 2, 0, 0)).contains("at least 1"));
}

/// The sum does not fit into f32, the mean does.
#[test]
fn a_mean_of_large_numbers_is_finite() {
    let (x, mut y) = ([3e38; 4], [0.0]);
    global_avg_pool2d_forward(&mut y, &x, 1, 4, 1);
    assert_eq!(y, [3e38]);
    let window = Pool2dShape {
        batch: 1,
        height: 2,
        width: 2,
        channels: 1,
        kernel_size: [2; 2],
        stride: [2; 2],
        padding: [0; 2],
    };
    avg_pool2d_forward(&mut y, &x, &window);
    assert_eq!(y, [3e38]);
}
