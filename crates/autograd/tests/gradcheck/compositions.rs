//! Rows of the methods that record other ops: each as a whole, against a forward of its own.

use autograd::{Conv1dOptions, ConvTranspose1dOptions, Graph, Pool1dOptions, Var};
use tensor::conv::{Conv2dShape, ConvTranspose2dShape};
use tensor::matmul::MatmulShape;
use tensor::pool::{Pool2dShape, Windows};
use tensor::{Shape, reference};

use super::case::{Case, Rng, Row, distance};
use super::layout::shape_and_axis;
use super::network::tie;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::composition("conv1d", 5e-6, conv1d),
        Row::composition("conv_transpose1d", 5e-6, conv_transpose1d),
        Row::composition("max_pool1d", 1e-6, |rng| {
            let (shape, options) = pool(rng);
            max_case(rng, shape, move |g, v| g.max_pool1d(v[0], options))
        }),
        Row::composition("avg_pool1d", 2e-6, |rng| {
            let (shape, options) = pool(rng);
            mean_case(rng, shape, options.count_include_pad, move |g, v| g.avg_pool1d(v[0], options))
        }),
        Row::composition("adaptive_max_pool1d", 1e-6, |rng| {
            let (shape, output_size) = adaptive_pool(rng);
            max_case(rng, shape, move |g, v| g.adaptive_max_pool1d(v[0], output_size))
        }),
        Row::composition("adaptive_avg_pool1d", 2e-6, |rng| {
            let (shape, output_size) = adaptive_pool(rng);
            mean_case(rng, shape, false, move |g, v| g.adaptive_avg_pool1d(v[0], output_size))
        }),
        Row::composition("pixel_shuffle", 1e-6, |rng| {
            let (n, r, [h, w, c]) = (rng.batch(1..=2), rng.size(1..=3), [(); 3].map(|()| rng.size(1..=3)));
            Case::new(
                vec![rng.images([n, h, w, c * r * r])],
                move |g, v| g.pixel_shuffle(v[0], r),
                move |x| shuffled([n, h, w, c], r).iter().map(|&i| x[0][i]).collect(),
            )
        }),
        Row::composition("pixel_unshuffle", 1e-6, |rng| {
            let (n, r, [h, w, c]) = (rng.batch(1..=2), rng.size(1..=3), [(); 3].map(|()| rng.size(1..=3)));
            Case::new(
                vec![rng.images([n, h * r, w * r, c])],
                move |g, v| g.pixel_unshuffle(v[0], r),
                move |x| {
                    let mut y = vec![0.0; x[0].len()];
                    shuffled([n, h, w, c], r).iter().zip(&x[0]).for_each(|(&i, &x)| y[i] = x);
                    y
                },
            )
        }),
        Row::composition("unflatten", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let sizes = rng.pair(1..=3);
            Case::new(
                vec![rng.images(shape.with_axis(axis, sizes[0] * sizes[1]))],
                move |g, v| g.unflatten(v[0], axis, &sizes),
                |x| x[0].clone(),
            )
        }),
        Row::composition("unflatten", 1e-6, |rng| {
            let (n, [h, w, c]) = (rng.batch(1..=3), [(); 3].map(|()| rng.size(1..=3)));
            Case::new(
                vec![rng.images([n, c * h * w])],
                move |g, v| g.unflatten(v[0], 1, &[h, w, c]),
                move |x| reference::permute(&x[0], &Shape::new(&[n, c, h, w]), &[0, 2, 3, 1]),
            )
        }),
        Row::composition("flatten", 1e-6, |rng| {
            let (n, [h, w, c]) = (rng.batch(1..=3), [(); 3].map(|()| rng.size(1..=3)));
            let shape = Shape::new(&[n, h, w, c]);
            Case::new(
                vec![rng.images(shape)],
                |g, v| g.flatten(v[0]),
                move |x| reference::permute(&x[0], &shape, &[0, 3, 1, 2]),
            )
        }),
        // From the second axis on it is `flatten`; a batch keeps its first.
        Row::composition("flatten_from", 1e-6, |rng| {
            let (shape, is_batch) = (rng.batch_shape(3..=5), rng.is_batch());
            let start = if is_batch || rng.bool() { rng.size(2..=shape.rank() - 1) } else { 0 };
            Case::new(vec![rng.images(shape)], move |g, v| g.flatten_from(v[0], start), |x| x[0].clone())
        }),
        Row::composition("flatten_between", 1e-6, |rng| {
            let (shape, first) = (rng.batch_shape(2..=5), usize::from(rng.is_batch()));
            let start = rng.size(first..=shape.rank() - 1);
            let end = rng.size(start..=shape.rank() - 1);
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.flatten_between(v[0], start, end),
                |x| x[0].clone(),
            )
        }),
        // The images of a batch stay on the first axis, each perhaps as several rows.
        Row::composition("reshape", 1e-6, |rng| {
            let (n, [a, b], form) = (rng.batch(1..=3), rng.pair(1..=4), rng.size(0..=2));
            let shape = move |n| {
                [Shape::new(&[n, b, a]), Shape::new(&[n * a, b]), Shape::new(&[n, 1, a * b, 1])][form]
            };
            // A part of the batch has fewer images.
            let reshape = move |g: &Graph<'_>, v: &[Var]| g.reshape(v[0], shape(g.shape(v[0])[0]));
            Case::new(vec![rng.images([n, a, b])], reshape, |x| x[0].clone())
        }),
        Row::composition("transpose", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let other = rng.size(usize::from(rng.is_batch())..=shape.rank() - 1);
            let mut axes: Vec<usize> = (0..shape.rank()).collect();
            axes.swap(axis, other);
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.transpose(v[0], axis, other),
                move |x| reference::permute(&x[0], &shape, &axes),
            )
        }),
        Row::composition("neg", 1e-6, |rng| {
            let shape = rng.batch_shape(0..=4);
            Case::new(vec![rng.images(shape)], |g, v| g.neg(v[0]), |x| x[0].iter().map(|x| -x).collect())
        }),
        Row::composition("matmul", 2e-6, |rng| {
            let (n, k) = (rng.batch(1..=3), rng.size(1..=4));
            let shape = MatmulShape { m: n, k, n: 1, transpose_a: false, transpose_b: false };
            Case::new(
                vec![rng.images([n, k]), rng.variable([k])],
                |g, v| g.matmul(v[0], v[1]),
                move |x| reference::matmul(&x[0], &x[1], &shape),
            )
        }),
        Row::composition("matmul", 2e-6, |rng| {
            let (n, [k, m]) = (rng.batch(1..=3), rng.pair(1..=4));
            Case::new(
                vec![rng.variable([k]), rng.images([n, k, m])],
                |g, v| g.matmul(v[0], v[1]),
                move |x| {
                    let (whole, none) = (Shape::new(&[n]), Shape::new(&[]));
                    let product = MatmulShape { m: 1, k, n: m, transpose_a: false, transpose_b: false };
                    reference::batched_matmul((&x[0], &none), (&x[1], &whole), &whole, &product)
                },
            )
        }),
        Row::composition("cosine_similarity", 4e-6, |rng| {
            let (n, [rows, d], eps) = (rng.batch(1..=3), rng.pair(1..=4), [1e-8, 2.0][rng.size(0..=1)]);
            let (is_shared, along) = (rng.bool(), rng.size(1..=2));
            let second = if is_shared { [1, rows, d] } else { [n, rows, d] };
            let b = if is_shared { rng.variable(second) } else { rng.images(second) };
            let (shape, second) = (Shape::new(&[n, rows, d]), Shape::new(&second));
            let case = Case::new(
                vec![rng.images(shape), b],
                move |g, v| g.cosine_similarity(v[0], v[1], along, eps),
                move |x| {
                    let b = reference::broadcast_forward(&x[1], &second, &shape);
                    let [a, b] = [&x[0], &b].map(|x| vectors(x, &shape, along));
                    let length = |x: &[f64]| dot(x, x).sqrt().max(f64::from(eps));
                    a.iter().zip(&b).map(|(a, b)| dot(a, b) / (length(a) * length(b))).collect()
                },
            );
            // Where a length is 0 or eps there is no derivative, and of a short vector the slope is steep.
            case.margin(move |x| {
                let lengths = [(&x[0], &shape), (&x[1], &second)].map(|(x, shape)| {
                    vectors(x, shape, along).iter().map(|x| dot(x, x).sqrt()).collect::<Vec<_>>()
                });
                distance(&lengths.concat(), f64::from(eps)) / 100.0
            })
        }),
        Row::composition("pairwise_distance", 4e-6, |rng| {
            let (n, [rows, d], keepdim) = (rng.batch(1..=3), rng.pair(1..=4), rng.bool());
            let (p, eps) = ([2.0, 3.0][rng.size(0..=1)], [1e-6, 0.25][rng.size(0..=1)]);
            let lengths = move |x: &[Vec<f64>]| -> Vec<f64> {
                let differences: Vec<f64> =
                    x[0].iter().enumerate().map(|(i, a)| a - x[1][i % (rows * d)] + f64::from(eps)).collect();
                let of_row = |row: &[f64]| row.iter().map(|x| x.abs().powf(f64::from(p))).sum::<f64>();
                differences.chunks_exact(d).map(|row| of_row(row).powf(1.0 / f64::from(p))).collect()
            };
            Case::new(
                vec![rng.images([n, rows, d]), rng.variable([rows, d])],
                move |g, v| g.pairwise_distance(v[0], v[1], p, eps, keepdim),
                lengths,
            )
            .margin(move |x| distance(&lengths(x), 0.0) / 50.0)
        }),
        Row::composition("split", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let sizes = [(); 3].map(|()| rng.size(1..=3));
            let [first, second, last] = sizes;
            let shape = shape.with_axis(axis, first + second + last);
            // The second part is not read, and gets no gradient.
            let ranges = [first + second..first + second + last, 0..first];
            Case::new(
                vec![rng.images(shape)],
                move |g, v| {
                    let [first, _, last] = g.split(v[0], sizes, axis);
                    g.concat(&[last, first], axis)
                },
                move |x| joined(&x[0], shape, axis, &ranges),
            )
        }),
        Row::composition("chunk", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let size = [3, 5, 6][rng.size(0..=2)];
            let (shape, part) = (shape.with_axis(axis, size), size.div_ceil(3));
            let ranges = [part..2 * part, 2 * part..size, 0..part];
            Case::new(
                vec![rng.images(shape)],
                move |g, v| {
                    let [first, second, last] = g.chunk(v[0], axis);
                    g.concat(&[second, last, first], axis)
                },
                move |x| joined(&x[0], shape, axis, &ranges),
            )
        }),
        Row::composition("roll", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let (size, shift) = (shape[axis], rng.size(0..=10) as isize - 5);
            let start = (-shift).rem_euclid(size as isize) as usize;
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.roll(v[0], shift, axis),
                move |x| match start {
                    0 => x[0].clone(),
                    _ => joined(&x[0], shape, axis, &[start..size, 0..start]),
                },
            )
        }),
        Row::composition("outer", 1e-6, |rng| {
            let (n, m) = (rng.batch(1..=4), rng.size(1..=4));
            Case::new(
                vec![rng.images([n]), rng.variable([m])],
                |g, v| g.outer(v[0], v[1]),
                |x| x[0].iter().flat_map(|a| x[1].iter().map(move |b| a * b)).collect(),
            )
        }),
        Row::composition("masked_fill", 1e-6, |rng| {
            let shape = rng.batch_shape(0..=4);
            let is_whole = rng.bool();
            let mask_shape = if is_whole { shape } else { rng.broadcasting_to(shape) };
            Case::new(
                vec![rng.images(shape), rng.mask(mask_shape, is_whole)],
                |g, v| g.masked_fill(v[0], v[1], -0.75),
                move |x| {
                    let mask = reference::broadcast_forward(&x[1], &mask_shape, &shape);
                    mask.iter().zip(&x[0]).map(|(&mask, &x)| if mask != 0.0 { -0.75 } else { x }).collect()
                },
            )
        }),
        einsum("ni,oi->no", "ni,oi->no"),
        einsum("nij,njk->nki", "nij,njk->nki"),
        einsum("ni,nj->nij", "ni,nj->nij"),
        einsum("n...ti,n...si->n...ts", "nbti,nbsi->nbts"),
        einsum("ni,i->ni", "ni,i->ni"),
        einsum("oi,ni->no", "oi,ni->no"),
        einsum("nhd,hdk->nkh", "nhd,hdk->nkh"),
        einsum("hdk,nthd->nthk", "hdk,nthd->nthk"),
        // Sums over the images.
        einsum("ni,ni->", "ni,ni->"),
        einsum("nij,nij->ij", "nij,nij->ij"),
        einsum("nhi,nhj->hji", "nhi,nhj->hji"),
        einsum("nhti,nhtj->hij", "nhti,nhtj->hij"),
        einsum("...i,...j->ij", "ni,nj->ij"),
    ]
}

