//! Rows of the losses.

use std::ops::Range;

use autograd::{
    BceOptions, BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, GaussianNllOptions, Graph,
    HingeEmbeddingOptions, KlDivOptions, MarginRankingOptions, MultiMarginOptions, NllOptions,
    PoissonNllOptions, Reduction, SmoothL1Options, TripletMarginOptions, Var,
};
use tensor::{Shape, reference};

use super::case::{Case, Input, Kind, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    let near_equal = |x: &[Vec<f64>]| {
        x[0].iter().zip(&x[1]).map(|(x, &t)| distance(&[*x], t)).fold(f64::INFINITY, f64::min)
    };
    vec![
        elements("mse_loss", -2.0..2.0, |g, [x, t], r| g.mse_loss(x, t, r), |[x, t]| (x - t).powi(2)),
        elements("l1_loss", -2.0..2.0, |g, [x, t], r| g.l1_loss(x, t, r), |[x, t]| (x - t).abs())
            .margin(near_equal)
            .kink(
                &[&[0.5], &[0.5]],
                |g, v| g.l1_loss(v[0], v[1], Reduction::Sum),
                |dx| (-1.0..=1.0).contains(&dx[0]),
            ),
        elements(
            "huber_loss",
            -2.0..2.0,
            |g, [x, t], r| g.huber_loss(x, t, 1.5, r),
            |[x, t]| huber(x - t, 1.5),
        )
        .kink(
            &[&[2.0, 0.0], &[0.5, 1.5]],
            |g, v| g.huber_loss(v[0], v[1], 1.5, Reduction::Sum),
            |dx| dx == [1.5, -1.5],
        ),
        elements(
            "smooth_l1_loss",
            -2.0..2.0,
            |g, [x, t], reduction| g.smooth_l1_loss(x, t, SmoothL1Options { beta: 0.5, reduction }),
            |[x, t]| huber(x - t, 0.5) / 0.5,
        ),
        elements(
            "smooth_l1_loss",
            -2.0..2.0,
            |g, [x, t], reduction| g.smooth_l1_loss(x, t, SmoothL1Options { beta: 0.0, reduction }),
            |[x, t]| (x - t).abs(),
        )
        .margin(near_equal)
        .kink(
            &[&[0.5], &[0.5]],
            |g, v| g.smooth_l1_loss(v[0], v[1], SmoothL1Options { beta: 0.0, reduction: Reduction::Sum }),
            |dx| dx == [0.0],
        ),
        elements(
            "poisson_nll_loss",
            0.3..2.5,
            |g, [x, t], r| g.poisson_nll_loss(x, t, r),
            |[x, t]| x.exp() - t * x,
        ),
        elements(
            "poisson_nll_loss",
            0.3..2.5,
            |g, [x, t], reduction| {
                let options = PoissonNllOptions { log_input: false, full: true, eps: 0.25, reduction };
                g.poisson_nll_loss(x, t, options)
            },
            |[x, t]| {
                let stirling = t * t.ln() - t + 0.5 * (std::f64::consts::TAU * t).ln();
                x - t * (x + 0.25).ln() + if t > 1.0 { stirling } else { 0.0 }
            },
        )
        .margin(|x| distance(&x[1], 1.0)),
        elements(
            "gaussian_nll_loss",
            0.5..2.0,
            |g, [x, t, v], reduction| {
                g.gaussian_nll_loss(x, t, v, GaussianNllOptions { full: true, eps: 1e-6, reduction })
            },
            |[x, t, v]| 0.5 * (v.ln() + (x - t).powi(2) / v + std::f64::consts::TAU.ln()),
        ),
        elements("bce_loss", 0.1..0.9, |g, [x, t], r| g.bce_loss(x, t, r), |[x, t]| bce(x, t)),
        elements(
            "bce_with_logits",
            -2.0..2.0,
            |g, [x, t], r| g.bce_with_logits(x, t, r),
            |[x, t]| bce_of_logits(x, t, 1.0),
        ),
        Row::new("bce_loss", 1e-6, |rng| {
            weighted(
                rng,
                0.1..0.9,
                false,
                |g, v, reduction| g.bce_loss(v[0], v[1], BceOptions { weight: Some(v[2]), reduction }),
                |x, t, w, _| w * bce(x, t),
            )
        }),
        Row::new("bce_with_logits", 1e-6, |rng| {
            weighted(
                rng,
                -2.0..2.0,
                true,
                |g, v, reduction| {
                    let options =
                        BceWithLogitsOptions { weight: Some(v[2]), pos_weight: Some(v[3]), reduction };
                    g.bce_with_logits(v[0], v[1], options)
                },
                |x, t, w, p| w * bce_of_logits(x, t, p),
            )
        }),
        elements("kl_div", 0.2..2.0, |g, [x, t], r| g.kl_div(x, t, r), |[x, t]| t * (t.ln() - x)),
        elements(
            "kl_div",
            -2.0..1.0,
            |g, [x, t], reduction| g.kl_div(x, t, KlDivOptions { log_target: true, reduction }),
            |[x, t]| t.exp() * (t - x),
        ),
        hinge_embedding(),
        elements(
            "margin_ranking_loss",
            -2.0..2.0,
            |g, [a, b, t], reduction| {
                g.margin_ranking_loss(a, b, t, MarginRankingOptions { margin: 0.5, reduction })
            },
            |[a, b, t]| (0.5 - t * (a - b)).max(0.0),
        )
        .margin(|x| {
            let missing: Vec<f64> = (0..x[0].len()).map(|i| 0.5 - x[2][i] * (x[0][i] - x[1][i])).collect();
            distance(&missing, 0.0)
        }),
        Row::new("cosine_embedding_loss", 2e-6, cosine_embedding),
        Row::new("triplet_margin_loss", 2e-6, triplet_margin),
        Row::new("multi_margin_loss", 1e-6, multi_margin),
        Row::new("nll_loss", 1e-6, |rng| class_scores(rng, false)),
        Row::new("cross_entropy", 4e-6, |rng| class_scores(rng, true)),
        Row::new("cross_entropy", 4e-6, soft_cross_entropy),
    ]
}

