//! Broadcasting, reductions and rearrangements against their f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::collection::vec;
use proptest::prelude::*;
use tensor::broadcast::{
    broadcast_forward, broadcast_shapes, broadcast_zip, broadcast_zip3, reduce_to_shape,
};
use tensor::layout::{
    concat_part, gather_backward, gather_forward, inverse_permutation, permute, permuted_shape,
    slice_backward, slice_forward,
};
use tensor::reduce::{Reduction, argmax, fold_to_shape, max_nan};
use tensor::reference::{self, assert_within, magnitudes, to_f64};
use tensor::{Beta, Shape};

/// Shapes of rank 0 to 6, sizes 0 to 4.
fn shapes() -> impl Strategy<Value = Shape> {
    vec(prop_oneof![9 => 1..5usize, 1 => Just(0)], 0..=6).prop_map(|dims| Shape::from(&dims[..]))
}

/// A shape, and one that broadcasts to it.
fn broadcast_pairs() -> impl Strategy<Value = (Shape, Shape)> {
    (shapes(), any::<u8>(), 0..7usize).prop_map(|(large, ones, missing)| {
        let dims: Vec<usize> =
            large.iter().enumerate().map(|(axis, &n)| if ones >> axis & 1 == 1 { 1 } else { n }).collect();
        (Shape::from(&dims[missing.min(dims.len())..]), large)
    })
}

