//! Rows of the losses.

use autograd::{CrossEntropyOptions, Graph, Reduction, Var};
use tensor::reference;

use crate::case::{Case, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        pairwise("mse_loss", 1e-6, |g, x, t, r| g.mse_loss(x, t, r), |x, t| (x - t).powi(2)),
        pairwise("l1_loss", 1e-6, |g, x, t, r| g.l1_loss(x, t, r), |x, t| (x - t).abs())
            .margin(|x| {
                x[0].iter().zip(&x[1]).map(|(x, &t)| distance(&[*x], t)).fold(f64::INFINITY, f64::min)
            })
            .kink(
                &[&[0.5], &[0.5]],
                |g, v| g.l1_loss(v[0], v[1], Reduction::Sum),
                |dx| (-1.0..=1.0).contains(&dx[0]),
            ),
        pairwise(
            "huber_loss",
            1e-6,
            |g, x, t, r| g.huber_loss(x, t, 1.5, r),
            |x, t| match (x - t).abs() {
                d if d <= 1.5 => 0.5 * d * d,
                d => 1.5 * (d - 0.75),
            },
        )
        .kink(
            &[&[2.0, 0.0], &[0.5, 1.5]],
            |g, v| g.huber_loss(v[0], v[1], 1.5, Reduction::Sum),
            |dx| dx == [1.5, -1.5],
        ),
        pairwise(
            "bce_with_logits",
            1e-6,
            |g, x, t, r| g.bce_with_logits(x, t, r),
            |x, t| t * (-x).exp().ln_1p() + (1.0 - t) * x.exp().ln_1p(),
        ),
        Row::new("cross_entropy", 2e-6, |rng| {
            let (n, classes) = (rng.batch(1..=5), rng.size(1..=5));
            let labels = rng.indices_of_images(n, 1, classes);
            let smoothing = [0.0, 0.1, 1.0][rng.size(0..=2)];
            let options = CrossEntropyOptions { label_smoothing: smoothing, reduction: reduction(rng) };
            let targets = labels.clone();
            Case::new(
                vec![rng.images([n, classes])],
                move |g, v| {
                    let labels = g.indices(&labels);
                    g.cross_entropy_with(v[0], labels, options)
                },
                move |x| {
                    let losses =
                        reference::cross_entropy_forward(&x[0], &targets, classes, f64::from(smoothing));
                    vec![reduce(&losses, options.reduction)]
                },
            )
        }),
    ]
}

/// A loss that works element by element; both inputs get a gradient.
fn pairwise(
    op: &'static str,
    tolerance: f64,
    record: fn(&Graph<'_>, Var, Var, Reduction) -> Var,
    loss: fn(f64, f64) -> f64,
) -> Row {
    Row::new(op, tolerance, move |rng| {
        let (shape, reduction) = (rng.batch_shape(0..=3), reduction(rng));
        Case::new(
            vec![rng.images(shape), rng.images(shape)],
            move |g, v| record(g, v[0], v[1], reduction),
            move |x| {
                let losses: Vec<f64> = x[0].iter().zip(&x[1]).map(|(&x, &t)| loss(x, t)).collect();
                vec![reduce(&losses, reduction)]
            },
        )
    })
}

fn reduction(rng: &mut Rng) -> Reduction {
    if rng.bool() { Reduction::Mean } else { Reduction::Sum }
}

fn reduce(losses: &[f64], reduction: Reduction) -> f64 {
    let sum: f64 = losses.iter().sum();
    if reduction == Reduction::Mean { sum / losses.len() as f64 } else { sum }
}