fn conv1d(rng: &mut Rng) -> Case {
    let [stride, kernel_size] = rng.pair(1..=3);
    let [dilation, groups] = rng.pair(1..=2);
    let padding = rng.size(0..=2);
    let fit = ((kernel_size - 1) * dilation + 1).saturating_sub(2 * padding);
    let shape = Conv2dShape {
        batch: rng.batch(1..=3),
        height: 1,
        width: fit.max(1) + rng.size(0..=4),
        in_channels: groups * rng.size(1..=2),
        out_channels: groups * rng.size(1..=3),
        kernel_size: [1, kernel_size],
        stride: [1, stride],
        padding: [0, padding],
        dilation: [1, dilation],
        groups,
    };
    let mut inputs = vec![
        rng.images([shape.batch, shape.width, shape.in_channels]),
        rng.variable([shape.out_channels, shape.in_channels / groups, kernel_size]),
    ];
    if rng.bool() {
        inputs.push(rng.variable([shape.out_channels]));
    }
    let options = Conv1dOptions { stride, padding, dilation, groups };
    Case::new(
        inputs,
        move |g, v| g.conv1d(v[0], v[1], v.get(2).copied(), options),
        move |x| reference::conv2d_forward(&x[0], &x[1], x.get(2).map(Vec::as_slice), &shape),
    )
}

