//! Cumulative sums, sorting and random numbers against their f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::collection::vec;
use proptest::prelude::*;
use tensor::cumsum::{cumsum_backward, cumsum_forward};
use tensor::layout::{gather_backward, gather_forward};
use tensor::random::{normal, uniform};
use tensor::reduce::{argmin, fold_to_shape, max_nan};
use tensor::reference::{self, assert_within, magnitudes, to_f64};
use tensor::sort::topk;
use tensor::{Beta, Shape};

/// A shape, and one of its axes. Sizes around those of a group of rows and of a block of columns.
fn shapes_with_axis() -> impl Strategy<Value = (Shape, usize)> {
    let size = prop_oneof![8 => 0..12usize, 1 => 60..70usize];
    (vec(size, 1..=3), any::<prop::sample::Index>())
        .prop_map(|(dims, axis)| (Shape::from(&dims[..]), axis.index(dims.len())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 200 }))]

    #[test]
    fn cumulative_sums((shape, axis) in shapes_with_axis(), seed: u64) {
        let x = random(shape.numel(), seed);
        let mut y = vec![f32::NAN; x.len()];
        cumsum_forward(&mut y, &x, &shape, axis);
        let magnitude = reference::cumsum_forward(&magnitudes(&x), &shape, axis);
        assert_within(&y, &reference::cumsum_forward(&to_f64(&x), &shape, axis), &magnitude, 1.0);
        check_betas(
            &reference::cumsum_backward(&to_f64(&x), &shape, axis),
            &reference::cumsum_backward(&magnitudes(&x), &shape, axis),
            1.0,
            |dx, beta| cumsum_backward(dx, &x, &shape, axis, beta),
        );
    }

    #[test]
    fn the_first_in_order((shape, axis) in shapes_with_axis(), k: prop::sample::Index, descending: bool, seed: u64) {
        // Few values, so that there are ties.
        let x: Vec<f32> = random(shape.numel(), seed).iter().map(|v| (v * 5.0).round() + 0.0).collect();
        let k = k.index(shape[axis] + 1);
        let expected = reference::topk(&to_f64(&x), &shape, axis, k, descending);
        let mut y = vec![u32::MAX; expected.len()];
        topk(&mut y, &x, &shape, axis, k, descending);
        prop_assert_eq!(&y, &expected);
        if shape[axis] > 0 && k > 0 && !descending {
            let mut first = vec![u32::MAX; shape.with_axis(axis, 1).numel()];
            argmin(&mut first, &x, &shape, axis);
            let mut one = vec![u32::MAX; first.len()];
            topk(&mut one, &x, &shape, axis, 1, false);
            prop_assert_eq!(first, one);
        }
    }
}

#[test]
fn nan_is_the_largest_and_minus_zero_is_zero() {
    let x = [0.0, f32::NAN, -1.0, -0.0, f32::INFINITY, f32::NAN];
    let order = |descending| {
        let mut y = [0; 6];
        topk(&mut y, &x, &Shape::new(&[6]), 0, 6, descending);
        y
    };
    assert_eq!(order(false), [2, 0, 3, 4, 1, 5]);
    assert_eq!(order(true), [1, 5, 4, 0, 3, 2]);
    let mut y = [9];
    argmin(&mut y, &x, &Shape::new(&[6]), 0);
    assert_eq!(y, [1]);
}

#[test]
fn random_numbers_are_functions_of_key_and_place() {
    for (kernel, reference) in [
        (uniform as fn(&mut [f32], u64), reference::uniform as fn(usize, u64) -> Vec<f64>),
        (normal, reference::normal),
    ] {
        let mut y = vec![f32::NAN; 10_000];
        kernel(&mut y, 7);
        assert_within(&y, &reference(y.len(), 7), &vec![8.0; y.len()], 1.0);
        let mut part = vec![f32::NAN; 100];
        kernel(&mut part, keyed_random::skip(7, 4321));
        assert_eq!(part, y[4321..4421]);
        check_thread_independence(|| {
            let mut y = vec![0.0; 200_000];
            kernel(&mut y, 3);
            y
        });
    }
}

/// Of 40 000 numbers, the share below each bound is that of the distribution to within four standard deviations.
#[test]
fn random_numbers_have_their_distributions() {
    const N: usize = 40_000;
    let share = |y: &[f32], bound: f32| y.iter().filter(|&&v| v < bound).count() as f64 / N as f64;
    let mut y = vec![0.0; N];
    uniform(&mut y, 1);
    for bound in [0.01f32, 0.25, 0.5, 0.9] {
        assert!((share(&y, bound) - f64::from(bound)).abs() < 4.0 * (0.25 / N as f64).sqrt(), "{bound}");
    }
    normal(&mut y, 1);
    for (bound, expected) in
        [(-2.0, 0.022_750), (-1.0, 0.158_655), (0.0, 0.5), (0.5, 0.691_462), (2.0, 0.977_250)]
    {
        assert!((share(&y, bound) - expected).abs() < 4.0 * (0.25 / N as f64).sqrt(), "{bound}");
    }
    // Neighbours do not depend on each other.
    let products: f64 = y.windows(2).map(|pair| f64::from(pair[0] * pair[1])).sum();
    assert!((products / N as f64).abs() < 4.0 / (N as f64).sqrt());
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let (shape, axis) = (Shape::new(&[90, 50, 40]), 1);
    let x = random(shape.numel(), 1);
    check_thread_independence(|| {
        let (mut sums, mut along) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        cumsum_forward(&mut sums, &x, &shape, axis);
        cumsum_backward(&mut along, &x, &shape, 2, Beta::Zero);
        let mut order = vec![0; x.len()];
        topk(&mut order, &x, &shape, axis, 50, true);
        let (mut sorted, mut back, mut largest) =
            (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; 90 * 50]);
        gather_forward(&mut sorted, &x, &order, &shape, axis);
        gather_backward(&mut back, &x, &order, &shape, axis, Beta::Zero);
        fold_to_shape(&mut largest, &x, &Shape::new(&[90, 50, 1]), &shape, f32::NEG_INFINITY, max_nan);
        [sums, along, sorted, back, largest].concat()
    });
}
