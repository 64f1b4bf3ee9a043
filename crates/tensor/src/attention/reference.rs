//! Attention with the full matrix of weights in memory.

use super::{AttentionShape, HeadLayout, Scoring};
use crate::dropout::reference::dropout_forward;

/// Where the tokens of a head begin, and the step from token to token.
struct Place {
    start: usize,
    step: usize,
}

/// The queries, keys, values and outputs of head number `idx` among all heads of all images.
fn places(idx: usize, shape: &AttentionShape) -> [Place; 4] {
    let &AttentionShape { heads, queries, keys, head_dim, value_dim, layout, .. } = shape;
    let (image, head) = (idx / heads, idx % heads);
    [(queries, head_dim), (keys, head_dim), (keys, value_dim), (queries, value_dim)].map(|(tokens, dim)| {
        match layout {
            HeadLayout::First => Place { start: idx * tokens * dim, step: dim },
            HeadLayout::Last => Place { start: (image * tokens * heads + head) * dim, step: heads * dim },
        }
    })
}

// ANCHOR: weights
/// softmax(scale · q · kᵀ + masks), `[batch, heads, queries, keys]`; zeros where all keys are hidden.
pub fn attention_weights(q: &[f64], k: &[f64], scoring: &Scoring<'_>, shape: &AttentionShape) -> Vec<f64> {
    let &AttentionShape { batch, heads, queries, keys, head_dim, .. } = shape;
    let mut weights = Vec::with_capacity(batch * heads * queries * keys);
    for idx in 0..batch * heads {
        let [qs, ks, ..] = places(idx, shape);
        for i in 0..queries {
            let score = |j: usize| {
                let product = |d: usize| q[qs.start + i * qs.step + d] * k[ks.start + j * ks.step + d];
                let mask: f64 = scoring.masks.iter().flatten().map(|mask| mask.at(idx, heads, i, j)).sum();
                let score = f64::from(scoring.scale) * (0..head_dim).map(product).sum::<f64>() + mask;
                if scoring.is_causal && j > i { f64::NEG_INFINITY } else { score }
            };
            let scores: Vec<f64> = (0..keys).map(score).collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let power = |score: &f64| if max == f64::NEG_INFINITY { 0.0 } else { (score - max).exp() };
            let powers: Vec<f64> = scores.iter().map(power).collect();
            let sum = if max == f64::NEG_INFINITY { 1.0 } else { powers.iter().sum() };
            weights.extend(powers.iter().map(|power| power / sum));
        }
    }
    weights
}
// ANCHOR_END: weights

/// Applies dropout to the weights, or to their gradient.
fn drop(weights: &[f64], scoring: &Scoring<'_>) -> Vec<f64> {
    match scoring.dropout {
        Some(dropout) => dropout_forward(weights, dropout.p, dropout.key),
        None => weights.to_vec(),
    }
}

// ANCHOR: forward
/// weights · v.
pub fn attention_forward([q, k, v]: [&[f64]; 3], scoring: &Scoring<'_>, shape: &AttentionShape) -> Vec<f64> {
    let &AttentionShape { batch, heads, queries, keys, value_dim, .. } = shape;
    let weights = drop(&attention_weights(q, k, scoring, shape), scoring);
    let mut y = vec![0.0; batch * heads * queries * value_dim];
    for idx in 0..batch * heads {
        let [_, _, vs, ys] = places(idx, shape);
        for i in 0..queries {
            for j in 0..keys {
                let weight = weights[(idx * queries + i) * keys + j];
                for d in 0..value_dim {
                    y[ys.start + i * ys.step + d] += weight * v[vs.start + j * vs.step + d];
                }
            }
        }
    }
    y
}
// ANCHOR_END: forward

// ANCHOR: backward
/// The gradients of q, k and v.
pub fn attention_backward(
    dy: &[f64],
    [q, k, v]: [&[f64]; 3],
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) -> [Vec<f64>; 3] {
    let &AttentionShape { batch, heads, queries, keys, head_dim, value_dim, .. } = shape;
    let weights = attention_weights(q, k, scoring, shape);
    let dropped = drop(&weights, scoring);
    let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![0.0; x.len()]);
    let mut dweights = vec![0.0; weights.len()];
    for idx in 0..batch * heads {
        let [_, _, vs, ys] = places(idx, shape);
        for i in 0..queries {
            for j in 0..keys {
                for d in 0..value_dim {
                    let (dy, v_at) = (dy[ys.start + i * ys.step + d], vs.start + j * vs.step + d);
                    dweights[(idx * queries + i) * keys + j] += dy * v[v_at];
                    dv[v_at] += dropped[(idx * queries + i) * keys + j] * dy;
                }
            }
        }
    }
    let dweights = drop(&dweights, scoring);
    for idx in 0..batch * heads {
        let [qs, ks, ..] = places(idx, shape);
        for i in 0..queries {
            let row = (idx * queries + i) * keys..(idx * queries + i + 1) * keys;
            let (weights, dweights) = (&weights[row.clone()], &dweights[row]);
            let delta: f64 = weights.iter().zip(dweights).map(|(weight, dweight)| weight * dweight).sum();
            for j in 0..keys {
                let dscore = f64::from(scoring.scale) * weights[j] * (dweights[j] - delta);
                for d in 0..head_dim {
                    let (q_at, k_at) = (qs.start + i * qs.step + d, ks.start + j * ks.step + d);
                    dq[q_at] += dscore * k[k_at];
                    dk[k_at] += dscore * q[q_at];
                }
            }
        }
    }
    [dq, dk, dv]
}
// ANCHOR_END: backward

/// The gradient of the scores, `[batch, heads, queries, keys]`: that of a mask of this shape.
pub fn attention_backward_scores(
    dy: &[f64],
    [q, k, v]: [&[f64]; 3],
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) -> Vec<f64> {
    let &AttentionShape { batch, heads, queries, keys, value_dim, .. } = shape;
    let weights = attention_weights(q, k, scoring, shape);
    let mut dweights = Vec::with_capacity(weights.len());
    for idx in 0..batch * heads {
        let [_, _, vs, ys] = places(idx, shape);
        for i in 0..queries {
            let product = |j: usize, d: usize| dy[ys.start + i * ys.step + d] * v[vs.start + j * vs.step + d];
            dweights.extend((0..keys).map(|j| (0..value_dim).map(|d| product(j, d)).sum::<f64>()));
        }
    }
    let dweights = drop(&dweights, scoring);
    let rows = weights.chunks(keys).zip(dweights.chunks(keys));
    rows.flat_map(|(weights, dweights)| {
        let delta: f64 = weights.iter().zip(dweights).map(|(weight, dweight)| weight * dweight).sum();
        weights.iter().zip(dweights).map(move |(weight, dweight)| weight * (dweight - delta))
    })
    .collect()
}
