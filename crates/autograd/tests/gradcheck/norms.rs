//! Rows of the normalisations, and of dropout of what shares a number.

use autograd::{BatchNormOptions, Graph, LocalResponseNormOptions, StochasticDepthMode, Var};
use tensor::activation::Activation;
use tensor::norm::{GroupNormShape, LayerNormShape, LocalResponseNormShape};
use tensor::{Shape, reference};

use super::activations::ACTIVATIONS;
use super::case::{Case, Input, Kind, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("batch_norm", 2e-5, |rng| batch_norm(rng, true, None)),
        Row::new("batch_norm", 2e-5, |rng| batch_norm(rng, false, None)),
        Row::new("batch_norm_activation", 2e-5, |rng| {
            let (training, activation) = (rng.bool(), ACTIVATIONS[rng.size(0..=3)]);
            batch_norm(rng, training, Some(activation))
        }),
        // ANCHOR: layer_norm
        Row::new("layer_norm", 5e-6, |rng| {
            let (x, shape, normalized) = rows_to_normalise(rng, true);
            let mut inputs = vec![x];
            let affine = affine(rng, &mut inputs, normalized);
            Case::new(
                inputs,
                move |g, v| g.layer_norm(v[0], normalized, affine.map(|i| i.map(|i| v[i])), shape.eps),
                move |x| {
                    let [weight, bias] = affine.map(|i| i.map(|i| &x[i][..]));
                    reference::layer_norm_forward(&x[0], weight, bias, &shape)
                },
            )
        }),
        // ANCHOR_END: layer_norm
        Row::new("rms_norm", 5e-6, |rng| {
            let (x, shape, normalized) = rows_to_normalise(rng, false);
            let mut inputs = vec![x];
            if rng.bool() {
                inputs.push(rng.variable(normalized));
            }
            Case::new(
                inputs,
                move |g, v| g.rms_norm(v[0], normalized, v.get(1).copied(), shape.eps),
                move |x| {
                    reference::layer_norm_forward(&x[0], x.get(1).map(|weight| &weight[..]), None, &shape)
                },
            )
        }),
        Row::new("group_norm", 5e-6, |rng| {
            let (x, shape) = images(rng, false);
            let mut inputs = vec![x];
            let affine = affine(rng, &mut inputs, [shape.channels]);
            Case::new(
                inputs,
                move |g, v| g.group_norm(v[0], shape.groups, affine.map(|i| i.map(|i| v[i])), shape.eps),
                move |x| {
                    let [weight, bias] = affine.map(|i| i.map(|i| &x[i][..]));
                    reference::group_norm_forward(&x[0], weight, bias, &shape)
                },
            )
        }),
        Row::new("instance_norm", 5e-6, instance_norm),
        Row::new("local_response_norm", 5e-6, |rng| {
            let dims = [rng.batch(1..=3), rng.size(1..=3), rng.size(1..=6)];
            let [alpha, beta, k] =
                [rng.float(0.1..2.0), [0.75, 0.5, 1.3][rng.size(0..=2)], rng.float(0.5..2.0)];
            let (rows, channels, size) = (dims[0] * dims[1], dims[2], rng.size(1..=15));
            let options = LocalResponseNormOptions { size, alpha, beta, k };
            let shape = LocalResponseNormShape { rows, channels, size, alpha, beta, k };
            Case::new(
                vec![rng.images(dims)],
                move |g, v| g.local_response_norm(v[0], options),
                move |x| reference::local_response_norm_forward(&x[0], &shape),
            )
        }),
        Row::new("dropout2d", 1e-6, |rng| {
            let shape = if rng.is_batch() { rng.batch_shape(2..=4) } else { rng.shape(2..=4) };
            dropped(rng, shape, |g, x, p| g.dropout2d(x, p))
        }),
        Row::new("stochastic_depth", 1e-6, |rng| {
            let (shape, row) = (rng.batch_shape(0..=4), rng.bool());
            let mode = if row { StochasticDepthMode::Row } else { StochasticDepthMode::Batch };
            dropped(rng, shape, move |g, x, p| g.stochastic_depth(x, p, mode))
        }),
    ]
}

/// Draws a weight and a bias of a shape, or one of them, or none; says which inputs they are.
fn affine(rng: &mut Rng, inputs: &mut Vec<Input>, shape: impl Into<Shape> + Copy) -> [Option<usize>; 2] {
    [(); 2].map(|()| {
        let is_there = rng.bool();
        is_there.then(|| {
            inputs.push(rng.variable(shape));
            inputs.len() - 1
        })
    })
}

/// Rows of one to three axes, some of which are normalised over. A large ε keeps the function from bending sharply
/// where a row hardly varies.
fn rows_to_normalise(rng: &mut Rng, centred: bool) -> (Input, LayerNormShape, Shape) {
    let leading = if rng.is_batch() { rng.batch_shape(1..=2) } else { rng.shape(0..=2) };
    let normalized = rng.shape(1..=2);
    let x = rng.images(&[leading.dims(), normalized.dims()].concat()[..]);
    let shape = LayerNormShape { rows: leading.numel(), features: normalized.numel(), eps: 0.1, centred };
    (x, shape, normalized)
}

