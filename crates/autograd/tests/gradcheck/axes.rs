//! Rows of the ops along or over axes: extremes, norms, cumulative sums, sorting, scattering.

use autograd::{Graph, Var};
use tensor::{Axes, Shape, reference};

use super::case::{Case, Rng, Row, distance};
use super::layout::{reduction, shape_and_axis};

pub(crate) fn rows() -> Vec<Row> {
    let infinity = |_: &[f64]| f64::INFINITY;
    let apart_from_0 = |x: &[f64]| distance(x, 0.0);
    let mut rows = vec![
        // Equal ones share the gradient.
        over_axes("amax", 1e-6, |g, x, (axes, keepdim)| g.amax(x, axes, keepdim), largest, gap).kink(
            &[&[1.5, 0.0, 1.5]],
            |g, v| g.amax(v[0], .., false),
            |dx| dx == [0.5, 0.0, 0.5],
        ),
        over_axes("amin", 1e-6, |g, x, (axes, keepdim)| g.amin(x, axes, keepdim), smallest, gap).kink(
            &[&[1.5, 0.0, 0.0]],
            |g, v| g.amin(v[0], .., false),
            |dx| dx == [0.0, 0.5, 0.5],
        ),
        over_axes(
            "logsumexp",
            2e-6,
            |g, x, (axes, keepdim)| g.logsumexp(x, axes, keepdim),
            |x| x.iter().map(|x| x.exp()).sum::<f64>().ln(),
            infinity,
        ),
        norm(2.0, 2e-6),
        norm(3.0, 4e-6),
        norm(1.5, 4e-6),
        over_axes(
            "norm",
            1e-5,
            |g, x, (axes, keepdim)| g.norm(x, 0.5, axes, keepdim),
            |x| p_norm(x, 0.5),
            apart_from_0,
        )
        .kink(&[&[0.0, 1.0]], |g, v| g.norm(v[0], 0.5, .., false), |dx| dx == [0.0, 1.0]),
        Row::new("cumsum", 1e-6, |rng| {
            let (shape, axis) = shape_and_axis(rng);
            Case::new(
                vec![rng.images(shape)],
                move |g, v| g.cumsum(v[0], axis),
                move |x| reference::cumsum_forward(&x[0], &shape, axis),
            )
        }),
        Row::new("scatter_add", 1e-6, scatter_add),
        variance("var", |g, x, axes, (correction, keepdim)| g.var(x, axes, correction, keepdim), |var| var),
        // With equal elements the root has no derivative.
        variance("std", |g, x, axes, (correction, keepdim)| g.std(x, axes, correction, keepdim), f64::sqrt)
            .kink(&[&[0.5, 0.5]], |g, v| g.std(v[0], .., 1, false), |dx| dx == [0.0, 0.0]),
    ];
    // Values of a choice along one axis are gathered: of equals, the first is chosen.
    type Choose = fn(&Graph<'_>, Var, usize) -> Var;
    let choices: [(Choose, usize, bool); 6] = [
        (|g, x, axis| g.max(x, axis, true).0, 1, true),
        (|g, x, axis| g.min(x, axis, true).0, 1, false),
        (|g, x, axis| g.topk(x, 2.min(g.shape(x)[axis]), axis, true).0, 2, true),
        (|g, x, axis| g.topk(x, 2.min(g.shape(x)[axis]), axis, false).0, 2, false),
        (|g, x, axis| g.sort(x, axis, true).0, usize::MAX, true),
        (|g, x, axis| g.sort(x, axis, false).0, usize::MAX, false),
    ];
    rows.extend(choices.map(|(choose, k, descending)| {
        let row = Row::new("gather", 1e-6, move |rng| chosen(rng, choose, k, descending));
        row.kink(&[&[1.5, 1.5]], move |g, v| choose(g, v[0], 0), |dx| dx[0] == 1.0)
    }));
    rows
}

type Record = fn(&Graph<'_>, Var, (Axes, bool)) -> Var;

/// f of the elements over some axes, whose distance from a kink is `margin` of them.
fn over_axes(
    op: &'static str,
    tolerance: f64,
    record: Record,
    f: impl Fn(&[f64]) -> f64 + Copy + 'static,
    margin: impl Fn(&[f64]) -> f64 + Copy + 'static,
) -> Row {
    Row::new(op, tolerance, move |rng| {
        let first = usize::from(rng.is_batch());
        let shape = rng.batch_shape(0..=4);
        let axes: Vec<usize> = (first..shape.rank()).filter(|_| rng.bool()).collect();
        let axes = if first == 0 && rng.bool() { Axes::from(..) } else { Axes::from(&axes[..]) };
        let keepdim = rng.bool();
        let groups = move |x: &[f64]| groups(x, &axes.kept(&shape), &shape);
        Case::new(
            vec![rng.images(shape)],
            move |g, v| record(g, v[0], (axes, keepdim)),
            move |x| groups(&x[0]).iter().map(|group| f(group)).collect(),
        )
        .margin(move |x| groups(&x[0]).iter().map(|group| margin(group)).fold(f64::INFINITY, f64::min))
    })
}

/// f of the variance over any axes, the images of a batch among them.
fn variance(
    op: &'static str,
    record: fn(&Graph<'_>, Var, Axes, (usize, bool)) -> Var,
    f: fn(f64) -> f64,
) -> Row {
    Row::new(op, 4e-6, move |rng| {
        let (shape, axes, keepdim) = reduction(rng);
        let kept = axes.kept(&shape);
        let n = shape.numel() / kept.numel();
        let correction = rng.size(0..=1).min(n - 1);
        let variances = move |x: &[f64]| -> Vec<f64> {
            let of_group = |group: Vec<f64>| {
                let mean = group.iter().sum::<f64>() / n as f64;
                group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - correction) as f64
            };
            groups(x, &kept, &shape).into_iter().map(of_group).collect()
        };
        let case = Case::new(
            vec![rng.images(shape)],
            move |g, v| record(g, v[0], axes, (correction, keepdim)),
            move |x| variances(&x[0]).into_iter().map(f).collect(),
        );
        match op {
            "std" => case.margin(move |x| variances(&x[0]).into_iter().fold(f64::INFINITY, f64::min).sqrt()),
            _ => case,
        }
    })
}

/// The elements of `x` that each element of the reduced shape is made of.
fn groups(x: &[f64], kept: &Shape, shape: &Shape) -> Vec<Vec<f64>> {
    let numbers: Vec<f64> = (0..kept.numel()).map(|i| i as f64).collect();
    let mut groups = vec![Vec::new(); kept.numel()];
    for (number, &x) in reference::broadcast_forward(&numbers, kept, shape).iter().zip(x) {
        groups[*number as usize].push(x);
    }
    groups
}

fn norm(p: f32, tolerance: f64) -> Row {
    let record: Record = match p {
        2.0 => |g, x, (axes, keepdim)| g.norm(x, 2.0, axes, keepdim),
        3.0 => |g, x, (axes, keepdim)| g.norm(x, 3.0, axes, keepdim),
        _ => |g, x, (axes, keepdim)| g.norm(x, 1.5, axes, keepdim),
    };
    let p = f64::from(p);
    // Zero alone is where it has no derivative, and near it the slope is steep.
    over_axes(
        "norm",
        tolerance,
        record,
        move |x| p_norm(x, p),
        |x| largest(&x.iter().map(|x| x.abs()).collect::<Vec<_>>()),
    )
    .kink(&[&[0.0, 0.0]], move |g, v| record(g, v[0], (Axes::from(..), false)), |dx| dx == [0.0, 0.0])
}

fn p_norm(x: &[f64], p: f64) -> f64 {
    x.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p)
}

fn largest(x: &[f64]) -> f64 {
    x.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn smallest(x: &[f64]) -> f64 {
    x.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The smallest difference of two elements.
fn gap(x: &[f64]) -> f64 {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min)
}

/// The first `k` elements along an axis in their order.
fn chosen(rng: &mut Rng, choose: fn(&Graph<'_>, Var, usize) -> Var, k: usize, descending: bool) -> Case {
    let (shape, axis) = shape_and_axis(rng);
    let k = k.min(shape[axis]);
    let kept = shape.with_axis(axis, 1);
    Case::new(
        vec![rng.images(shape)],
        move |g, v| choose(g, v[0], axis),
        move |x| {
            let first = reference::topk(&x[0], &shape, axis, k, descending);
            reference::gather_forward(&x[0], &first, &shape, axis)
        },
    )
    .margin(move |x| groups(&x[0], &kept, &shape).iter().map(|x| gap(x)).fold(f64::INFINITY, f64::min))
}

/// Elements of images are added within each, or rows of the batch to a table.
fn scatter_add(rng: &mut Rng) -> Case {
    let adds_rows = rng.is_batch() && rng.bool();
    let (shape, axis) = if adds_rows { (rng.shape(1..=4), 0) } else { shape_and_axis(rng) };
    let n_picks = if adds_rows { rng.batch(1..=4) } else { rng.size(1..=4) };
    let picks = shape.with_axis(axis, n_picks);
    let picked = rng.indices_of_images(picks[0], picks.numel() / picks[0], shape[axis]);
    let expected = picked.clone();
    let x = if adds_rows { rng.variable(shape) } else { rng.images(shape) };
    Case::new(
        vec![x, rng.images(picks)],
        move |g, v| {
            let indices = g.indices(&picked);
            g.scatter_add(v[0], axis, indices, v[1])
        },
        move |x| {
            let added = reference::gather_backward(&x[1], &expected, &shape, axis);
            x[0].iter().zip(added).map(|(x, added)| x + added).collect()
        },
    )
}