fn conv_transpose1d(rng: &mut Rng) -> Case {
    let [stride, kernel_size] = rng.pair(1..=3);
    let [dilation, groups] = rng.pair(1..=2);
    let (padding, output_padding) = (rng.size(0..=2), rng.size(0..=stride.max(dilation) - 1));
    // The shortest sequence of which the padding leaves something.
    let span = (kernel_size - 1) * dilation + output_padding;
    let fit = (2 * padding).saturating_sub(span).div_ceil(stride) + 1;
    let shape = ConvTranspose2dShape {
        batch: rng.batch(1..=3),
        height: 1,
        width: fit + rng.size(0..=2),
        in_channels: groups * rng.size(1..=3),
        out_channels: groups * rng.size(1..=2),
        kernel_size: [1, kernel_size],
        stride: [1, stride],
        padding: [0, padding],
        output_padding: [0, output_padding],
        dilation: [1, dilation],
        groups,
    };
    let mut inputs = vec![
        rng.images([shape.batch, shape.width, shape.in_channels]),
        rng.variable([shape.in_channels, shape.out_channels / groups, kernel_size]),
    ];
    if rng.bool() {
        inputs.push(rng.variable([shape.out_channels]));
    }
    let options = ConvTranspose1dOptions { stride, padding, output_padding, dilation, groups };
    Case::new(
        inputs,
        move |g, v| g.conv_transpose1d(v[0], v[1], v.get(2).copied(), options),
        move |x| reference::conv_transpose2d_forward(&x[0], &x[1], x.get(2).map(Vec::as_slice), &shape),
    )
}

