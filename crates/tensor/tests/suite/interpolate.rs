//! Resizing against its f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::interpolate::{
    Interpolate2dShape, Interpolation, ResizeTo, interpolate2d_backward, interpolate2d_forward,
};
use tensor::reference::{self, assert_within, magnitudes, to_f64};

fn modes() -> impl Strategy<Value = Interpolation> {
    prop::sample::select(vec![
        Interpolation::Nearest,
        Interpolation::Bilinear { align_corners: false },
        Interpolation::Bilinear { align_corners: true },
    ])
}

/// Images down to a single pixel, made larger and smaller, by sizes and by factors.
fn shapes() -> impl Strategy<Value = Interpolate2dShape> {
    let axis = || (1..9usize, 1..12usize, 0.3..3.5f64);
    (0..3usize, 1..20usize, axis(), axis(), any::<bool>(), modes()).prop_map(
        |(batch, channels, rows, columns, by_factor, mode)| {
            let (height, width) = (rows.0, columns.0);
            let factor = |(size, _, factor): (usize, usize, f64)| factor.max(1.0 / size as f64);
            let to = match by_factor {
                true => ResizeTo::ScaleFactor([factor(rows), factor(columns)]),
                false => ResizeTo::Size([rows.1, columns.1]),
            };
            Interpolate2dShape { batch, height, width, channels, to, mode }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn resizing_on_random_shapes(shape in shapes(), seed: u64) {
        let (x, dy) = (random(shape.input_len(), seed), random(shape.output_len(), seed + 1));
        let mut y = vec![f32::NAN; shape.output_len()];
        interpolate2d_forward(&mut y, &x, &shape);
        let expected = reference::interpolate2d_forward(&to_f64(&x), &shape);
        assert_within(&y, &expected, &reference::interpolate2d_forward(&magnitudes(&x), &shape), 6.0);
        // An element is read by as many outputs as lie within a pixel of it.
        let [height, width] = shape.out_size();
        let terms = (2 * height.div_ceil(shape.height) + 4) * (2 * width.div_ceil(shape.width) + 4);
        check_betas(
            &reference::interpolate2d_backward(&to_f64(&dy), &shape),
            &reference::interpolate2d_backward(&magnitudes(&dy), &shape),
            terms as f64,
            |dx, beta| interpolate2d_backward(dx, &dy, &shape, beta),
        );
    }
}

/// One row of these pixels, resized.
fn row(x: &[f32], to: ResizeTo, mode: Interpolation) -> Vec<f32> {
    let shape = Interpolate2dShape { batch: 1, height: 1, width: x.len(), channels: 1, to, mode };
    let mut y = vec![f32::NAN; shape.output_len()];
    interpolate2d_forward(&mut y, x, &shape);
    y
}

#[test]
fn a_row_made_longer_and_shorter() {
    let to = |width| ResizeTo::Size([1, width]);
    let x = [0.0, 4.0, 8.0];
    let bilinear = |align_corners| Interpolation::Bilinear { align_corners };
    assert_eq!(row(&x, to(6), Interpolation::Nearest), [0.0, 0.0, 4.0, 4.0, 8.0, 8.0]);
    assert_eq!(row(&x, to(2), Interpolation::Nearest), [0.0, 4.0]);
    assert_eq!(row(&x, to(6), bilinear(false)), [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]);
    assert_eq!(row(&x, to(5), bilinear(true)), [0.0, 2.0, 4.0, 6.0, 8.0]);
    assert_eq!(row(&x, to(1), bilinear(true)), [0.0]);
    // Four pixels from three by a factor: the step is that of the factor.
    assert_eq!(row(&x, ResizeTo::ScaleFactor([1.0, 1.5]), Interpolation::Nearest), [0.0, 0.0, 4.0, 8.0]);
    assert_eq!(row(&x, ResizeTo::ScaleFactor([1.0, 1.2]), bilinear(false)), x);
}

#[test]
fn the_nearest_pixel_is_alone_in_what_it_hands_on() {
    let y = row(&[1.0, f32::INFINITY, f32::NAN], ResizeTo::Size([1, 6]), Interpolation::Nearest);
    assert_eq!(y[..4], [1.0, 1.0, f32::INFINITY, f32::INFINITY]);
    assert!(y[4..].iter().all(|v| v.is_nan()));
}

#[test]
fn resizing_does_not_depend_on_the_number_of_threads() {
    for mode in [Interpolation::Nearest, Interpolation::Bilinear { align_corners: false }] {
        let to = ResizeTo::Size([33, 27]);
        let shape = Interpolate2dShape { batch: 9, height: 20, width: 21, channels: 16, to, mode };
        let (x, dy) = (random(shape.input_len(), 1), random(shape.output_len(), 2));
        check_thread_independence(|| {
            let (mut y, mut dx) = (vec![0.0; shape.output_len()], vec![0.0; shape.input_len()]);
            interpolate2d_forward(&mut y, &x, &shape);
            interpolate2d_backward(&mut dx, &dy, &shape, Beta::Zero);
            [y, dx].concat()
        });
    }
}

#[test]
fn an_invalid_shape_says_what_is_wrong() {
    let reason = |height: usize, to: ResizeTo| {
        let mode = Interpolation::Nearest;
        Interpolate2dShape { batch: 1, height, width: 4, channels: 1, to, mode }.validate().unwrap_err()
    };
    assert!(reason(0, ResizeTo::Size([1, 1])).contains("an image of 0 x 4 has no pixel"));
    assert!(reason(4, ResizeTo::Size([0, 1])).contains("the output of 0 x 1 has no pixel"));
    assert!(reason(4, ResizeTo::ScaleFactor([0.1, 1.0])).contains("the output of 0 x 4 has no pixel"));
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(reason(4, ResizeTo::ScaleFactor([factor, 1.0])).contains("must be a positive number"));
    }
    assert!(reason(4, ResizeTo::ScaleFactor([1e300, 1.0])).contains("more elements than memory can address"));
}
