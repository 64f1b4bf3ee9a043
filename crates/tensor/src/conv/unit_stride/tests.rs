//! Compares the fast algorithms with the sum over taps, on every instruction set.

use proptest::prelude::*;

use super::*;
use crate::activation::Activation;
use crate::conv::Algorithm;
use crate::conv::Conv2dShape;
use crate::conv::choose::Plan;
use crate::conv::testing::{Magnitude, shapes};
use crate::norm::{Channels, Pointwise};
use crate::reference::{self, assert_within, magnitudes, to_f64};
use crate::testing::{assert_same_on_any_threads, cases, levels, values};

/// The fast algorithms that support a shape, on every instruction set.
fn each_convolution(shape: &Conv2dShape) -> Vec<UnitStride> {
    [Algorithm::Direct, Algorithm::Winograd]
        .into_iter()
        .filter_map(|algorithm| match Plan::new(shape, algorithm)? {
            Plan::UnitStride(convolution) => Some(convolution),
            Plan::Im2col | Plan::Depthwise(_) => None,
        })
        .flat_map(|convolution| levels().into_iter().map(move |level| UnitStride { level, ..convolution }))
        .collect()
}

/// The basis of a kernel's error bound: the magnitude of its sums.
fn magnitude_of(convolution: &UnitStride) -> Magnitude {
    match convolution.method {
        Method::Direct => Magnitude::Direct,
        Method::Winograd => Magnitude::Winograd,
    }
}

/// The roundings besides those of the main sum: two at the ends of a direct sum, thirty in the transforms.
fn extra_roundings(convolution: &UnitStride) -> usize {
    match convolution.method {
        Method::Direct => 2,
        Method::Winograd => 30,
    }
}

fn add(mut gradient: Vec<f64>, before: &[f64]) -> Vec<f64> {
    gradient.iter_mut().zip(before).for_each(|(gradient, before)| *gradient += before);
    gradient
}

/// Shapes for all algorithms: half of them 3×3.
fn kernel_sizes() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![3 => Just(3usize), 1 => 1usize..=5]
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn forward_is_the_sum_over_taps(shape in shapes(kernel_sizes()), seed: u64) {
        let x = values(shape.input_len(), seed);
        let w = values(shape.weight_len(), seed ^ 1);
        let bias = values(shape.out_channels, seed ^ 2);
        let expected = reference::conv2d_forward(&to_f64(&x), &to_f64(&w), Some(&to_f64(&bias)), &shape);
        for convolution in each_convolution(&shape) {
            let mut y = vec![f32::NAN; shape.output_len()];
            convolution.forward(&mut y, Images::Dense(&x), &w, Some(&bias));
            let magnitude = magnitude_of(&convolution).forward(&x, &w, &shape);
            let magnitude: Vec<f64> = magnitude
                .iter()
                .zip(magnitudes(&bias).iter().cycle())
                .map(|(products, bias)| products + bias)
                .collect();
            let n_terms = shape.patch_len() + extra_roundings(&convolution);
            assert_within(&y, &expected, &magnitude, n_terms as f64);
        }
    }

    #[test]
    fn input_gradient_is_the_sum_over_taps(shape in shapes(kernel_sizes()), seed: u64) {
        let dy = values(shape.output_len(), seed);
        let w = values(shape.weight_len(), seed ^ 1);
        let before = values(shape.input_len(), seed ^ 2);
        let gradient = reference::conv2d_backward_input(&to_f64(&dy), &to_f64(&w), &shape);
        let expected = add(gradient, &to_f64(&before));
        for convolution in each_convolution(&shape) {
            let mut dx = before.clone();
            convolution.backward_input(&mut dx, Images::Dense(&dy), &w, Beta::One);
            let magnitude = add(magnitude_of(&convolution).backward_input(&dy, &w, &shape), &magnitudes(&before));
            let n_terms = convolution.geometry.n_taps() * shape.out_channels + extra_roundings(&convolution);
            assert_within(&dx, &expected, &magnitude, n_terms as f64);
        }
    }

    #[test]
    fn weight_gradient_is_the_sum_over_pixels(shape in shapes(kernel_sizes()), seed: u64) {
        let dy = values(shape.output_len(), seed);
        let x = values(shape.input_len(), seed ^ 1);
        let before = values(shape.weight_len(), seed ^ 2);
        let gradient = reference::conv2d_backward_weight(&to_f64(&dy), &to_f64(&x), &shape);
        let expected = add(gradient, &to_f64(&before));
        for convolution in each_convolution(&shape) {
            let mut dw = before.clone();
            convolution.backward_weight(&mut dw, Images::Dense(&dy), Images::Dense(&x), &Shards::whole(shape.batch), Beta::One);
            let magnitude = add(magnitude_of(&convolution).backward_weight(&dy, &x, &shape), &magnitudes(&before));
            let n_terms = shape.batch * shape.out_height() * shape.out_width() + extra_roundings(&convolution) + 10;
            assert_within(&dw, &expected, &magnitude, n_terms as f64);
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_computed_input_gives_the_bits_of_the_stored_one(shape in shapes(kernel_sizes()), seed: u64) {
        let (x, w) = (values(shape.input_len(), seed), values(shape.weight_len(), seed ^ 1));
        let (dy, table) = (values(shape.output_len(), seed ^ 2), values(Channels::TABLE_ROWS * shape.in_channels, seed ^ 3));
        let channels = Some(Channels::of_table(&table));
        for (channels, activation) in [(None, Some(Activation::Gelu)), (channels, None), (channels, Some(Activation::Silu))] {
            let computed = Pointwise { x: &x, channels, activation };
            let mut stored = vec![f32::NAN; x.len()];
            computed.write(&mut stored);
            for convolution in each_convolution(&shape) {
                let passes = |x: Images<'_>| {
                    let (mut y, mut dw) = (vec![f32::NAN; dy.len()], vec![f32::NAN; w.len()]);
                    convolution.forward(&mut y, x, &w, None);
                    let shards = Shards::whole(shape.batch);
                    convolution.backward_weight(&mut dw, Images::Dense(&dy), x, &shards, Beta::Zero);
                    [y, dw].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
                };
                prop_assert_eq!(passes(computed.into()), passes(Images::Dense(&stored)));
            }
        }
    }
}

