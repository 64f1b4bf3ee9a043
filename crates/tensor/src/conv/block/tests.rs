//! Compares the block with its parts, and its gradients with the dense reference.

use proptest::prelude::*;
use simd::Level;

use super::*;
use crate::activation::Activation;
use crate::conv::conv2d_forward;
use crate::conv::testing::{Magnitude, shapes};
use crate::norm::Channels;
use crate::pool::{Pool2dShape, max_pool2d_forward};
use crate::reference::{self, assert_within, magnitudes, to_f64};
use crate::testing::{assert_same_on_any_threads, cases, levels, values};

/// All possible blocks: 3×3, an output of at least 2×2.
fn block_shapes() -> impl Strategy<Value = Conv2dShape> {
    shapes(Just(3usize)).prop_map(|mut shape| {
        shape.height = shape.height.max(4 - 2 * shape.padding[0].min(1));
        shape.width = shape.width.max(4 - 2 * shape.padding[1].min(1));
        shape
    })
}

/// The block, computed in a given way.
fn block(shape: &Conv2dShape, algorithm: Algorithm, level: Level) -> Block {
    let Some(Plan::UnitStride(convolution)) = Plan::new(shape, algorithm) else {
        panic!("not of unit stride")
    };
    Block { convolution: UnitStride { level, ..convolution }, ..Block::plan(shape).unwrap() }
}

/// The block with or without the ReLU.
fn of(block: Block, relu: bool) -> Block {
    if relu { block } else { block.without_relu() }
}

fn pool_shape(shape: &Conv2dShape) -> Pool2dShape {
    let images = [shape.batch, shape.out_height(), shape.out_width(), shape.out_channels];
    Pool2dShape::new(images, [2, 2], [2, 2], [0, 0])
}

