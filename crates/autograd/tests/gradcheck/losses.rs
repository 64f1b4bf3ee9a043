//! Rows of the losses.

use autograd::{CrossEntropyOptions, Graph, Reduction, Var};
use tensor::reference;

use crate::case::{Case, Rng, Row, distance};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("MseLoss", 1e-6, |rng| {
            pairwise(rng, |g, x, t, reduction| g.mse_loss(x, t, reduction), |x, t| (x - t).powi(2))
        }),
        Row::new("L1Loss", 1e-6, |rng| {
            pairwise(rng, |g, x, t, reduction| g.l1_loss(x, t, reduction), |x, t| (x - t).abs())
                .margin(|x| distance(&differences(x), 0.0))
        })
        .kink(
            &[&[0.5], &[0.5]],
            |g, v| g.l1_loss(v[0], v[1], Reduction::Sum),
            |dx| (-1.0..=1.0).contains(&dx[0]),
        ),
        Row::new("HuberLoss", 1e-6, |rng| {
            let record = |g: &Graph<'_>, x, t, reduction| g.huber_loss(x, t, 1.5, reduction);
            let huber = |x: f64, t: f64| match (x - t).abs() {
                d if d <= 1.5 => 0.5 * d * d,
                d => 1.5 * (d - 0.75),
            };
            pairwise(rng, record, huber)
        })
        .kink(
            &[&[2.0, 0.0], &[0.5, 1.5]],
            |g, v| g.huber_loss(v[0], v[1], 1.5, Reduction::Sum),
            |dx| dx == [1.5, -1.5],
        ),
        Row::new("BceWithLogits", 1e-6, |rng| {
            let record = |g: &Graph<'_>, x, t, reduction| g.bce_with_logits(x, t, reduction);
            pairwise(rng, record, |x, t| t * (-x).exp().ln_1p() + (1.0 - t) * x.exp().ln_1p())
        }),
        Row::new("CrossEntropy", 2e-6, |rng| {
            let (n, classes) = (rng.size(1..=5), rng.size(1..=5));
            let labels = rng.indices(n, classes);
            let smoothing = [0.0, 0.1, 1.0][rng.size(0..=2)];
            let options = CrossEntropyOptions { label_smoothing: smoothing, reduction: reduction(rng) };
            let targets = labels.clone();
            Case::new(
                vec![rng.variable([n, classes])],
                move |g, v| {
                    let labels = g.indices(&labels);
                    g.cross_entropy(v[0], labels, options)
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

type RecordLoss = fn(&Graph<'_>, Var, Var, Reduction) -> Var;

/// An element-wise loss; both inputs get a gradient.
fn pairwise(rng: &mut Rng, record: RecordLoss, loss: fn(f64, f64) -> f64) -> Case {
    let (shape, reduction) = (rng.shape(0..=3), reduction(rng));
    Case::new(
        vec![rng.variable(shape), rng.variable(shape)],
        move |g, v| record(g, v[0], v[1], reduction),
        move |x| {
            let losses: Vec<f64> = x[0].iter().zip(&x[1]).map(|(&x, &t)| loss(x, t)).collect();
            vec![reduce(&losses, reduction)]
        },
    )
}

fn reduction(rng: &mut Rng) -> Reduction {
    if rng.bool() { Reduction::Mean } else { Reduction::Sum }
}

fn reduce(losses: &[f64], reduction: Reduction) -> f64 {
    let sum: f64 = losses.iter().sum();
    if reduction == Reduction::Mean { sum / losses.len() as f64 } else { sum }
}

fn differences(x: &[Vec<f64>]) -> Vec<f64> {
    x[0].iter().zip(&x[1]).map(|(x, t)| x - t).collect()
}
