//! Rows of the ops that move, pick and sum elements.

use tensor::{Axes, Shape, reference};

use super::case::{Case, Input, Kind, Rng, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("permute", 1e-6, |rng| {
            let (shape, first) = (rng.batch_shape(0..=4), usize::from(rng.is_batch()));
            let mut axes: Vec<usize> = (0..shape.rank()).collect();
            (1..axes.len()).for_each(|i| axes.swap(i, rng.size(first..=i)));
            let expected_axes = axes.clone();
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.permute(v[0], &axes),
                move |x| reference::permute(&x[0], &shape, &expected_axes),
            )
        }),
        Row::new("slice", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            let start = rng.size(0..=shape[axis] - 1);
            let end = rng.size(start + 1..=shape[axis]);
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.slice(v[0], axis, start..end),
                move |x| reference::slice_forward(&x[0], &shape, axis, start..end),
            )
        }),
        Row::new("concat", 1e-6, concat),
        Row::new("broadcast_to", 1e-6, broadcast_to),
        Row::new("broadcast_to", 1e-6, expand_as),
        Row::new("gather", 1e-6, |rng| {
            // The images of a batch are those of the input, or pick rows of a table.
            let picks_rows = rng.is_batch() && rng.bool();
            let (shape, axis) = if picks_rows { (rng.shape(1..=4), 0) } else { shape_and_axis(rng) };
            let n_picks = if picks_rows { rng.batch(1..=4) } else { rng.size(1..=4) };
            let picks = shape.with_axis(axis, n_picks);
            let picked = rng.indices_of_images(picks[0], picks.numel() / picks[0], shape[axis]);
            let expected = picked.clone();
            let x = if picks_rows { rng.variable(shape) } else { rng.images(shape) };
            Case::new(
                vec![x],
                move |g, v| {
                    let indices = g.indices(&picked);
                    g.gather(v[0], axis, indices)
                },
                move |x| reference::gather_forward(&x[0], &expected, &shape, axis),
            )
        }),
        Row::new("sum", 1e-6, |rng| {
            let (shape, axes, keepdim) = reduction(rng);
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.sum_axes(v[0], axes, keepdim),
                move |x| reference::reduce_to_shape(&x[0], &axes.kept(&shape), &shape),
            )
        }),
        Row::new("sum", 1e-6, |rng| {
            let shape = rng.batch_shape(0..=4);
            Case::new(vec![rng.images(shape)], |g, v| g.sum(v[0]), |x| vec![x[0].iter().sum()])
        }),
        Row::new("mean", 1e-6, |rng| {
            let shape = rng.batch_shape(0..=4);
            let n = shape.numel() as f64;
            Case::new(
                vec![rng.images(shape)],
                |g, v| g.mean(v[0]),
                move |x| vec![x[0].iter().sum::<f64>() / n],
            )
        }),
        Row::new("mean", 1e-6, |rng| {
            let (shape, axes, keepdim) = reduction(rng);
            let n = (shape.numel() / axes.kept(&shape).numel()) as f64;
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.mean_axes(v[0], axes, keepdim),
                move |x| {
                    let sums = reference::reduce_to_shape(&x[0], &axes.kept(&shape), &shape);
                    sums.iter().map(|sum| sum / n).collect()
                },
            )
        }),
    ]
}

pub(crate) fn shape_and_axis(rng: &mut Rng) -> (Shape, usize) {
    let first = usize::from(rng.is_batch());
    let shape = rng.batch_shape(1 + first..=4);
    (shape, rng.size(first..=shape.rank() - 1))
}

pub(crate) fn reduction(rng: &mut Rng) -> (Shape, Axes, bool) {
    let shape = rng.batch_shape(0..=4);
    let axes: Vec<usize> = (0..shape.rank()).filter(|_| rng.bool()).collect();
    (shape, if rng.bool() { Axes::from(..) } else { Axes::from(&axes[..]) }, rng.bool())
}

/// To a shape; the images of a batch are those of the value.
fn broadcast_to(rng: &mut Rng) -> Case {
    let (shape, is_batch) = (rng.batch_shape(1..=4), rng.is_batch());
    let from = match shape.rank() {
        rank if is_batch => Shape::new(&[shape[0], 1, 1, 1][..rank]),
        _ => rng.broadcasting_to(shape),
    };
    let x = if is_batch { rng.images(from) } else { rng.variable(from) };
    Case::new(
        vec![x],
        move |g, v| {
            let n_rows = if is_batch { g.shape(v[0])[0] } else { shape[0] };
            g.broadcast_to(v[0], shape.with_axis(0, n_rows))
        },
        move |x| reference::broadcast_forward(&x[0], &from, &shape),
    )
}

/// A parameter for the images of a batch.
fn expand_as(rng: &mut Rng) -> Case {
    let shape = rng.batch_shape(1..=4);
    let from = rng.broadcasting_to(shape);
    Case::new(
        vec![rng.variable(from), Input { kind: Kind::Statistic, ..rng.images(shape) }],
        |g, v| g.expand_as(v[0], v[1]),
        move |x| reference::broadcast_forward(&x[0], &from, &shape),
    )
}

fn concat(rng: &mut Rng) -> Case {
    let (shape, axis) = shape_and_axis(rng);
    let sizes: Vec<usize> = (0..rng.size(1..=4)).map(|_| rng.size(1..=3)).collect();
    let inputs = sizes.iter().map(|&size| rng.images(shape.with_axis(axis, size))).collect();
    let outer: usize = shape[..axis].iter().product();
    Case::new(
        inputs,
        move |g, v| g.concat(v, axis),
        move |x| {
            let part = |i: usize, x: &Vec<f64>| x[i * x.len() / outer..(i + 1) * x.len() / outer].to_vec();
            (0..outer).flat_map(|i| x.iter().flat_map(move |x| part(i, x)).collect::<Vec<_>>()).collect()
        },
    )
}
