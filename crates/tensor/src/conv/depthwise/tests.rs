//! Compares depthwise convolution with the sum over taps, on every instruction set.

use proptest::prelude::*;

use super::*;
use crate::conv::testing::Magnitude;
use crate::reference::{self, assert_within, to_f64};
use crate::testing::{assert_same_on_any_threads, cases, levels, values};

/// Channel counts that do or do not fill vectors; any stride, dilation and padding, kernels up to the size of
/// the padded image.
fn shapes() -> impl Strategy<Value = Conv2dShape> {
    let axis = || (1..6usize, 1..4usize, 0..4usize, 1..3usize, 0..if cfg!(miri) { 3usize } else { 14 });
    let channels = prop::sample::select(vec![2, 3, 15, 16, 17, 33, 48]);
    (0..4usize, channels, axis(), axis()).prop_map(|(batch, channels, rows, columns)| {
        let size = |(kernel, _, padding, dilation, extra): (usize, usize, usize, usize, usize)| {
            ((kernel - 1) * dilation + 1).saturating_sub(2 * padding).max(1) + extra
        };
        Conv2dShape {
            batch,
            height: size(rows),
            width: size(columns),
            in_channels: channels,
            out_channels: channels,
            kernel_size: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            padding: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
            groups: channels,
        }
    })
}

fn each_level(shape: &Conv2dShape) -> impl Iterator<Item = Depthwise> {
    let convolution = Depthwise::of(shape).expect("depthwise");
    levels().into_iter().map(move |level| Depthwise { level, ..convolution })
}

fn add(a: Vec<f64>, b: &[f32]) -> Vec<f64> {
    a.into_iter().zip(b.iter().cycle()).map(|(a, &b)| a + f64::from(b)).collect()
}

fn absolute(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| x.abs()).collect()
}

/// Compares all three passes with the reference, within their stated bounds.
fn check(shape: &Conv2dShape, seed: u64) {
    let [x, w] = [(shape.input_len(), 1), (shape.weight_len(), 2)].map(|(n, salt)| values(n, seed ^ salt));
    let [dy, bias] =
        [(shape.output_len(), 3), (shape.out_channels, 4)].map(|(n, salt)| values(n, seed ^ salt));
    let [x64, w64, dy64, bias64] = [&x, &w, &dy, &bias].map(|v| to_f64(v));
    let n_taps = shape.kernel_size[0] * shape.kernel_size[1];
    for convolution in each_level(shape) {
        let mut y = vec![f32::NAN; dy.len()];
        convolution.forward(&mut y, &x, &w, Some(&bias));
        let expected = reference::conv2d_forward(&x64, &w64, Some(&bias64), shape);
        let magnitude = add(Magnitude::Direct.forward(&x, &w, shape), &absolute(&bias));
        assert_within(&y, &expected, &magnitude, (n_taps + 1) as f64);

        let mut dx = vec![f32::NAN; x.len()];
        convolution.backward_input(&mut dx, &dy, &w, Beta::Zero);
        let expected = reference::conv2d_backward_input(&dy64, &w64, shape);
        let magnitude = Magnitude::Direct.backward_input(&dy, &w, shape);
        assert_within(&dx, &expected, &magnitude, (n_taps + 1) as f64);
        let mut dx = x.clone();
        convolution.backward_input(&mut dx, &dy, &w, Beta::One);
        assert_within(&dx, &add(expected, &x), &add(magnitude, &absolute(&x)), (n_taps + 2) as f64);

        let (shards, n_pixels) = (Shards::whole(shape.batch), dy.len() / shape.groups);
        let mut dw = vec![f32::NAN; w.len()];
        convolution.backward_weight(&mut dw, &dy, &x, &shards, Beta::Zero);
        let expected = reference::conv2d_backward_weight(&dy64, &x64, shape);
        let magnitude = Magnitude::Direct.backward_weight(&dy, &x, shape);
        assert_within(&dw, &expected, &magnitude, (n_pixels + 2) as f64);
        let mut dw = w.clone();
        convolution.backward_weight(&mut dw, &dy, &x, &shards, Beta::One);
        assert_within(&dw, &add(expected, &w), &add(magnitude, &absolute(&w)), (n_pixels + 3) as f64);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn every_pass_is_the_sum_over_taps(shape in shapes(), seed: u64) {
        check(&shape, seed);
    }
}

/// As in MobileNet and in ConvNeXt.
fn layer(batch: usize, side: usize, channels: usize, kernel_size: usize, stride: usize) -> Conv2dShape {
    let same = Conv2dShape::same(batch, [side; 2], [channels; 2], kernel_size);
    Conv2dShape { stride: [stride; 2], groups: channels, ..same }
}

#[test]
fn layers_of_real_networks() {
    let side = if cfg!(miri) { 5 } else { 14 };
    check(&layer(2, side, 32, 3, 1), 1);
    check(&layer(2, side, 40, 3, 2), 2);
    check(&layer(1, side, 24, 7, 1), 3);
}

#[test]
fn only_kernels_of_one_channel_are_taken() {
    let shape = layer(1, 9, 4, 3, 1);
    assert!(Depthwise::of(&shape).is_some());
    assert!(Depthwise::of(&Conv2dShape { out_channels: 8, ..shape }).is_none());
    assert!(Depthwise::of(&Conv2dShape { groups: 2, ..shape }).is_none());
    assert!(Depthwise::of(&Conv2dShape { kernel_size: [9, 9], ..shape }).is_none());
    assert!(Depthwise::of(&layer(1, 9, 1, 3, 1)).is_none());
}

#[test]
fn the_bits_do_not_depend_on_the_threads_or_on_the_other_images() {
    let shape = if cfg!(miri) { layer(9, 3, 17, 3, 1) } else { layer(35, 12, 40, 3, 1) };
    let [x, dy, w] = [shape.input_len(), shape.output_len(), shape.weight_len()].map(|n| values(n, n as u64));
    for convolution in each_level(&shape) {
        let passes = |convolution: Depthwise, x: &[f32], dy: &[f32]| {
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            convolution.forward(&mut y, x, &w, None);
            convolution.backward_input(&mut dx, dy, &w, Beta::Zero);
            (y, dx)
        };
        assert_same_on_any_threads(|| {
            let (y, dx) = passes(convolution, &x, &dy);
            let mut dw = w.clone();
            convolution.backward_weight(&mut dw, &dy, &x, &Shards::whole(shape.batch), Beta::Zero);
            [y, dx, dw].concat()
        });
        let (y, dx) = passes(convolution, &x, &dy);
        let alone = Depthwise { shape: Conv2dShape { batch: 1, ..shape }, ..convolution };
        let len = x.len() / shape.batch;
        for image in (0..shape.batch).map(|image| image * len..(image + 1) * len) {
            let one = passes(alone, &x[image.clone()], &dy[image.clone()]);
            assert_eq!((&one.0[..], &one.1[..]), (&y[image.clone()], &dx[image]));
        }
    }
}
