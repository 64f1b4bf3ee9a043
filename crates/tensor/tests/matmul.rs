//! The matrix product and the fully connected layer against their f64 reference.

mod common;

use common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::activation::Activation;
use tensor::linear::{
    LinearShape, linear_activation_forward, linear_backward_input, linear_backward_weight, linear_forward,
};
use tensor::matmul::{MatmulShape, batched_matmul, matmul};
use tensor::parallel::Shards;
use tensor::reduce::{Reduction, reduce_rows};
use tensor::reference::{self, assert_within, magnitudes, to_f64};
use tensor::{Beta, Shape, reduce};

/// The error bound stated in `tensor::matmul`.
fn c(k: usize) -> f64 {
    (k + 2) as f64
}

fn check_matmul(shape: &MatmulShape, seed: u64) {
    let (a, b) = (random(shape.m * shape.k, seed), random(shape.k * shape.n, seed + 1));
    let expected = reference::matmul(&to_f64(&a), &to_f64(&b), shape);
    let magnitude = reference::matmul(&magnitudes(&a), &magnitudes(&b), shape);
    check_betas(&expected, &magnitude, c(shape.k), |c, beta| matmul(c, &a, &b, shape, beta));
}

/// The longest side of a matrix: Miri takes some thousand times as long.
const MAX_SIDE: usize = if cfg!(miri) { 18 } else { 70 };

/// Sizes with 1 among them often: vectors take another path.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1), 3 => 0..MAX_SIDE.min(40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 200 }))]

    #[test]
    fn matmul_on_random_shapes(
        m in sizes(),
        k in sizes(),
        n in sizes(),
        transpose_a: bool,
        transpose_b: bool,
        seed: u64,
    ) {
        check_matmul(&MatmulShape { m, k, n, transpose_a, transpose_b }, seed);
    }

    /// Each leading axis is that of both operands, or one of them has size 1 or lacks it.
    #[test]
    fn batched_matmul_on_random_shapes(
        axes in proptest::collection::vec((0..4usize, 0..3usize), 0..=3),
        missing in 0..3usize,
        sizes in [0..6usize, 0..6, 0..6],
        [transpose_a, transpose_b]: [bool; 2],
        swap: bool,
        seed: u64,
    ) {
        let [m, k, n] = sizes;
        let shape = MatmulShape { m, k, n, transpose_a, transpose_b };
        let dims = |one: usize| axes.iter().map(|&(n, which)| if which == one { 1 } else { n }).collect::<Vec<_>>();
        let [large, mut a, mut b] = [3, 1, 2].map(dims);
        let shorter = if swap { &mut a } else { &mut b };
        if large[..missing.min(large.len())].iter().zip(&dims(if swap { 2 } else { 1 })).all(|(n, one)| n == one) {
            shorter.drain(..missing.min(axes.len()));
        }
        let [leading, a_leading, b_leading] = [large, a, b].map(|dims| Shape::from(&dims[..]));
        let (a, b) = (random(a_leading.numel() * m * k, seed), random(b_leading.numel() * k * n, seed + 1));
        let with = |f: fn(&[f32]) -> Vec<f64>| {
            reference::batched_matmul((&f(&a), &a_leading), (&f(&b), &b_leading), &leading, &shape)
        };
        check_betas(&with(to_f64), &with(magnitudes), c(k), |c, beta| {
            batched_matmul(c, (&a, &a_leading), (&b, &b_leading), &leading, &shape, beta);
        });
    }

    #[test]
    fn linear_on_random_shapes(
        batch in 0..MAX_SIDE.min(30),
        in_features in 0..MAX_SIDE,
        out_features in 0..MAX_SIDE,
        seed: u64,
    ) {
        let shape = LinearShape { batch, in_features, out_features };
        let x = random(batch * in_features, seed);
        let w = random(in_features * out_features, seed + 1);
        let bias = random(out_features, seed + 2);
        let (dy, shards) = (random(batch * out_features, seed + 3), Shards::whole(batch));
        let [x64, w64, bias64, dy64] = [&x, &w, &bias, &dy].map(|v| to_f64(v));
        let [x_abs, w_abs, bias_abs, dy_abs] = [&x, &w, &bias, &dy].map(|v| magnitudes(v));

        let expected = reference::linear_forward(&x64, &w64, Some(&bias64), &shape);
        let magnitude = reference::linear_forward(&x_abs, &w_abs, Some(&bias_abs), &shape);
        let mut y = vec![f32::NAN; batch * out_features];
        linear_forward(&mut y, &x, &w, Some(&bias), &shape, &shards);
        assert_within(&y, &expected, &magnitude, c(in_features + 1));
        linear_activation_forward(&mut y, None, &x, &w, Some(&bias), Activation::Relu, &shape, &shards);
        assert_within(&y, &reference::relu_forward(&expected), &magnitude, c(in_features + 1));
        linear_forward(&mut y, &x, &w, None, &shape, &shards);
        assert_within(&y, &reference::linear_forward(&x64, &w64, None, &shape), &magnitude, c(in_features));

        check_betas(
            &reference::linear_backward_input(&dy64, &w64, &shape),
            &reference::linear_backward_input(&dy_abs, &w_abs, &shape),
            c(out_features),
            |dx, beta| linear_backward_input(dx, &dy, &w, &shape, &shards, beta),
        );
        check_betas(
            &reference::linear_backward_weight(&dy64, &x64, &shape),
            &reference::linear_backward_weight(&dy_abs, &x_abs, &shape),
            c(batch),
            |dw, beta| linear_backward_weight(dw, &dy, &x, &shape, &shards, beta),
        );
        if out_features > 0 {
            check_betas(
                &reference::sum_rows(&dy64, out_features),
                &reference::sum_rows(&dy_abs, out_features),
                1.0,
                |db, beta| reduce_rows(db, &dy, batch, out_features, Reduction::Sum, &shards, beta),
            );
        }
    }
}