/// Five tasks of images, and channels that do not fill vectors.
const USUAL: Conv2dShape = Conv2dShape::same(35, [9, 7], [20, 24], 3);

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let shape = if cfg!(miri) { Conv2dShape::same(9, [3, 5], [2, 3], 3) } else { USUAL };
    let x = values(shape.input_len(), 1);
    let dy = values(shape.output_len(), 2);
    let w = values(shape.weight_len(), 3);
    for convolution in each_convolution(&shape) {
        assert_same_on_any_threads(|| {
            let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
            convolution.forward(&mut y, Images::Dense(&x), &w, None);
            convolution.backward_input(&mut dx, Images::Dense(&dy), &w, Beta::Zero);
            convolution.backward_weight(
                &mut dw,
                Images::Dense(&dy),
                Images::Dense(&x),
                &Shards::whole(shape.batch),
                Beta::Zero,
            );
            [y, dx, dw].concat()
        });
    }
}

/// Images share chunks of tiles with others of their task, and tasks grow with the weights. So this tests a
/// usual shape and one whose transformed weights do not fit in the L2 cache.
#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn an_image_comes_out_the_same_in_any_batch() {
    let heavy = Conv2dShape::same(100, [3, 3], [128, 128], 3);
    let n_tasks = |shape: &Conv2dShape| {
        winograd::n_tasks(&Geometry::of(shape).unwrap(), shape.batch, Shards::whole(shape.batch).n_shards())
    };
    assert_eq!((n_tasks(&USUAL), n_tasks(&heavy)), (5, 2), "the heavy shape has larger tasks");
    for shape in [USUAL, heavy] {
        let x = values(shape.input_len(), 1);
        let dy = values(shape.output_len(), 2);
        let w = values(shape.weight_len(), 3);
        for convolution in each_convolution(&shape) {
            let convolve = |x: &[f32], dy: &[f32]| {
                let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
                convolution.forward(&mut y, Images::Dense(x), &w, None);
                convolution.backward_input(&mut dx, Images::Dense(dy), &w, Beta::Zero);
                (y, dx)
            };
            let (y, dx) = convolve(&x, &dy);
            let (x_len, y_len) = (x.len() / shape.batch, y.len() / shape.batch);
            for image in 0..shape.batch {
                let (xs, ys) = (image * x_len..(image + 1) * x_len, image * y_len..(image + 1) * y_len);
                let (y_alone, dx_alone) = convolve(&x[xs.clone()], &dy[ys.clone()]);
                assert_eq!(y_alone, y[ys], "{convolution:?}: the output of image {image}");
                assert_eq!(dx_alone, dx[xs], "{convolution:?}: the input gradient of image {image}");
            }
        }
    }
}
