//! Pooling against its f64 reference.

use crate::common::{check_betas, check_thread_independence, distinct, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::pool::{
    Pool2dShape, Windows, avg_pool2d_backward, avg_pool2d_forward, global_avg_pool2d_backward,
    global_avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward,
};
use tensor::reference::{self, assert_within, magnitudes, to_f64};

/// Random windows and a size that they fit: kernel ≠ stride, padding up to half the kernel, images as small as the
/// kernel allows, dilation, a last window over the edge; or as many windows as are asked for.
fn axis() -> impl Strategy<Value = (Windows, usize)> {
    let sliding = (1..5usize, 1..4usize, 0..3usize, 1..4usize, 0..8usize, any::<bool>()).prop_map(
        |(kernel_size, stride, padding, dilation, extra, ceil_mode)| {
            let padding = padding.min(kernel_size / 2);
            let span = (kernel_size - 1) * dilation + 1;
            let size = span.saturating_sub(2 * padding).max(1) + extra;
            // Where the first window would jump over the image.
            let dilation = if padding > 0 && dilation > size { 1 } else { dilation };
            (Windows::Sliding { kernel_size, stride, padding, dilation, ceil_mode }, size)
        },
    );
    let adaptive =
        (1..6usize, 1..9usize).prop_map(|(output_size, size)| (Windows::Adaptive { output_size }, size));
    prop_oneof![3 => sliding, 1 => adaptive]
}

fn shapes() -> impl Strategy<Value = Pool2dShape> {
    (0..4usize, 1..20usize, axis(), axis()).prop_map(|(batch, channels, rows, columns)| Pool2dShape {
        batch,
        height: rows.1,
        width: columns.1,
        channels,
        windows: [rows.0, columns.0],
    })
}

/// The most windows that an element lies in, and the most elements of a window.
fn overlap(shape: &Pool2dShape) -> f64 {
    let longest = |axis: usize, size: usize| match shape.windows[axis] {
        Windows::Sliding { kernel_size, .. } => kernel_size,
        Windows::Adaptive { output_size } => size.div_ceil(output_size) + output_size.div_ceil(size) + 2,
    };
    (longest(0, shape.height) * longest(1, shape.width)) as f64
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
        check_betas(&expected, &magnitude, overlap(&shape), |dx, beta| {
            max_pool2d_backward(dx, &dy, &indices, &shape, beta);
        });
    }

    #[test]
    fn average_pooling_on_random_shapes(shape in shapes(), seed: u64, include_pad: bool) {
        let (x, dy) = (random(shape.input_len(), seed), random(shape.output_len(), seed + 1));
        let c = overlap(&shape) + 1.0;
        let mut y = vec![f32::NAN; shape.output_len()];
        avg_pool2d_forward(&mut y, &x, &shape, include_pad);
        let expected = reference::avg_pool2d_forward(&to_f64(&x), &shape, include_pad);
        assert_within(&y, &expected, &reference::avg_pool2d_forward(&magnitudes(&x), &shape, include_pad), c);
        check_betas(
            &reference::avg_pool2d_backward(&to_f64(&dy), &shape, include_pad),
            &reference::avg_pool2d_backward(&magnitudes(&dy), &shape, include_pad),
            c,
            |dx, beta| avg_pool2d_backward(dx, &dy, &shape, include_pad, beta),
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
    Pool2dShape::new([1, size, size, 1], [kernel_size; 2], [stride; 2], [padding; 2])
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
        avg_pool2d_backward(&mut dx, &dy, &shape, true, Beta::One);
        let mut means = vec![0.0; shape.output_len()];
        avg_pool2d_forward(&mut means, &x, &shape, true);
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
    let dilated = Windows::Sliding { kernel_size: 2, stride: 1, padding: 1, dilation: 3, ceil_mode: false };
    let jumps = Pool2dShape { windows: [dilated; 2], ..square(2, 1, 1, 0) };
    assert!(reason(jumps).contains("covers no element of size 2"));
    let none = Pool2dShape { windows: [Windows::Adaptive { output_size: 0 }; 2], ..square(2, 1, 1, 0) };
    assert!(reason(none).contains("at least 1"));
}

/// In ceil mode a last window may reach over the edge, but not begin behind it; of what lies beyond the padding an
/// average knows nothing.
#[test]
fn ceil_mode_is_that_of_pytorch() {
    let axis = |kernel_size, stride, padding| Windows::Sliding {
        kernel_size,
        stride,
        padding,
        dilation: 1,
        ceil_mode: true,
    };
    assert_eq!([axis(2, 2, 0).count(5), axis(2, 2, 0).count(4), axis(2, 3, 1).count(3)], [3, 2, 2]);
    assert_eq!(axis(1, 4, 0).count(1), 1, "a second one would begin behind the image");
    let shape = Pool2dShape { width: 1, windows: [axis(2, 2, 1), axis(1, 1, 0)], ..square(4, 1, 1, 0) };
    let mut y = vec![f32::NAN; 3];
    avg_pool2d_forward(&mut y, &[2.0, 4.0, 6.0, 8.0], &shape, true);
    assert_eq!(y, [1.0, 5.0, 4.0]);
    avg_pool2d_forward(&mut y, &[2.0, 4.0, 6.0, 8.0], &shape, false);
    assert_eq!(y, [2.0, 5.0, 8.0]);
}

/// The sum does not fit into f32, the mean does.
#[test]
fn a_mean_of_large_numbers_is_finite() {
    let (x, mut y) = ([3e38; 4], [0.0]);
    global_avg_pool2d_forward(&mut y, &x, 1, 4, 1);
    assert_eq!(y, [3e38]);
    avg_pool2d_forward(&mut y, &x, &square(2, 2, 2, 0), true);
    assert_eq!(y, [3e38]);
}