/// The gradient before the pool: `dy` at its argmax (with a ReLU, only where the output is positive or NaN),
/// otherwise zero.
fn unpooled(dy: &[f32], y: &[f32], argmax: &[u8], relu: bool, shape: &Conv2dShape) -> Vec<f64> {
    let (rows, cols, channels) = (shape.out_height() / 2, shape.out_width() / 2, shape.out_channels);
    let mut dense = vec![0.0; shape.output_len()];
    for idx in (0..y.len()).filter(|&idx| !relu || y[idx] > 0.0 || y[idx].is_nan()) {
        let (pixel, channel) = (idx / channels, idx % channels);
        let (image, row, col) = (pixel / (rows * cols), pixel / cols % rows, pixel % cols);
        let (row, col) = (2 * row + usize::from(argmax[idx] / 2), 2 * col + usize::from(argmax[idx] % 2));
        dense[((image * shape.out_height() + row) * shape.out_width() + col) * channels + channel] =
            f64::from(dy[idx]);
    }
    dense
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn forward_is_convolution_relu_and_pool(shape in block_shapes(), relu: bool, seed: u64) {
        let block = of(block(&shape, Algorithm::Direct, Level::current()), relu);
        let x = values(shape.input_len(), seed);
        let w = values(shape.weight_len(), seed ^ 1);
        let bias = values(shape.out_channels, seed ^ 2);
        let pool = pool_shape(&shape);
        let pooled_len = block.output_len();

        let mut dense = vec![0.0; shape.output_len()];
        conv2d_forward(&mut dense, &x, &w, Some(&bias), &shape, Algorithm::Direct);
        if relu {
            dense.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        let (mut expected, mut indices) = (vec![0.0; pooled_len], vec![0; pooled_len]);
        max_pool2d_forward(&mut expected, &mut indices, &dense, &pool);

        let (mut y, mut argmax) = (vec![f32::NAN; pooled_len], vec![9; pooled_len]);
        conv_pool_forward(&mut y, &mut argmax, &x, &w, Some(&bias), &block);
        prop_assert_eq!(&y, &expected);
        for idx in (0..pooled_len).filter(|&idx| !relu || y[idx] > 0.0) {
            let (row, col) = (indices[idx] as usize / pool.width, indices[idx] as usize % pool.width);
            prop_assert_eq!(usize::from(argmax[idx]), row % 2 * 2 + col % 2);
        }
    }

    #[test]
    fn every_algorithm_pools_what_it_convolves(shape in block_shapes(), relu: bool, seed: u64) {
        let x = values(shape.input_len(), seed);
        let w = values(shape.weight_len(), seed ^ 1);
        let pooled_len = pool_shape(&shape).output_len();
        let dense = reference::conv2d_forward(&to_f64(&x), &to_f64(&w), None, &shape);
        let (expected, _) = reference::max_pool2d_forward(&dense, &pool_shape(&shape));
        let expected: Vec<f64> = expected.iter().map(|&v| if relu { v.max(0.0) } else { v }).collect();
        let algorithms =
            [(Algorithm::Direct, Magnitude::Direct, 2), (Algorithm::Winograd, Magnitude::Winograd, 30)];
        for (algorithm, magnitude, extra_roundings) in algorithms {
            let magnitude = magnitude.forward(&x, &w, &shape);
            // The error of the maximum is at most the largest in its window.
            let (magnitude, _) = reference::max_pool2d_forward(&magnitude, &pool_shape(&shape));
            for level in levels() {
                let (mut y, mut argmax) = (vec![f32::NAN; pooled_len], vec![9; pooled_len]);
                let block = of(block(&shape, algorithm, level), relu);
                conv_pool_forward(&mut y, &mut argmax, &x, &w, None, &block);
                assert_within(&y, &expected, &magnitude, (9 * shape.in_channels + extra_roundings) as f64);
                prop_assert!(argmax.iter().all(|&position| position < 4));
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_dense_parts(
        shape in block_shapes(), relu: bool, seed: u64, density in 0.0f32..=1.0,
    ) {
        let pooled_len = pool_shape(&shape).output_len();
        let x = values(shape.input_len(), seed);
        let w = values(shape.weight_len(), seed ^ 1);
        let dy = values(pooled_len, seed ^ 2);
        let y: Vec<f32> = values(pooled_len, seed ^ 3).iter().map(|v| v + 2.0 * density - 1.0).collect();
        let argmax: Vec<u8> = values(pooled_len, seed ^ 4).iter().map(|v| (2.0 * v + 2.0) as u8).collect();
        let dense = unpooled(&dy, &y, &argmax, relu, &shape);
        let dense_magnitude: Vec<f64> = dense.iter().map(|v| v.abs()).collect();
        let add = |mut gradient: Vec<f64>, before: &[f64]| {
            gradient.iter_mut().zip(before).for_each(|(gradient, before)| *gradient += before);
            gradient
        };
        let before = [shape.input_len(), shape.weight_len(), shape.out_channels].map(|n| values(n, seed ^ 5));
        let before64 = before.each_ref().map(|before| to_f64(before));
        let ones = before.each_ref().map(|before| vec![1.0; before.len()]);

        for level in levels() {
            let [mut dx, mut dw, mut db] = before.clone();
            let pooled = PooledGradient { dy: &dy, y: &y, argmax: &argmax };
            let db_out = Some((&mut db[..], Beta::One));
            let dx_out = Some((&mut dx[..], Beta::One));
            // Without a ReLU the gradients are the convolution's own, with the bounds below.
            let algorithm = if relu { Algorithm::Auto } else { Algorithm::Direct };
            let block = of(block(&shape, algorithm, level), relu);
            conv_pool_backward(dx_out, (&mut dw, Beta::One), db_out, pooled, &x, &w, &block, &Shards::whole(shape.batch));

            let n_outputs = (shape.batch * shape.out_height() * shape.out_width()) as f64;
            assert_within(
                &dw,
                &add(reference::conv2d_backward_weight(&dense, &to_f64(&x), &shape), &before64[1]),
                &add(reference::conv2d_backward_weight(&dense_magnitude, &magnitudes(&x), &shape), &ones[1]),
                n_outputs + 10.0,
            );
            assert_within(
                &dx,
                &add(reference::conv2d_backward_input(&dense, &to_f64(&w), &shape), &before64[0]),
                &add(reference::conv2d_backward_input(&dense_magnitude, &magnitudes(&w), &shape), &ones[0]),
                (9 * shape.out_channels) as f64 + 2.0,
            );
            assert_within(
                &db,
                &add(reference::sum_rows(&dense, shape.out_channels), &before64[2]),
                &add(reference::sum_rows(&dense_magnitude, shape.out_channels), &ones[2]),
                n_outputs + 10.0,
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_computed_input_gives_the_bits_of_the_stored_one(shape in block_shapes(), relu: bool, seed: u64) {
        let (x, w) = (values(shape.input_len(), seed), values(shape.weight_len(), seed ^ 1));
        let table = values(Channels::TABLE_ROWS * shape.in_channels, seed ^ 2);
        let (channels, activation) = (Some(Channels::of_table(&table)), Some(Activation::Gelu));
        let computed = Pointwise { x: &x, channels, activation };
        let mut stored = vec![f32::NAN; x.len()];
        computed.write(&mut stored);
        let block = of(Block::plan(&shape).unwrap(), relu);
        let dy = values(block.output_len(), seed ^ 3);
        let passes = |x: Pointwise<'_>| {
            let (mut y, mut argmax) = (vec![f32::NAN; dy.len()], vec![9; dy.len()]);
            conv_pool_forward(&mut y, &mut argmax, x, &w, None, &block);
            let (mut dx, mut dw) = (vec![f32::NAN; stored.len()], vec![f32::NAN; w.len()]);
            let pooled = PooledGradient { dy: &dy, y: &y, argmax: &argmax };
            let (dx_out, dw_out) = (Some((&mut dx[..], Beta::Zero)), (&mut dw[..], Beta::Zero));
            conv_pool_backward(dx_out, dw_out, None, pooled, x, &w, &block, &Shards::whole(shape.batch));
            [y, dx, dw].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        prop_assert_eq!(passes(computed), passes(Pointwise::from(&stored)));
    }
}

#[test]
fn nan_passes_through_forward_and_backward() {
    let shape = Conv2dShape::same(1, [4, 4], [2, 20], 3);
    let mut x = values(shape.input_len(), 1);
    x[0] = f32::NAN;
    let w = values(shape.weight_len(), 2);
    for level in levels() {
        let (mut y, mut argmax) = (vec![0.0; 4 * 20], vec![0; 4 * 20]);
        let block = block(&shape, Algorithm::Direct, level);
        conv_pool_forward(&mut y, &mut argmax, &x, &w, None, &block);
        // The first pixel reaches the outputs at rows and columns 0 and 1: the first window.
        assert!(y[..20].iter().all(|v| v.is_nan()) && y[20..].iter().all(|v| v.is_finite()));

        let dy = vec![1.0; y.len()];
        let mut db = vec![0.0; 20];
        let mut dw = vec![0.0; w.len()];
        let pooled = PooledGradient { dy: &dy, y: &y, argmax: &argmax };
        let db_out = Some((&mut db[..], Beta::Zero));
        conv_pool_backward(
            None,
            (&mut dw, Beta::Zero),
            db_out,
            pooled,
            &x,
            &w,
            &block,
            &Shards::whole(shape.batch),
        );
        // As in PyTorch's ReLU, which blocks the gradient only where the output is at most zero.
        for (channel, db) in db.into_iter().enumerate() {
            let active = y.iter().skip(channel).step_by(20).filter(|y| **y > 0.0 || y.is_nan()).count();
            assert_eq!(db, active as f32);
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let shape = if cfg!(miri) {
        Conv2dShape::same(9, [4, 4], [2, 3], 3)
    } else {
        Conv2dShape::same(35, [8, 10], [40, 48], 3)
    };
    let pooled_len = pool_shape(&shape).output_len();
    let (x, w) = (values(shape.input_len(), 1), values(shape.weight_len(), 2));
    let dy = values(pooled_len, 3);
    for level in levels() {
        let block = block(&shape, Algorithm::Winograd, level);
        assert_same_on_any_threads(|| {
            let (mut y, mut argmax) = (vec![0.0; pooled_len], vec![0; pooled_len]);
            conv_pool_forward(&mut y, &mut argmax, &x, &w, None, &block);
            let (mut dx, mut dw, mut db) = (x.clone(), w.clone(), vec![0.0; shape.out_channels]);
            let pooled = PooledGradient { dy: &dy, y: &y, argmax: &argmax };
            let (dx_out, db_out) = (Some((&mut dx[..], Beta::Zero)), Some((&mut db[..], Beta::Zero)));
            conv_pool_backward(
                dx_out,
                (&mut dw, Beta::Zero),
                db_out,
                pooled,
                &x,
                &w,
                &block,
                &Shards::whole(shape.batch),
            );
            [y, dx, dw, db].concat()
        });
    }
}