/// A shape of at least one axis, and one of its axes.
fn shapes_with_axis() -> impl Strategy<Value = (Shape, usize)> {
    (shapes().prop_filter("needs an axis", |shape| shape.rank() > 0), any::<prop::sample::Index>())
        .prop_map(|(shape, axis)| (shape, axis.index(shape.rank())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn broadcasting_and_its_adjoint((small, large) in broadcast_pairs(), seed: u64) {
        let (x, dy) = (random(small.numel(), seed), random(large.numel(), seed + 1));
        prop_assert_eq!(broadcast_shapes(&small, &large), Some(large));
        check_betas(
            &reference::broadcast_forward(&to_f64(&x), &small, &large),
            &reference::broadcast_forward(&magnitudes(&x), &small, &large),
            0.0,
            |y, beta| broadcast_forward(y, &x, &small, &large, beta),
        );
        // One rounding for each alternation of kept and summed axes, of which six axes have three.
        check_betas(
            &reference::reduce_to_shape(&to_f64(&dy), &small, &large),
            &reference::reduce_to_shape(&magnitudes(&dy), &small, &large),
            3.0,
            |dx, beta| reduce_to_shape(dx, &dy, &small, &large, Reduction::Sum, None, beta),
        );
    }

    #[test]
    fn zipping_two_broadcast_operands((a_shape, large) in broadcast_pairs(), ones: u8, swap: bool, seed: u64) {
        let mut b_shape = large;
        for axis in (0..large.rank()).filter(|axis| ones >> axis & 1 == 1) {
            b_shape = b_shape.with_axis(axis, 1);
        }
        let shape = broadcast_shapes(&a_shape, &b_shape).unwrap();
        let (a, b) = (random(a_shape.numel(), seed), random(b_shape.numel(), seed + 1));
        let mut y = vec![f32::NAN; shape.numel()];
        let (a64, b64) = (to_f64(&a), to_f64(&b));
        let wide_a = reference::broadcast_forward(&a64, &a_shape, &shape);
        let wide_b = reference::broadcast_forward(&b64, &b_shape, &shape);
        let expected: Vec<f64> = if swap {
            broadcast_zip(&mut y, (&b, &b_shape), (&a, &a_shape), &shape, |b, a| a - 2.0 * b);
            wide_a.iter().zip(&wide_b).map(|(a, b)| a - 2.0 * b).collect()
        } else {
            broadcast_zip(&mut y, (&a, &a_shape), (&b, &b_shape), &shape, |a, b| a - 2.0 * b);
            wide_a.iter().zip(&wide_b).map(|(a, b)| a - 2.0 * b).collect()
        };
        assert_within(&y, &expected, &vec![3.0; y.len()], 1.0);

        let dy = random(y.len(), seed + 2);
        let all: [(&[f32], &Shape); 3] = [(&dy, &shape), (&a, &a_shape), (&b, &b_shape)];
        for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
            let place = [0, 1, 2].map(|i| order.iter().position(|&at| at == i).unwrap());
            broadcast_zip3(&mut y, order.map(|i| all[i]), &shape, |p, q, r| {
                let [dy, a, b] = place.map(|at| [p, q, r][at]);
                dy * (a - 2.0 * b)
            });
            let expected = (0..y.len()).map(|i| f64::from(dy[i]) * (wide_a[i] - 2.0 * wide_b[i]));
            assert_within(&y, &expected.collect::<Vec<_>>(), &vec![3.0; y.len()], 2.0);
        }
        // The first alone is as large as the result, and none is.
        let (number, one) = ([dy.first().copied().unwrap_or(0.5)], Shape::scalar());
        let wide = |(x, x_shape): (&[f32], &Shape)| reference::broadcast_forward(&to_f64(x), x_shape, &shape);
        for operands in [
            [all[1], (&number, &one), (&number, &one)],
            [(&number, &one), all[1], all[2]],
            [(&number, &one), (&number, &one), all[2]],
            [(&number, &one), (&number, &one), (&number, &one)],
        ] {
            broadcast_zip3(&mut y, operands, &shape, |p, q, r| p * (q - 2.0 * r));
            let [p, q, r] = operands.map(wide);
            let expected = (0..y.len()).map(|i| p[i] * (q[i] - 2.0 * r[i]));
            assert_within(&y, &expected.collect::<Vec<_>>(), &vec![3.0; y.len()], 2.0);
        }
    }

    /// Sides around those of a tile.
    #[test]
    fn transposing_matrices(n in 1..4usize, rows in 1..50usize, cols in 1..50usize, seed: u64) {
        let shape = Shape::new(&[n, rows, cols]);
        let x = random(shape.numel(), seed);
        let expected = reference::permute(&to_f64(&x), &shape, &[0, 2, 1]);
        let magnitude = reference::permute(&magnitudes(&x), &shape, &[0, 2, 1]);
        check_betas(&expected, &magnitude, 0.0, |y, beta| permute(y, &x, &shape, &[0, 2, 1], beta));
    }

    #[test]
    fn permuting_and_back(shape in shapes(), order in Just([0usize, 1, 2, 3, 4, 5]).prop_shuffle(), seed: u64) {
        let axes: Vec<usize> = order.into_iter().filter(|&axis| axis < shape.rank()).collect();
        let x = random(shape.numel(), seed);
        let expected = reference::permute(&to_f64(&x), &shape, &axes);
        let magnitude = reference::permute(&magnitudes(&x), &shape, &axes);
        check_betas(&expected, &magnitude, 0.0, |y, beta| permute(y, &x, &shape, &axes, beta));

        let (mut y, mut back) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        permute(&mut y, &x, &shape, &axes, Beta::Zero);
        let inverse = inverse_permutation(&axes);
        permute(&mut back, &y, &permuted_shape(&shape, &axes), &inverse[..axes.len()], Beta::Zero);
        prop_assert_eq!(x, back);
    }

    #[test]
    fn slicing_and_concatenating((shape, axis) in shapes_with_axis(), cuts: (prop::sample::Index, prop::sample::Index), seed: u64) {
        let n = shape[axis];
        let (a, b) = (cuts.0.index(n + 1), cuts.1.index(n + 1));
        let range = a.min(b)..a.max(b);
        let x = random(shape.numel(), seed);
        let part_len = shape.with_axis(axis, range.len()).numel();
        check_betas(
            &reference::slice_forward(&to_f64(&x), &shape, axis, range.clone()),
            &vec![1.0; part_len],
            0.0,
            |y, beta| slice_forward(y, &x, &shape, axis, range.clone(), beta),
        );
        let dy = random(part_len, seed + 1);
        check_betas(
            &reference::slice_backward(&to_f64(&dy), &shape, axis, range.clone()),
            &vec![1.0; x.len()],
            0.0,
            |dx, beta| slice_backward(dx, &dy, &shape, axis, range.clone(), beta),
        );
        // Cut into three and put together again.
        let mut whole = vec![f32::NAN; x.len()];
        for range in [0..range.start, range.clone(), range.end..n] {
            let mut part = vec![f32::NAN; shape.with_axis(axis, range.len()).numel()];
            slice_forward(&mut part, &x, &shape, axis, range.clone(), Beta::Zero);
            concat_part(&mut whole, &part, &shape, axis, range);
        }
        prop_assert_eq!(x, whole);
    }

    #[test]
    fn gathering((shape, axis) in shapes_with_axis(), n_picked in 0..6usize, seed: u64) {
        prop_assume!(shape[axis] > 0);
        let x = random(shape.numel(), seed);
        let picked: Vec<u32> = random(shape.with_axis(axis, n_picked).numel(), seed + 1)
            .iter()
            .map(|v| ((v + 1.0) / 2.0 * shape[axis] as f32) as u32)
            .collect();
        let mut y = vec![f32::NAN; picked.len()];
        gather_forward(&mut y, &x, &picked, &shape, axis);
        prop_assert_eq!(to_f64(&y), reference::gather_forward(&to_f64(&x), &picked, &shape, axis));
        let dy = random(picked.len(), seed + 2);
        check_betas(
            &reference::gather_backward(&to_f64(&dy), &picked, &shape, axis),
            &reference::gather_backward(&magnitudes(&dy), &picked, &shape, axis),
            n_picked as f64,
            |dx, beta| gather_backward(dx, &dy, &picked, &shape, axis, beta),
        );
    }

    #[test]
    fn the_largest_and_where_it_is((shape, axis) in shapes_with_axis(), seed: u64) {
        prop_assume!(shape[axis] > 0);
        // Few values, so that there are ties.
        let x: Vec<f32> = random(shape.numel(), seed).iter().map(|v| (v * 3.0).round()).collect();
        let kept = shape.with_axis(axis, 1);
        let (mut indices, mut largest) = (vec![u32::MAX; kept.numel()], vec![f32::NAN; kept.numel()]);
        argmax(&mut indices, &x, &shape, axis);
        fold_to_shape(&mut largest, &x, &kept, &shape, f32::NEG_INFINITY, max_nan);
        for (idx, (&first, &largest)) in indices.iter().zip(&largest).enumerate() {
            let inner: usize = shape[axis + 1..].iter().product();
            let column: Vec<f32> =
                (0..shape[axis]).map(|i| x[(idx / inner * shape[axis] + i) * inner + idx % inner]).collect();
            prop_assert_eq!(column.iter().copied().fold(f32::NEG_INFINITY, f32::max), largest);
            prop_assert_eq!(column.iter().position(|&v| v == largest), Some(first as usize));
        }
    }
}

#[test]
fn rearranging_does_not_depend_on_the_number_of_threads() {
    let shape = Shape::new(&[50, 20, 30, 10]);
    let x = random(shape.numel(), 1);
    check_thread_independence(|| {
        let mut y = vec![0.0; x.len()];
        permute(&mut y, &x, &shape, &[2, 0, 3, 1], Beta::Zero);
        let mut sums = vec![0.0; 20 * 10];
        reduce_to_shape(&mut sums, &x, &Shape::new(&[20, 1, 10]), &shape, Reduction::Sum, None, Beta::Zero);
        broadcast_forward(&mut y, &sums, &Shape::new(&[20, 1, 10]), &shape, Beta::One);
        [y, sums].concat()
    });
}

#[test]
fn shapes_that_do_not_broadcast() {
    let shapes = |a: &[usize], b: &[usize]| broadcast_shapes(&Shape::new(a), &Shape::new(b));
    assert_eq!(shapes(&[2, 3], &[2]), None);
    assert_eq!(shapes(&[2, 1], &[3]), Some(Shape::new(&[2, 3])));
    assert_eq!(shapes(&[0], &[1]), Some(Shape::new(&[0])));
    assert_eq!(shapes(&[], &[4]), Some(Shape::new(&[4])));
}

#[test]
#[should_panic(expected = "shape [3] does not broadcast to [2, 2]")]
fn reducing_to_a_shape_that_does_not_fit_panics() {
    let (x_shape, y_shape) = (Shape::new(&[3]), Shape::new(&[2, 2]));
    reduce_to_shape(&mut [0.0; 3], &[0.0; 4], &x_shape, &y_shape, Reduction::Sum, None, Beta::Zero);
}

#[test]
#[should_panic(expected = "[0, 0] is not a permutation of the 2 axes of [2, 2]")]
fn a_repeated_axis_is_no_permutation() {
    permuted_shape(&Shape::new(&[2, 2]), &[0, 0]);
}

#[test]
#[should_panic(expected = "index 5 at position 1 is out of bounds for axis 0 of [3]")]
fn a_gather_index_out_of_bounds_panics() {
    gather_forward(&mut [0.0; 2], &[0.0; 3], &[1, 5], &Shape::new(&[3]), 0);
}