/// Images of at least two values per channel, if `single`, and of some groups of channels otherwise.
fn images(rng: &mut Rng, single: bool) -> (Input, GroupNormShape) {
    let (groups, per_group) = (rng.size(1..=3), if single { 1 } else { rng.size(1..=3) });
    let (n, pixels) = (rng.batch(1..=3), [rng.size(1..=3), rng.size(2..=3)]);
    let channels = groups * per_group;
    let x = rng.images([n, pixels[0], pixels[1], channels]);
    (x, GroupNormShape { images: n, pixels: pixels[0] * pixels[1], channels, groups, eps: 0.1 })
}

fn instance_norm(rng: &mut Rng) -> Case {
    let (x, shape) = images(rng, true);
    let mut inputs = vec![x];
    let has_running = rng.bool();
    if has_running {
        let mut running = [rng.variable([shape.channels]), rng.variable_in([shape.channels], 0.5..2.0)];
        running.iter_mut().for_each(|statistic| statistic.kind = Kind::Statistic);
        inputs.extend(running);
    }
    let affine = affine(rng, &mut inputs, [shape.channels]);
    let options = BatchNormOptions { eps: shape.eps, ..Default::default() };
    Case::new(
        inputs,
        move |g, v| {
            let running = has_running.then(|| [v[1], v[2]]);
            g.instance_norm(v[0], running, affine.map(|i| i.map(|i| v[i])), options)
        },
        move |x| {
            let [weight, bias] = affine.map(|i| i.map(|i| &x[i][..]));
            reference::group_norm_forward(&x[0], weight, bias, &shape)
        },
    )
}

/// Which elements were dropped is read from the output.
fn dropped(rng: &mut Rng, shape: Shape, record: impl Fn(&Graph<'_>, Var, f32) -> Var + 'static) -> Case {
    let p = [0.0, 0.3, 0.5, 1.0][rng.size(0..=3)];
    let x = rng.images_in(shape, 0.5..2.0);
    let mut case = Case::new(vec![x], move |g, v| record(g, v[0], p), <[_]>::concat);
    case.reference = Box::new(move |x, output| {
        let kept = |(x, &y): (&f64, &f32)| if y == 0.0 { 0.0 } else { x / (1.0 - f64::from(p)) };
        x[0].iter().zip(output).map(kept).collect()
    });
    case
}

/// f(z), element by element.
pub(crate) fn activated(z: Vec<f64>, activation: Activation) -> Vec<f64> {
    match activation {
        Activation::Relu => reference::relu_forward(&z),
        Activation::Gelu => reference::gelu_forward(&z),
        Activation::GeluTanh => z.into_iter().map(reference::gelu_tanh).collect(),
        Activation::Silu => z.into_iter().map(reference::silu).collect(),
    }
}

fn batch_norm(rng: &mut Rng, in_training: bool, activation: Option<Activation>) -> Case {
    let channels = rng.size(1..=4);
    let rows = rng.size(3..=12);
    let x = match (rng.bool(), rng.is_batch()) {
        (true, false) => rng.variable([rows, channels]),
        (false, false) => rng.variable([1, rows, 1, channels]),
        // A single image has several values, too.
        (by_rows, true) => {
            let n_images = rng.batch(1..=1);
            let n_pixels = if by_rows && n_images > 1 { 1 } else { 3 };
            rng.images([n_images, n_pixels, 1, channels])
        }
    };
    let (mut mean, mut var) = (rng.variable([channels]), rng.variable_in([channels], 0.5..2.0));
    (mean.kind, var.kind) = (Kind::Statistic, Kind::Statistic);
    // Without running statistics the batch's own are used in evaluation, too.
    let n_running = if rng.bool() { 2 } else { 0 };
    let training = in_training || n_running == 0;
    let mut inputs = vec![x];
    inputs.extend([mean, var].into_iter().take(n_running));
    let affine = affine(rng, &mut inputs, [channels]);
    // A large ε keeps the function from bending sharply where a channel hardly varies.
    let options = BatchNormOptions { eps: 0.1, ..Default::default() };
    let record = move |g: &Graph<'_>, v: &[Var]| {
        let (running, affine) = (&v[1..1 + n_running], affine.map(|i| i.map(|i| v[i])));
        match activation {
            Some(activation) => g.batch_norm_activation(v[0], running, affine, options, activation),
            None => g.batch_norm(v[0], running, affine, options),
        }
    };
    let normalised = move |x: &[Vec<f64>]| {
        let filled = |i: usize, value| affine[i].map_or(vec![value; channels], |i| x[i].clone());
        let (weight, bias) = (filled(0, 1.0), filled(1, 0.0));
        let (mean, var) = match training {
            true => reference::batch_statistics(&x[0], channels),
            false => (x[1].clone(), x[2].clone()),
        };
        reference::batch_norm_forward(&x[0], &mean, &var, &weight, &bias, f64::from(options.eps))
    };
    let reference = move |x: &[Vec<f64>]| match activation {
        Some(activation) => activated(normalised(x), activation),
        None => normalised(x),
    };
    let has_kink = activation == Some(Activation::Relu);
    let margin = move |x: &[Vec<f64>]| if has_kink { distance(&normalised(x), 0.0) } else { f64::INFINITY };
    Case { training: in_training, ..Case::new(inputs, record, reference) }.margin(margin)
}