#[test]
fn matmul_over_awkward_sizes() {
    let sizes: &[usize] = if cfg!(miri) { &[1, 8, 17] } else { &[1, 2, 7, 8, 9, 16, 17, 31, 257, 300] };
    for (i, &m) in sizes.iter().enumerate() {
        for (j, &n) in sizes.iter().enumerate() {
            let k = sizes[(i + j) % sizes.len()];
            let (transpose_a, transpose_b) = (i % 2 == 0, j % 2 == 0);
            check_matmul(&MatmulShape { m, k, n, transpose_a, transpose_b }, (i * 31 + j) as u64);
        }
    }
}

#[test]
fn products_and_sums_do_not_depend_on_the_number_of_threads() {
    // Under Miri small products are cut for threads, too.
    let [m, k, n] = if cfg!(miri) { [300, 2, 5] } else { [530, 301, 517] };
    let shape = MatmulShape { m, k, n, transpose_a: true, transpose_b: false };
    let (a, b) = (random(shape.m * shape.k, 1), random(shape.k * shape.n, 2));
    check_thread_independence(|| {
        let mut c = vec![0.0; shape.m * shape.n];
        matmul(&mut c, &a, &b, &shape, Beta::Zero);
        c
    });
    let [heads, side] = if cfg!(miri) { [3, 9] } else { [37, 65] };
    let (leading, one) = (Shape::new(&[heads]), Shape::scalar());
    let shape = MatmulShape { m: side, k: side, n: side, transpose_a: true, transpose_b: true };
    let (a, b) = (random(heads * side * side, 1), random(side * side, 2));
    check_thread_independence(|| {
        let mut c = vec![0.0; a.len()];
        batched_matmul(&mut c, (&a, &leading), (&b, &one), &leading, &shape, Beta::Zero);
        c
    });
    let [batch, in_features, out_features] = if cfg!(miri) { [5, 35, 15] } else { [100, 700, 300] };
    let linear = LinearShape { batch, in_features, out_features };
    let (x, w) = (random(batch * in_features, 3), random(in_features * out_features, 4));
    let (dy, shards) = (random(batch * out_features, 5), Shards::whole(batch));
    check_thread_independence(|| {
        let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        linear_forward(&mut y, &x, &w, None, &linear, &shards);
        linear_backward_input(&mut dx, &dy, &w, &linear, &shards, Beta::Zero);
        linear_backward_weight(&mut dw, &dy, &x, &linear, &shards, Beta::Zero);
        [y, dx, dw].concat()
    });
    let n_rows = if cfg!(miri) { 100 } else { 30_000 };
    let long = random(n_rows * 100, 6);
    check_thread_independence(|| {
        let mut db = vec![0.0; 100];
        reduce_rows(&mut db, &long, n_rows, 100, Reduction::Sum, &Shards::whole(n_rows), Beta::Zero);
        db.push(reduce::sum(&long));
        db
    });
}

#[test]
fn nan_in_the_operands_reaches_the_result() {
    let shape = LinearShape { batch: 1, in_features: 2, out_features: 1 };
    let (x, w, shards) = ([f32::NAN, 1.0], [1.0, 1.0], Shards::whole(1));
    for activation in [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
        let mut y = [0.0; 1];
        linear_activation_forward(&mut y, None, &x, &w, None, activation, &shape, &shards);
        assert!(y[0].is_nan(), "{activation:?}");
    }
}

#[test]
#[should_panic(expected = "matmul: [4611686018427387905, 4] has more elements than memory can address")]
fn sizes_whose_product_wraps_around_are_refused() {
    // 4 · (2⁶² + 1) is 4 in 64 bits: without a check, rows far outside of `c` would be written.
    let shape = MatmulShape { m: (1 << 62) + 1, k: 0, n: 4, transpose_a: false, transpose_b: false };
    matmul(&mut [0.0; 4], &[], &[], &shape, Beta::Zero);
}

#[test]
#[should_panic(expected = "matmul: a is m x k = 2 x 3")]
fn a_wrong_length_panics_with_the_sizes() {
    let shape = MatmulShape { m: 2, k: 3, n: 1, transpose_a: false, transpose_b: false };
    matmul(&mut [0.0; 2], &[0.0; 5], &[0.0; 3], &shape, Beta::Zero);
}
