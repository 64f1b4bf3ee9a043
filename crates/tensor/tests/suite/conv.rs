//! Convolution through im2col, and transposed convolution, against their f64 references.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::prelude::*;
use tensor::Beta;
use tensor::activation::Activation;
use tensor::conv::{
    Algorithm, Conv2dShape, ConvTranspose2dShape, conv_transpose2d_backward_input,
    conv_transpose2d_backward_weight, conv_transpose2d_forward, conv2d_backward_input,
    conv2d_backward_weight, conv2d_forward,
};
use tensor::norm::{Channels, Pointwise};
use tensor::parallel::Shards;
use tensor::reference::{self, assert_within, magnitudes, to_f64};

/// Random shapes: size 1, odd sizes, any stride, padding, dilation and groups; kernels as large as the
/// padded image, and padding wider than the kernel.
fn shapes() -> impl Strategy<Value = Conv2dShape> {
    let channels = (1..4usize, 1..5usize, 1..5usize);
    let axis = || (1..4usize, 1..4usize, 0..4usize, 1..3usize, 0..9usize);
    (0..4usize, channels, axis(), axis()).prop_map(|(batch, (groups, group_in, group_out), rows, columns)| {
        let size = |(kernel, _, padding, dilation, extra): (usize, usize, usize, usize, usize)| {
            // The smallest image that the kernel fits, and some more.
            let span: usize = (kernel - 1) * dilation + 1;
            span.saturating_sub(2 * padding).max(1) + extra
        };
        Conv2dShape {
            batch,
            height: size(rows),
            width: size(columns),
            in_channels: groups * group_in,
            out_channels: groups * group_out,
            kernel_size: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            padding: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
            groups,
        }
    })
}

/// Holds all three passes against the reference, within the bound stated for im2col.
fn check(shape: &Conv2dShape, seed: u64) {
    let x = random(shape.input_len(), seed);
    let w = random(shape.weight_len(), seed + 1);
    let bias = random(shape.out_channels, seed + 2);
    let dy = random(shape.output_len(), seed + 3);
    let [x64, w64, bias64, dy64] = [&x, &w, &bias, &dy].map(|v| to_f64(v));
    let [x_abs, w_abs, bias_abs, dy_abs] = [&x, &w, &bias, &dy].map(|v| magnitudes(v));
    let taps = shape.kernel_size[0] * shape.kernel_size[1];
    let c = |n_terms: usize| (n_terms + 2) as f64;

    let with_bias = (Some(&bias[..]), Some(&bias64[..]), Some(&bias_abs[..]));
    for (bias, bias64, bias_abs) in [(None, None, None), with_bias] {
        let mut y = vec![f32::NAN; shape.output_len()];
        conv2d_forward(&mut y, &x, &w, bias, shape, Algorithm::Im2col);
        let expected = reference::conv2d_forward(&x64, &w64, bias64, shape);
        let magnitude = reference::conv2d_forward(&x_abs, &w_abs, bias_abs, shape);
        assert_within(&y, &expected, &magnitude, c(taps * shape.in_channels / shape.groups + 1));
    }
    check_betas(
        &reference::conv2d_backward_input(&dy64, &w64, shape),
        &reference::conv2d_backward_input(&dy_abs, &w_abs, shape),
        c(taps * shape.out_channels / shape.groups),
        |dx, beta| conv2d_backward_input(dx, &dy, &w, shape, beta, Algorithm::Im2col),
    );
    check_betas(
        &reference::conv2d_backward_weight(&dy64, &x64, shape),
        &reference::conv2d_backward_weight(&dy_abs, &x_abs, shape),
        c(shape.batch * shape.out_height() * shape.out_width()),
        |dw, beta| {
            conv2d_backward_weight(dw, &dy, &x, shape, &Shards::whole(shape.batch), beta, Algorithm::Im2col)
        },
    );
}

/// Random shapes of transposed convolutions: the input as small as the padding allows.
fn transposed_shapes() -> impl Strategy<Value = ConvTranspose2dShape> {
    (shapes(), any::<[prop::sample::Index; 2]>()).prop_map(|(conv, extra)| {
        let output_padding = [0, 1].map(|axis| extra[axis].index(conv.stride[axis].max(conv.dilation[axis])));
        let size = |axis: usize| {
            let span = (conv.kernel_size[axis] - 1) * conv.dilation[axis] + 1 + output_padding[axis];
            (2 * conv.padding[axis]).saturating_sub(span - 1).div_ceil(conv.stride[axis]) + 1
        };
        ConvTranspose2dShape {
            batch: conv.batch,
            height: size(0) + conv.height / 3,
            width: size(1) + conv.width / 3,
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            kernel_size: conv.kernel_size,
            stride: conv.stride,
            padding: conv.padding,
            output_padding,
            dilation: conv.dilation,
            groups: conv.groups,
        }
    })
}