/// A pool of sequences with any options.
fn pool(rng: &mut Rng) -> (Pool2dShape, Pool1dOptions) {
    let kernel_size = rng.size(1..=3);
    let (stride, padding, dilation) = (rng.size(1..=3), rng.size(0..=kernel_size / 2), rng.size(1..=2));
    let (ceil_mode, count_include_pad) = (rng.bool(), rng.bool());
    let options = Pool1dOptions {
        stride: [stride],
        padding: [padding],
        dilation: [dilation],
        ceil_mode,
        count_include_pad,
        ..Pool1dOptions::new([kernel_size])
    };
    let windows = Windows::Sliding { kernel_size, stride, padding, dilation, ceil_mode };
    let width = (kernel_size - 1) * dilation + 1 + rng.size(0..=3);
    (sequences(rng, width, windows), options)
}

fn adaptive_pool(rng: &mut Rng) -> (Pool2dShape, usize) {
    let (width, output_size) = (rng.size(1..=6), rng.size(1..=4));
    (sequences(rng, width, Windows::Adaptive { output_size }), output_size)
}

fn sequences(rng: &mut Rng, width: usize, windows: Windows) -> Pool2dShape {
    let (batch, channels) = (rng.batch(1..=3), rng.size(1..=3));
    Pool2dShape { batch, height: 1, width, channels, windows: [Windows::new(1, 1, 0), windows] }
}

