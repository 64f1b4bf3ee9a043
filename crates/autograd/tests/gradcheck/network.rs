//! Rows of convolution.

use autograd::{Conv2dOptions, Graph, Var};
use tensor::conv::Conv2dShape;
use tensor::pool::Pool2dShape;
use tensor::reference;

use super::case::{Case, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("conv2d", 5e-6, |rng| {
            let (stride, dilation) = (rng.pair(1..=3), rng.pair(1..=2));
            let (kernel_size, padding) = (rng.pair(1..=3), rng.pair(0..=2));
            let groups = rng.size(1..=2);
            let fit = |axis: usize| {
                ((kernel_size[axis] - 1) * dilation[axis] + 1).saturating_sub(2 * padding[axis])
            };
            let shape = Conv2dShape {
                batch: rng.batch(1..=3),
                height: fit(0).max(1) + rng.size(0..=4),
                width: fit(1).max(1) + rng.size(0..=4),
                in_channels: groups * rng.size(1..=2),
                out_channels: groups * rng.size(1..=3),
                kernel_size,
                stride,
                padding,
                dilation,
                groups,
            };
            conv(rng, shape, |g, x, w, b, options| g.conv2d(x, w, b, options))
        }),
        // A kernel for each channel.
        Row::new("conv2d", 5e-6, |rng| {
            let channels = rng.size(2..=18);
            let same = Conv2dShape::same(rng.batch(1..=2), rng.pair(2..=4), [channels; 2], 3);
            let shape = Conv2dShape { stride: rng.pair(1..=2), groups: channels, ..same };
            conv(rng, shape, |g, x, w, b, options| g.conv2d(x, w, b, options))
        }),
        Row::new("conv_relu_pool", 5e-6, |rng| conv_pool(rng, true)).kink(
            &[&[0.0; 4]],
            conv_relu_pool_of_centres,
            |dx| share_of_one(dx, 0.0),
        ),
        Row::new("conv_pool", 5e-6, |rng| conv_pool(rng, false)).kink(
            &[&[0.0; 4]],
            conv_pool_of_centres,
            |dx| share_of_one(dx, 1.0),
        ),
    ]
}

/// A convolution and its pool, with or without a ReLU between.
fn conv_pool(rng: &mut Rng, relu: bool) -> Case {
    let shape = Conv2dShape::same(rng.batch(1..=2), rng.pair(2..=5), rng.pair(1..=3), 3);
    let record: RecordConv = match relu {
        true => |g, x, w, b, options| g.conv_relu_pool(x, w, b, options),
        false => |g, x, w, b, options| g.conv_pool(x, w, b, options),
    };
    let case = conv(rng, shape, record);
    let pool = pool_of(&shape);
    let forward = move |x: &[Vec<f64>]| {
        let y = convolve(x, &shape);
        let y = if relu { reference::relu_forward(&y) } else { y };
        reference::max_pool2d_forward(&y, &pool).0
    };
    Case::new(case.inputs, case.record, forward).margin(move |x| {
        let y = convolve(x, &shape);
        let from_kink = if relu { distance(&y, 0.0) } else { f64::INFINITY };
        from_kink.min(tie(&y, &pool))
    })
}

type RecordConv = fn(&Graph<'_>, Var, Var, Option<Var>, Conv2dOptions) -> Var;

fn conv(rng: &mut Rng, shape: Conv2dShape, record: RecordConv) -> Case {
    let Conv2dShape { stride, padding, dilation, groups, kernel_size: [kh, kw], .. } = shape;
    let mut inputs = vec![
        rng.images([shape.batch, shape.height, shape.width, shape.in_channels]),
        rng.variable([shape.out_channels, shape.in_channels / groups, kh, kw]),
    ];
    if rng.bool() {
        inputs.push(rng.variable([shape.out_channels]));
    }
    let options = Conv2dOptions { stride, padding, dilation, groups, ..Default::default() };
    let record = move |g: &Graph<'_>, v: &[Var]| record(g, v[0], v[1], v.get(2).copied(), options);
    Case::new(inputs, record, move |x| convolve(x, &shape))
}

fn convolve(x: &[Vec<f64>], shape: &Conv2dShape) -> Vec<f64> {
    reference::conv2d_forward(&x[0], &x[1], x.get(2).map(Vec::as_slice), shape)
}

/// The 2 × 2 pool behind a convolution.
fn pool_of(shape: &Conv2dShape) -> Pool2dShape {
    let images = [shape.batch, shape.out_height(), shape.out_width(), shape.out_channels];
    Pool2dShape::new(images, [2, 2], [2, 2], [0, 0])
}

/// How close the largest elements of a window come to each other. Any two elements are compared that could
/// share a window, which is all of a channel of an image.
pub(crate) fn tie(x: &[f64], shape: &Pool2dShape) -> f64 {
    let image_len = shape.height * shape.width * shape.channels;
    let mut closest = f64::INFINITY;
    for image in x.chunks_exact(image_len) {
        for channel in 0..shape.channels {
            let mut values: Vec<f64> = image.iter().skip(channel).step_by(shape.channels).copied().collect();
            values.sort_by(f64::total_cmp);
            closest = values.windows(2).map(|pair| pair[1] - pair[0]).fold(closest, f64::min);
        }
    }
    closest
}

/// A convolution that copies its input, so that the window ties at 0 and ReLU has its kink there.
fn conv_relu_pool_of_centres(g: &Graph<'_>, v: &[Var]) -> Var {
    let [x, w] = image_and_copying_weight(g, v);
    g.conv_relu_pool(x, w, None, Conv2dOptions { padding: [1, 1], ..Default::default() })
}

/// The same without the ReLU.
fn conv_pool_of_centres(g: &Graph<'_>, v: &[Var]) -> Var {
    let [x, w] = image_and_copying_weight(g, v);
    g.conv_pool(x, w, None, Conv2dOptions { padding: [1, 1], ..Default::default() })
}

fn image_and_copying_weight(g: &Graph<'_>, v: &[Var]) -> [Var; 2] {
    let centre = [0., 0., 0., 0., 1., 0., 0., 0., 0.];
    [g.reshape(v[0], [1, 2, 2, 1]), g.input([1, 1, 3, 3], &centre)]
}

/// Tied elements share between `least` and 1.
pub(crate) fn share_of_one(dx: &[f32], least: f32) -> bool {
    let sum: f32 = dx.iter().sum();
    dx.iter().all(|dx| (0.0..=1.0).contains(dx)) && (least..=1.0).contains(&sum)
}