/// Holds all three passes of a transposed convolution against the reference; the algorithm is the shape's.
fn check_transposed(shape: &ConvTranspose2dShape, seed: u64) {
    let (conv, auto) = (shape.convolution(), Algorithm::Auto);
    let x = random(shape.batch * shape.height * shape.width * shape.in_channels, seed);
    let w = random(conv.weight_len(), seed + 1);
    let (bias, dy) = (random(shape.out_channels, seed + 2), random(conv.input_len(), seed + 3));
    let [x64, w64, bias64, dy64] = [&x, &w, &bias, &dy].map(|v| to_f64(v));
    let [x_abs, w_abs, bias_abs, dy_abs] = [&x, &w, &bias, &dy].map(|v| magnitudes(v));
    let taps = shape.kernel_size[0] * shape.kernel_size[1];
    let c = |n_terms: usize| (n_terms + 3) as f64;

    let with_bias = (Some(&bias[..]), Some(&bias64[..]), Some(&bias_abs[..]));
    for (bias, bias64, bias_abs) in [(None, None, None), with_bias] {
        let mut y = vec![f32::NAN; conv.input_len()];
        conv_transpose2d_forward(&mut y, &x, &w, bias, shape, auto);
        let expected = reference::conv_transpose2d_forward(&x64, &w64, bias64, shape);
        let magnitude = reference::conv_transpose2d_forward(&x_abs, &w_abs, bias_abs, shape);
        assert_within(&y, &expected, &magnitude, c(taps * shape.in_channels / shape.groups));
    }
    check_betas(
        &reference::conv_transpose2d_backward_input(&dy64, &w64, shape),
        &reference::conv_transpose2d_backward_input(&dy_abs, &w_abs, shape),
        c(taps * shape.out_channels / shape.groups),
        |dx, beta| conv_transpose2d_backward_input(dx, &dy, &w, shape, beta, auto),
    );
    check_betas(
        &reference::conv_transpose2d_backward_weight(&dy64, &x64, shape),
        &reference::conv_transpose2d_backward_weight(&dy_abs, &x_abs, shape),
        c(shape.batch * shape.height * shape.width),
        |dw, beta| {
            let shards = Shards::whole(shape.batch);
            conv_transpose2d_backward_weight(dw, &dy, &x, shape, &shards, beta, auto);
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn transposed_convolution_on_random_shapes(shape in transposed_shapes(), seed: u64) {
        check_transposed(&shape, seed);
    }

    #[test]
    fn im2col_on_random_shapes(shape in shapes(), seed: u64) {
        check(&shape, seed);
    }
}

fn layer(batch: usize, size: usize, channels: [usize; 2], kernel_size: usize, stride: usize) -> Conv2dShape {
    Conv2dShape { stride: [stride; 2], ..Conv2dShape::same(batch, [size; 2], channels, kernel_size) }
}

#[test]
fn layers_of_real_networks() {
    check(&layer(9, 16, [3, 32], 3, 1), 1);
    check(&layer(2, 17, [32, 40], 3, 2), 2);
    check(&layer(2, 31, [24, 64], 1, 1), 3);
    check(&layer(1, 33, [3, 16], 7, 2), 4);
    // Patches so long that a product has more of them than fit the cache.
    check(&layer(5, 9, [64, 24], 3, 2), 6);
    check(&Conv2dShape { groups: 24, ..layer(3, 12, [24, 24], 3, 1) }, 5);
}

#[test]
fn convolutions_do_not_depend_on_the_number_of_threads() {
    for shape in [layer(33, 16, [32, 48], 3, 1), layer(70, 9, [16, 24], 5, 2), layer(40, 9, [64, 24], 3, 2)] {
        let (x, w) = (random(shape.input_len(), 1), random(shape.weight_len(), 2));
        let dy = random(shape.output_len(), 3);
        check_thread_independence(|| {
            let mut y = vec![0.0; shape.output_len()];
            let mut dx = vec![0.0; shape.input_len()];
            let mut dw = vec![0.0; shape.weight_len()];
            conv2d_forward(&mut y, &x, &w, None, &shape, Algorithm::Im2col);
            conv2d_backward_input(&mut dx, &dy, &w, &shape, Beta::Zero, Algorithm::Im2col);
            conv2d_backward_weight(
                &mut dw,
                &dy,
                &x,
                &shape,
                &Shards::whole(shape.batch),
                Beta::Zero,
                Algorithm::Im2col,
            );
            [y, dx, dw].concat()
        });
    }
}

#[test]
fn sizes_follow_the_formula() {
    let shape = Conv2dShape { dilation: [2, 1], ..layer(2, 11, [4, 6], 3, 2) };
    assert_eq!((shape.out_height(), shape.out_width()), (5, 6));
    assert_eq!((shape.input_len(), shape.weight_len(), shape.output_len()), (968, 216, 360));
    assert_eq!(shape.flops(), 2 * 360 * 36);
}

#[test]
fn an_invalid_shape_says_what_is_wrong() {
    let good = layer(1, 5, [4, 6], 3, 1);
    let reason = |shape: Conv2dShape| shape.validate().unwrap_err();
    assert_eq!(good.validate(), Ok(()));
    assert!(reason(Conv2dShape { stride: [0, 1], ..good }).contains("at least 1"));
    assert!(
        reason(Conv2dShape { groups: 3, ..good }).contains("in_channels = 4 is not divisible by groups = 3")
    );
    assert!(reason(Conv2dShape { kernel_size: [3, 8], ..good }).contains("does not fit the width 5"));
    assert!(
        reason(Conv2dShape { batch: usize::MAX / 8, ..good })
            .contains("more elements than memory can address")
    );
}

#[test]
fn an_invalid_transposed_shape_says_what_is_wrong() {
    let good = ConvTranspose2dShape {
        batch: 1,
        height: 2,
        width: 2,
        in_channels: 4,
        out_channels: 6,
        kernel_size: [3; 2],
        stride: [2; 2],
        padding: [1; 2],
        output_padding: [1; 2],
        dilation: [1; 2],
        groups: 2,
    };
    let reason = |shape: ConvTranspose2dShape| shape.validate().unwrap_err();
    assert_eq!((good.validate(), good.out_height()), (Ok(()), 4));
    assert!(reason(ConvTranspose2dShape { kernel_size: [0, 1], ..good }).contains("at least 1"));
    assert!(reason(ConvTranspose2dShape { groups: 4, ..good }).contains("out_channels = 6 is not divisible"));
    let wide = ConvTranspose2dShape { output_padding: [0, 2], ..good };
    assert!(
        reason(wide).contains("the output padding 2 is less than neither the stride 2 nor the dilation 1")
    );
    assert!(
        reason(ConvTranspose2dShape { padding: [3, 1], ..good }).contains("leaves nothing of the height 6")
    );
    assert!(
        reason(ConvTranspose2dShape { stride: [usize::MAX, 2], ..good })
            .contains("more elements than memory")
    );
}

#[test]
#[should_panic(expected = "conv2d_forward: input length")]
fn a_wrong_length_panics() {
    let shape = layer(1, 5, [4, 6], 3, 1);
    let (mut y, w) = (vec![0.0; shape.output_len()], vec![0.0; shape.weight_len()]);
    conv2d_forward(&mut y, &[0.0; 99], &w, None, &shape, Algorithm::Auto);
}

#[test]
#[should_panic(expected = "conv2d_forward: this algorithm takes no computed input; store it before")]
fn only_some_algorithms_compute_their_input() {
    let shape = layer(1, 5, [4, 6], 3, 1);
    assert!(Algorithm::Auto.takes_computed_input(&shape));
    assert!(!Algorithm::Auto.takes_computed_input(&Conv2dShape { stride: [2, 2], ..shape }));
    assert!(!Algorithm::Im2col.takes_computed_input(&shape));
    let (mut y, w) = (vec![0.0; shape.output_len()], vec![0.0; shape.weight_len()]);
    let (x, activation) = (vec![0.0; shape.input_len()], Some(Activation::Relu));
    let computed = Pointwise { x: &x, channels: None, activation };
    conv2d_forward(&mut y, computed, &w, None, &shape, Algorithm::Auto);
    conv2d_forward(&mut y, computed, &w, None, &shape, Algorithm::Im2col);
}

#[test]
#[should_panic(
    expected = "conv2d_forward: the input is normalised by channels, of which there are in_channels"
)]
fn a_normalisation_of_other_channels_panics() {
    let shape = layer(1, 5, [4, 6], 3, 1);
    let (mut y, w) = (vec![0.0; shape.output_len()], vec![0.0; shape.weight_len()]);
    let (x, table) = (vec![0.0; shape.input_len()], [0.0; 2 * Channels::TABLE_ROWS]);
    let computed = Pointwise { x: &x, channels: Some(Channels::of_table(&table)), activation: None };
    conv2d_forward(&mut y, computed, &w, None, &shape, Algorithm::Auto);
}