fn huber(d: f64, delta: f64) -> f64 {
    if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) }
}

fn bce(x: f64, t: f64) -> f64 {
    -t * x.ln() - (1.0 - t) * (1.0 - x).ln()
}

fn bce_of_logits(x: f64, t: f64, pos_weight: f64) -> f64 {
    pos_weight * t * (-x).exp().ln_1p() + (1.0 - t) * x.exp().ln_1p()
}

/// A loss of the elements of inputs that are alike; all of them get a gradient.
fn elements<const N: usize>(
    op: &'static str,
    range: Range<f32>,
    record: fn(&Graph<'_>, [Var; N], Reduction) -> Var,
    loss: fn([f64; N]) -> f64,
) -> Row {
    Row::new(op, 2e-6, move |rng| {
        let (shape, reduction) = (rng.batch_shape(0..=3), reduction(rng));
        Case::new(
            (0..N).map(|_| rng.images_in(shape, range.clone())).collect(),
            move |g, v| record(g, std::array::from_fn(|i| v[i]), reduction),
            move |x| {
                let of_element = |idx: usize| loss(std::array::from_fn(|i| x[i][idx]));
                join((0..x[0].len()).map(of_element).collect(), reduction, shape)
            },
        )
    })
}

/// Inputs and targets, weights for the elements, and perhaps weights for the last axis; the weights get no gradient.
fn weighted(
    rng: &mut Rng,
    range: Range<f32>,
    of_classes: bool,
    record: fn(&Graph<'_>, &[Var], Reduction) -> Var,
    loss: fn(f64, f64, f64, f64) -> f64,
) -> Case {
    let (shape, reduction) = (rng.batch_shape(1..=3), reduction(rng));
    let (rank, is_batch) = (shape.rank(), rng.is_batch());
    // A batch of numbers has its images where the classes would be.
    let last = if is_batch && rank == 1 { 1 } else { shape[rank - 1] };
    let mut inputs = vec![rng.images_in(shape, range.clone()), rng.images_in(shape, range)];
    inputs.push(no_gradient(if rng.bool() {
        rng.images_in(shape, 0.5..2.0)
    } else {
        rng.variable_in([1], 0.5..2.0)
    }));
    if of_classes {
        inputs.push(no_gradient(rng.variable_in([last], 0.5..2.0)));
    }
    Case::new(
        inputs,
        move |g, v| record(g, v, reduction),
        move |x| {
            let weight = |i: usize, idx: usize| x.get(i).map_or(1.0, |w| w[idx % w.len()]);
            let of_element = |idx: usize| loss(x[0][idx], x[1][idx], weight(2, idx), weight(3, idx));
            join((0..x[0].len()).map(of_element).collect(), reduction, shape)
        },
    )
}

fn no_gradient(input: Input) -> Input {
    Input { kind: Kind::Statistic, ..input }
}

/// −1 or 1, as many as a shape has elements.
fn signs(rng: &mut Rng, shape: impl Into<Shape>) -> Input {
    let mut input = no_gradient(rng.images(shape));
    input.values.iter_mut().for_each(|v| *v = v.signum());
    input
}

fn hinge_embedding() -> Row {
    let sample = |rng: &mut Rng| {
        let (shape, reduction) = (rng.batch_shape(0..=3), reduction(rng));
        Case::new(
            vec![rng.images(shape), signs(rng, shape)],
            move |g, v| g.hinge_embedding_loss(v[0], v[1], HingeEmbeddingOptions { margin: 0.5, reduction }),
            move |x| {
                let loss = |(&x, &t): (&f64, &f64)| if t == 1.0 { x } else { (0.5 - x).max(0.0) };
                join(x[0].iter().zip(&x[1]).map(loss).collect(), reduction, shape)
            },
        )
    };
    Row::new("hinge_embedding_loss", 1e-6, sample).margin(|x| distance(&x[0], 0.5))
}

fn cosine_embedding(rng: &mut Rng) -> Case {
    let (n, d, reduction) = (rng.batch(1..=5), rng.size(1..=5), reduction(rng));
    let options = CosineEmbeddingOptions { margin: 0.2, reduction };
    let cosines = move |x: &[Vec<f64>]| -> Vec<f64> {
        let rows = x[0].chunks(d).zip(x[1].chunks(d));
        rows.map(|(a, b)| dot(a, b) / ((dot(a, a) + 1e-12) * (dot(b, b) + 1e-12)).sqrt()).collect()
    };
    Case::new(
        vec![rng.images([n, d]), rng.images([n, d]), signs(rng, [n])],
        move |g, v| g.cosine_embedding_loss(v[0], v[1], v[2], options),
        move |x| {
            // The margin is an f32.
            let of_row = |(cosine, &t): (f64, &f64)| match t {
                1.0 => 1.0 - cosine,
                _ => (cosine - f64::from(0.2_f32)).max(0.0),
            };
            join(cosines(x).into_iter().zip(&x[2]).map(of_row).collect(), reduction, [n].into())
        },
    )
    .margin(move |x| {
        let shortest =
            [&x[0], &x[1]].map(|x| x.chunks(d).map(|row| dot(row, row).sqrt()).fold(1.0, f64::min));
        distance(&cosines(x), 0.2).min(shortest[0] - 0.2).min(shortest[1] - 0.2)
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn triplet_margin(rng: &mut Rng) -> Case {
    let (n, d, reduction) = (rng.batch(1..=5), rng.size(1..=5), reduction(rng));
    let (p, swap) = ([1.0, 2.0, 3.0][rng.size(0..=2)], rng.bool());
    let options = TripletMarginOptions { margin: 0.75, p, swap, reduction, ..Default::default() };
    let distance_of = move |a: &[f64], b: &[f64]| {
        let powers = a.iter().zip(b).map(|(a, b)| (a - b + f64::from(1e-6_f32)).abs().powf(p.into()));
        powers.sum::<f64>().powf(1.0 / f64::from(p))
    };
    // Of each row the distances of anchor and positive, anchor and negative, positive and negative.
    let distances = move |x: &[Vec<f64>]| -> Vec<[f64; 3]> {
        let rows = x[0].chunks(d).zip(x[1].chunks(d)).zip(x[2].chunks(d));
        rows.map(|((a, p), n)| [distance_of(a, p), distance_of(a, n), distance_of(p, n)]).collect()
    };
    let missing = move |[near, far, other]: [f64; 3]| 0.75 + near - if swap { far.min(other) } else { far };
    Case::new(
        vec![rng.images([n, d]), rng.images([n, d]), rng.images([n, d])],
        move |g, v| g.triplet_margin_loss([v[0], v[1], v[2]], options),
        move |x| {
            join(distances(x).into_iter().map(|row| missing(row).max(0.0)).collect(), reduction, [n].into())
        },
    )
    .margin(move |x| {
        let rows = distances(x);
        let of_row = |&row: &[f64; 3]| {
            let [near, far, other] = row;
            let tie = if swap { (far - other).abs() } else { 1.0 };
            missing(row).abs().min(tie).min(near.min(far).min(other) - 0.1)
        };
        let kinks = rows.iter().map(of_row).fold(f64::INFINITY, f64::min);
        let differences = |i: usize, j: usize| x[i].iter().zip(&x[j]).map(|(a, b)| (a - b).abs());
        let smallest = [(0, 1), (0, 2), (1, 2)].map(|(i, j)| differences(i, j).fold(f64::INFINITY, f64::min));
        if p == 1.0 { smallest.into_iter().fold(kinks, f64::min) } else { kinks }
    })
}

fn multi_margin(rng: &mut Rng) -> Case {
    let (n, classes, reduction) = (rng.batch(1..=5), rng.size(1..=5), reduction(rng));
    let (p, has_weight) = (rng.size(1..=2) as u32, rng.bool());
    let labels = rng.indices_of_images(n, 1, classes);
    let mut inputs = vec![rng.images([n, classes])];
    if has_weight {
        inputs.push(no_gradient(rng.variable_in([classes], 0.5..2.0)));
    }
    let missing = |row: &[f64], label: usize| -> Vec<f64> {
        let others = row.iter().enumerate().filter(|&(class, _)| class != label);
        others.map(|(_, x)| 0.5 - row[label] + x).collect()
    };
    let targets = labels.clone();
    let at_kinks = labels.clone();
    Case::new(
        inputs,
        move |g, v| {
            let options = MultiMarginOptions { p, margin: 0.5, weight: v.get(1).copied(), reduction };
            g.multi_margin_loss(v[0], g.indices(&labels), options)
        },
        move |x| {
            let of_row = |(row, &label): (&[f64], &u32)| {
                let missing = missing(row, label as usize);
                let sum: f64 = missing.iter().map(|v| v.max(0.0).powi(p as i32)).sum();
                x.get(1).map_or(1.0, |weight| weight[label as usize]) * sum / row.len() as f64
            };
            join(x[0].chunks(classes).zip(&targets).map(of_row).collect(), reduction, [n].into())
        },
    )
    .margin(move |x| {
        let rows = x[0].chunks(classes).zip(&at_kinks);
        rows.map(|(row, &label)| distance(&missing(row, label as usize), 0.0)).fold(f64::INFINITY, f64::min)
    })
}

/// Cross-entropy or negative log-likelihood of labels, with all options; perhaps with several rows for an image.
fn class_scores(rng: &mut Rng, is_cross_entropy: bool) -> Case {
    let (n, per_image, classes) = (rng.batch(1..=4), rng.size(1..=2), rng.size(1..=5));
    let rows = if rng.bool() { Shape::new(&[n, per_image]) } else { Shape::new(&[n * per_image]) };
    // The number behind the last class is ignored.
    let ignore_index = rng.bool().then_some(classes as u32);
    let labels = rng.indices_of_images(n, per_image, classes + usize::from(ignore_index.is_some()));
    let (has_weight, smoothing) = (rng.bool(), [0.0, 0.1, 1.0][rng.size(0..=2)]);
    let smoothing = if is_cross_entropy { smoothing } else { 0.0 };
    let nothing_counts = labels.iter().all(|&label| Some(label) == ignore_index);
    let reduction = match reduction(rng) {
        // NaN, which no number comes close to.
        Reduction::Mean if nothing_counts && !rng.is_batch() => Reduction::Sum,
        reduction => reduction,
    };
    let mut inputs = vec![rng.images(&[rows.dims(), &[classes]].concat()[..])];
    if has_weight {
        inputs.push(no_gradient(rng.variable_in([classes], 0.5..2.0)));
    }
    let targets = labels.clone();
    Case::new(
        inputs,
        move |g, v| {
            let (labels, weight) = (g.indices(&labels), v.get(1).copied());
            if is_cross_entropy {
                let options =
                    CrossEntropyOptions { weight, ignore_index, label_smoothing: smoothing, reduction };
                g.cross_entropy_with(v[0], labels, options)
            } else {
                g.nll_loss(v[0], labels, NllOptions { weight, ignore_index, reduction })
            }
        },
        move |x| {
            let weight = x.get(1).cloned().unwrap_or(vec![1.0; classes]);
            let masses = reference::label_masses(&targets, ignore_index, &weight, smoothing.into());
            let loss =
                if is_cross_entropy { reference::cross_entropy_forward } else { reference::nll_forward };
            let losses = loss(&x[0], &masses, classes);
            if reduction == Reduction::Mean {
                let counted = targets.iter().filter(|&&label| Some(label) != ignore_index);
                return vec![
                    losses.iter().sum::<f64>() / counted.map(|&label| weight[label as usize]).sum::<f64>(),
                ];
            }
            join(losses, reduction, rows)
        },
    )
}

/// Cross-entropy with probabilities, which get a gradient too.
fn soft_cross_entropy(rng: &mut Rng) -> Case {
    let (n, classes, reduction) = (rng.batch(1..=5), rng.size(1..=5), reduction(rng));
    let (has_weight, label_smoothing) = (rng.bool(), [0.0, 0.1, 1.0][rng.size(0..=2)]);
    let mut inputs = vec![rng.images([n, classes]), rng.images_in([n, classes], 0.0..1.0)];
    if has_weight {
        inputs.push(no_gradient(rng.variable_in([classes], 0.5..2.0)));
    }
    Case::new(
        inputs,
        move |g, v| {
            let weight = v.get(2).copied();
            let options = CrossEntropyOptions { weight, label_smoothing, reduction, ..Default::default() };
            g.cross_entropy_with(v[0], v[1], options)
        },
        move |x| {
            let weight = x.get(2).cloned().unwrap_or(vec![1.0; classes]);
            let masses = reference::class_masses(&x[1], &weight, label_smoothing.into());
            join(reference::cross_entropy_forward(&x[0], &masses, classes), reduction, [n].into())
        },
    )
}

fn reduction(rng: &mut Rng) -> Reduction {
    [Reduction::None, Reduction::Mean, Reduction::Sum, Reduction::BatchMean][rng.size(0..=3)]
}

/// The losses of this shape, joined.
fn join(losses: Vec<f64>, reduction: Reduction, shape: Shape) -> Vec<f64> {
    let sum: f64 = losses.iter().sum();
    match reduction {
        Reduction::None => losses,
        Reduction::Mean => vec![sum / losses.len() as f64],
        Reduction::Sum => vec![sum],
        Reduction::BatchMean => vec![sum / shape.first().copied().unwrap_or(1) as f64],
    }
}