fn max_case(rng: &mut Rng, shape: Pool2dShape, record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static) -> Case {
    let x = rng.images([shape.batch, shape.width, shape.channels]);
    let case = Case::new(vec![x], record, move |x| reference::max_pool2d_forward(&x[0], &shape).0);
    case.margin(move |x| tie(&x[0], &shape))
}

fn mean_case(
    rng: &mut Rng,
    shape: Pool2dShape,
    include_pad: bool,
    record: impl Fn(&Graph<'_>, &[Var]) -> Var + 'static,
) -> Case {
    let x = rng.images([shape.batch, shape.width, shape.channels]);
    Case::new(vec![x], record, move |x| reference::avg_pool2d_forward(&x[0], &shape, include_pad))
}

/// The vectors along an axis of values with three axes, in the order of the other two.
fn vectors(x: &[f64], shape: &Shape, axis: usize) -> Vec<Vec<f64>> {
    let order = if axis == 2 { [0, 1, 2] } else { [0, 2, 1] };
    reference::permute(x, shape, &order).chunks_exact(shape[axis]).map(<[f64]>::to_vec).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// For each element of images `[n, h·r, w·r, c]`, its index in `[n, h, w, c·r²]`.
fn shuffled([n, h, w, c]: [usize; 4], r: usize) -> Vec<usize> {
    let mut indices = Vec::with_capacity(n * h * w * c * r * r);
    for image in 0..n {
        for row in 0..h * r {
            for column in 0..w * r {
                let pixel = (image * h + row / r) * w + column / r;
                let of_channel = |channel| (pixel * c + channel) * r * r + row % r * r + column % r;
                indices.extend((0..c).map(of_channel));
            }
        }
    }
    indices
}

/// Ranges of an axis, one after the other.
fn joined(x: &[f64], shape: Shape, axis: usize, ranges: &[std::ops::Range<usize>]) -> Vec<f64> {
    let n_outer: usize = shape[..axis].iter().product();
    let slice = |range: &std::ops::Range<usize>| reference::slice_forward(x, &shape, axis, range.clone());
    let parts: Vec<Vec<f64>> = ranges.iter().map(slice).collect();
    let of_outer = |outer: usize, part: &Vec<f64>| {
        let len = part.len() / n_outer;
        part[outer * len..(outer + 1) * len].to_vec()
    };
    (0..n_outer).flat_map(|outer| parts.iter().flat_map(move |part| of_outer(outer, part))).collect()
}

/// An equation of two operands, those with `n` having the images of the batch, and the same with a letter for an
/// ellipsis, for the sum over all letters.
fn einsum(equation: &'static str, spelled: &'static str) -> Row {
    Row::composition("einsum", 2e-6, move |rng| {
        let (operands, y) = spelled.split_once("->").expect("an arrow");
        let (a, b) = operands.split_once(',').expect("two operands");
        let mut letters: Vec<char> = a.chars().chain(b.chars()).filter(char::is_ascii_alphabetic).collect();
        letters.sort_unstable();
        letters.dedup();
        let sizes: Vec<usize> = letters
            .iter()
            .map(|&letter| if letter == 'n' { rng.batch(1..=3) } else { rng.size(1..=3) })
            .collect();
        let place = |letter: char| letters.binary_search(&letter).expect("a letter of an operand");
        let [a, b, y] = [a, b, y].map(|term| term.chars().map(place).collect::<Vec<usize>>());
        let inputs =
            [(&a, operands.starts_with('n')), (&b, operands.contains(",n"))].map(|(term, has_images)| {
                let dims: Vec<usize> = term.iter().map(|&place| sizes[place]).collect();
                if has_images { rng.images(&dims[..]) } else { rng.variable(&dims[..]) }
            });
        Case::new(
            inputs.into(),
            move |g, v| g.einsum(equation, v),
            move |x| {
                let mut sums = vec![0.0; y.iter().map(|&place| sizes[place]).product()];
                for number in 0..sizes.iter().product() {
                    let mut rest: usize = number;
                    let mut indices = vec![0; sizes.len()];
                    for (index, size) in indices.iter_mut().zip(&sizes) {
                        (*index, rest) = (rest % size, rest / size);
                    }
                    let at =
                        |term: &[usize]| term.iter().fold(0, |at, &place| at * sizes[place] + indices[place]);
                    sums[at(&y)] += x[0][at(&a)] * x[1][at(&b)];
                }
                sums
            },
        )
    })
}
