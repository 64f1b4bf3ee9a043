//! Rows of the ops between images of different sizes: pools, transposed convolution, interpolation.

use autograd::{ConvTranspose2dOptions, Graph, Interpolation, Pool2dOptions, ResizeTo, Var};
use tensor::conv::ConvTranspose2dShape;
use tensor::interpolate::Interpolate2dShape;
use tensor::pool::{Pool2dShape, Windows};
use tensor::reference;

use super::case::{Case, Input, Rng, Row};
use super::network::{share_of_one, tie};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("conv_transpose2d", 5e-6, conv_transpose2d),
        Row::new("max_pool2d", 1e-6, |rng| {
            let (shape, options) = pool(rng);
            max_case(rng, shape, move |g, v| g.max_pool2d(v[0], options))
        })
        .kink(&[&[1.0; 4]], max_pool_of_one_window, |dx| share_of_one(dx, 1.0)),
        Row::new("avg_pool2d", 2e-6, |rng| {
            let (shape, options) = pool(rng);
            mean_case(rng, shape, options.count_include_pad, move |g, v| g.avg_pool2d(v[0], options))
        }),
        Row::new("adaptive_max_pool2d", 1e-6, |rng| {
            let (shape, output_size) = adaptive_pool(rng);
            max_case(rng, shape, move |g, v| g.adaptive_max_pool2d(v[0], output_size))
        }),
        Row::new("adaptive_avg_pool2d", 2e-6, |rng| {
            let (shape, output_size) = adaptive_pool(rng);
            mean_case(rng, shape, false, move |g, v| g.adaptive_avg_pool2d(v[0], output_size))
        }),
        Row::new("global_avg_pool2d", 1e-6, |rng| {
            let (n, [h, w, c]) = (rng.batch(1..=4), [(); 3].map(|()| rng.size(1..=4)));
            Case::new(
                vec![rng.images([n, h, w, c])],
                |g, v| g.global_avg_pool2d(v[0]),
                move |x| reference::global_avg_pool2d_forward(&x[0], h * w, c),
            )
        }),
        Row::new("interpolate", 2e-6, interpolate),
    ]
}

fn conv_transpose2d(rng: &mut Rng) -> Case {
    let (stride, dilation, groups) = (rng.pair(1..=3), rng.pair(1..=2), rng.size(1..=2));
    let (kernel_size, padding) = (rng.pair(1..=3), rng.pair(0..=2));
    let output_padding = [0, 1].map(|axis| rng.size(0..=stride[axis].max(dilation[axis]) - 1));
    // The smallest image of which the padding leaves something.
    let fit = |axis: usize| {
        let span = (kernel_size[axis] - 1) * dilation[axis] + output_padding[axis];
        (2 * padding[axis]).saturating_sub(span).div_ceil(stride[axis]) + 1
    };
    let shape = ConvTranspose2dShape {
        batch: rng.batch(1..=3),
        height: fit(0) + rng.size(0..=2),
        width: fit(1) + rng.size(0..=2),
        in_channels: groups * rng.size(1..=3),
        out_channels: groups * rng.size(1..=2),
        kernel_size,
        stride,
        padding,
        output_padding,
        dilation,
        groups,
    };
    let mut inputs = vec![
        rng.images([shape.batch, shape.height, shape.width, shape.in_channels]),
        rng.variable([shape.in_channels, shape.out_channels / groups, kernel_size[0], kernel_size[1]]),
    ];
    if rng.bool() {
        inputs.push(rng.variable([shape.out_channels]));
    }
    let options =
        ConvTranspose2dOptions { stride, padding, output_padding, dilation, groups, ..Default::default() };
    Case::new(
        inputs,
        move |g, v| g.conv_transpose2d(v[0], v[1], v.get(2).copied(), options),
        move |x| reference::conv_transpose2d_forward(&x[0], &x[1], x.get(2).map(Vec::as_slice), &shape),
    )
}

/// A pool with any options.
fn pool(rng: &mut Rng) -> (Pool2dShape, Pool2dOptions) {
    let kernel_size = rng.pair(1..=3);
    let options = Pool2dOptions {
        stride: rng.pair(1..=3),
        padding: kernel_size.map(|kernel_size| rng.size(0..=kernel_size / 2)),
        dilation: rng.pair(1..=2),
        ceil_mode: rng.bool(),
        count_include_pad: rng.bool(),
        ..Pool2dOptions::new(kernel_size)
    };
    let windows = [0, 1].map(|axis| Windows::Sliding {
        kernel_size: kernel_size[axis],
        stride: options.stride[axis],
        padding: options.padding[axis],
        dilation: options.dilation[axis],
        ceil_mode: options.ceil_mode,
    });
    let size = |axis: usize| (kernel_size[axis] - 1) * options.dilation[axis] + 1;
    let shape = Pool2dShape {
        batch: rng.batch(1..=3),
        height: size(0) + rng.size(0..=3),
        width: size(1) + rng.size(0..=3),
        channels: rng.size(1..=3),
        windows,
    };
    (shape, options)
}

fn adaptive_pool(rng: &mut Rng) -> (Pool2dShape, [usize; 2]) {
    let output_size = rng.pair(1..=4);
    let shape = Pool2dShape {
        batch: rng.batch(1..=3),
        height: rng.size(1..=6),
        width: rng.size(1..=6),
        channels: rng.size(1..=3),
        windows: output_size.map(|output_size| Windows::Adaptive { output_size }),
    };
    (shape, output_size)
}

fn images(rng: &mut Rng, shape: &Pool2dShape) -> Input {
    rng.images([shape.batch, shape.height, shape.width, shape.channels])
}

fn max_case(rng: &mut Rng, shape: Pool2dShape, record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static) -> Case {
    let reference = move |x: &[Vec<f64>]| reference::max_pool2d_forward(&x[0], &shape).0;
    Case::new(vec![images(rng, &shape)], record, reference).margin(move |x| tie(&x[0], &shape))
}

fn mean_case(
    rng: &mut Rng,
    shape: Pool2dShape,
    include_pad: bool,
    record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static,
) -> Case {
    let reference = move |x: &[Vec<f64>]| reference::avg_pool2d_forward(&x[0], &shape, include_pad);
    Case::new(vec![images(rng, &shape)], record, reference)
}

fn max_pool_of_one_window(g: &Graph<'_>, v: &[Var]) -> Var {
    let x = g.reshape(v[0], [1, 2, 2, 1]);
    g.max_pool2d(x, Pool2dOptions::new([2, 2]))
}

fn interpolate(rng: &mut Rng) -> Case {
    let (height, width) = (rng.size(1..=4), rng.size(1..=4));
    let to = match rng.bool() {
        true => ResizeTo::Size(rng.pair(1..=6)),
        false => ResizeTo::ScaleFactor([1.0, f64::from(rng.float(1.0..2.5))]),
    };
    let mode = match rng.size(0..=2) {
        0 => Interpolation::Nearest,
        corners => Interpolation::Bilinear { align_corners: corners == 1 },
    };
    let (batch, channels) = (rng.batch(1..=3), rng.size(1..=3));
    let shape = Interpolate2dShape { batch, height, width, channels, to, mode };
    Case::new(
        vec![rng.images([batch, height, width, channels])],
        move |g, v| g.interpolate(v[0], to, mode),
        move |x| reference::interpolate2d_forward(&x[0], &shape),
    )
}
