//! What a step makes small: cross-entropy, the classes weighted, images mixed with others, in one part or in several.

use anyhow::{Context, Result, ensure};
use autograd::{CrossEntropyOptions, Graph, Reduction, Var};
use classifier::input;
use data::{Batch, Dataset};
use keyed_random::{child_key, draw_key, seed_key, splitmix64};
use nn::{Layer, Sequential};

use crate::cli::{ReductionFlag, Settings};

/// The loss of a run, and the memory for mixed batches.
pub struct Objective {
    n_classes: usize,
    /// A factor for each class.
    weights: Option<Vec<f32>>,
    label_smoothing: f32,
    reduction: Reduction,
    mixup: Option<f64>,
    cutmix: Option<f64>,
    key: u64,
    /// The shape of the inputs of the batch that was prepared, `[n, h, w, c]`.
    shape: [usize; 4],
    /// Its inputs and the probabilities they should get, where it is mixed.
    mixed: Option<(Vec<f32>, Vec<f32>)>,
}

impl Objective {
    /// What the settings ask for, for these training images.
    ///
    /// # Errors
    /// When there are not as many weights as classes, or something is for images only.
    pub fn new(settings: &Settings, training: &dyn Dataset) -> Result<Self> {
        let is_table = training.image_shape().is_empty();
        ensure!(
            !(is_table && settings.cutmix.is_some()),
            "--cutmix is for images, and these are rows of numbers"
        );
        let n_classes = training.class_names().len();
        let weights = match settings.class_weights.as_deref() {
            None => None,
            Some("balanced") => Some(balanced(training)),
            Some(list) => Some(given(list, n_classes)?),
        };
        Ok(Self {
            n_classes,
            weights,
            label_smoothing: settings.label_smoothing as f32,
            reduction: match settings.reduction {
                ReductionFlag::Mean => Reduction::Mean,
                ReductionFlag::Sum => Reduction::Sum,
            },
            mixup: settings.mixup,
            cutmix: settings.cutmix,
            key: child_key(seed_key(settings.seed), "mix"),
            shape: [0; 4],
            mixed: None,
        })
    }

    /// Takes the batch of a step: with `--mixup` or `--cutmix` each image is mixed with another one, by the seed and the
    /// step alone.
    pub fn prepare(&mut self, batch: &Batch, step: u64) {
        let (shape, values) = inputs_of(batch);
        self.shape = shape;
        if self.mixup.is_none() && self.cutmix.is_none() {
            return;
        }
        let mut draws = Draws { key: draw_key(self.key, step, 0), n: 0 };
        let (alpha, cuts) = match (self.mixup, self.cutmix) {
            (Some(mixup), Some(cutmix)) => {
                if draws.unit() < 0.5 {
                    (mixup, false)
                } else {
                    (cutmix, true)
                }
            }
            (Some(mixup), None) => (mixup, false),
            (None, cutmix) => (cutmix.expect("one of both"), true),
        };
        let lambda = draws.beta(alpha);
        let (mixed, targets) = self.mixed.get_or_insert_default();
        mixed.clear();
        mixed.extend_from_slice(values);
        let lambda = if cuts {
            cut_in(mixed, values, shape, lambda, &mut draws)
        } else {
            mix(mixed, values, shape, lambda)
        };
        let labels = batch.labels();
        targets.clear();
        targets.resize(labels.len() * self.n_classes, 0.0);
        for (at, row) in targets.chunks_exact_mut(self.n_classes).enumerate() {
            row[labels[at] as usize] += lambda as f32;
            row[labels[labels.len() - 1 - at] as usize] += (1.0 - lambda) as f32;
        }
    }

    /// Records the answers to part `part` of `n_parts` of the batch, and its share of the batch's loss, which is a mean or a
    /// sum.
    pub fn record(
        &self,
        net: &Sequential,
        g: &Graph<'_>,
        batch: &Batch,
        part: usize,
        n_parts: usize,
    ) -> (Var, Var) {
        let Self { label_smoothing, reduction, .. } = *self;
        let options = CrossEntropyOptions { label_smoothing, reduction, ..CrossEntropyOptions::default() };
        if n_parts == 1 && self.weights.is_none() && self.mixed.is_none() {
            let logits = net.forward(g, input(g, batch));
            return (logits, g.cross_entropy_with(logits, g.labels(batch), options));
        }
        let [n, h, w, c] = self.shape;
        let (start, end) = part_of(n, part, n_parts);
        let rows = end - start;
        let values = match &self.mixed {
            Some((mixed, _)) => mixed.as_slice(),
            None => inputs_of(batch).1,
        };
        let len = h * w * c;
        let logits = net.forward(g, g.input([rows, h, w, c], &values[start * len..end * len]));
        let weight = self.weights.as_ref().map(|weights| g.input([self.n_classes], weights));
        let options = CrossEntropyOptions { weight, ..options };
        let labels = &batch.labels()[start..end];
        let loss = match &self.mixed {
            Some((_, targets)) => {
                let range = start * self.n_classes..end * self.n_classes;
                g.cross_entropy_with(logits, g.input([rows, self.n_classes], &targets[range]), options)
            }
            None => g.cross_entropy_with(logits, g.labels(labels), options),
        };
        // The mean of a part counts for as much of the whole's as it has of what that divides by.
        let share = match &self.weights {
            Some(weights) if self.mixed.is_none() => {
                let sum = |labels: &[u32]| {
                    labels.iter().map(|&label| f64::from(weights[label as usize])).sum::<f64>()
                };
                sum(labels) / sum(batch.labels())
            }
            _ => rows as f64 / n as f64,
        };
        (logits, if n_parts == 1 || reduction == Reduction::Sum { loss } else { g.scale(loss, share as f32) })
    }
}

/// Which examples of `n` are part `part` of `n_parts`.
pub fn part_of(n: usize, part: usize, n_parts: usize) -> (usize, usize) {
    (part * n / n_parts, (part + 1) * n / n_parts)
}

/// The shape and the values of a batch's inputs: its images, or the numbers of a table as images of one pixel.
fn inputs_of(batch: &Batch) -> ([usize; 4], &[f32]) {
    if batch.image_len() == 0 {
        let [n, d] = *batch.shape_of("features") else { unreachable!("numbers in a row") };
        return ([n, 1, 1, d], batch.f32("features"));
    }
    (batch.shape(), batch.images())
}

/// For each class the number of images over what it would be if all classes had as many, inverted: scikit-learn's
/// `balanced`. A class without an image has no weight.
fn balanced(training: &dyn Dataset) -> Vec<f32> {
    let mut counts = vec![0_usize; training.class_names().len()];
    (0..training.len()).for_each(|idx| counts[training.label(idx) as usize] += 1);
    let mean = training.len() as f64 / counts.len() as f64;
    counts.iter().map(|&n| if n == 0 { 0.0 } else { (mean / n as f64) as f32 }).collect()
}

fn given(list: &str, n_classes: usize) -> Result<Vec<f32>> {
    let weights = list.split(',').map(|text| text.trim().parse::<f32>());
    let weights = weights
        .collect::<Result<Vec<f32>, _>>()
        .context("--class-weights: expected `balanced` or numbers")?;
    ensure!(
        weights.len() == n_classes && weights.iter().all(|w| w.is_finite() && *w >= 0.0),
        "--class-weights: expected {n_classes} numbers from 0 up, one for each class in the order of their names, found {}",
        weights.len()
    );
    Ok(weights)
}

/// Each image with a share of the one at the other end of the batch (Zhang et al., "mixup", 2018).
fn mix(mixed: &mut [f32], values: &[f32], [n, h, w, c]: [usize; 4], lambda: f64) -> f64 {
    let len = h * w * c;
    for (at, image) in mixed.chunks_exact_mut(len).enumerate() {
        let other = &values[(n - 1 - at) * len..][..len];
        for (value, other) in image.iter_mut().zip(other) {
            *value = lambda as f32 * *value + (1.0 - lambda) as f32 * other;
        }
    }
    lambda
}

/// Into each image a rectangle of the one at the other end of the batch (Yun et al., "CutMix", 2019). Returns the share
/// that is left of the first.
fn cut_in(
    mixed: &mut [f32],
    values: &[f32],
    [n, h, w, c]: [usize; 4],
    lambda: f64,
    draws: &mut Draws,
) -> f64 {
    let ratio = (1.0 - lambda).sqrt();
    let mut span = |side: usize| {
        let half = (side as f64 * ratio / 2.0) as usize;
        let centre = (draws.unit() * side as f64) as usize;
        (centre.saturating_sub(half), (centre + half).min(side))
    };
    let ((top, bottom), (left, right)) = (span(h), span(w));
    for (at, image) in mixed.chunks_exact_mut(h * w * c).enumerate() {
        let other = &values[(n - 1 - at) * h * w * c..];
        for y in top..bottom {
            let range = (y * w + left) * c..(y * w + right) * c;
            image[range.clone()].copy_from_slice(&other[range]);
        }
    }
    1.0 - ((bottom - top) * (right - left)) as f64 / (h * w) as f64
}

/// Random numbers of one step.
struct Draws {
    key: u64,
    n: u64,
}

impl Draws {
    fn unit(&mut self) -> f64 {
        self.n += 1;
        f64::from(keyed_random::unit(splitmix64(self.key, self.n)))
    }

    /// From Beta(α, α), 0 < α ≤ 1, by Jöhnk's method: of pairs (u^(1/α), v^(1/α)) the first whose sum is at most 1.
    fn beta(&mut self, alpha: f64) -> f64 {
        loop {
            let [x, y] = [self.unit(), self.unit()].map(|u| u.powf(1.0 / alpha));
            if x + y > 0.0 && x + y <= 1.0 {
                return x / (x + y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_mean_and_the_variance_of_beta() {
        for alpha in [0.2, 0.5, 1.0] {
            let mut draws = Draws { key: 7, n: 0 };
            let n = 20_000;
            let all: Vec<f64> = (0..n).map(|_| draws.beta(alpha)).collect();
            let mean = all.iter().sum::<f64>() / f64::from(n);
            let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance - expected).abs() < 0.01,
                "{alpha}: {mean}, {variance}"
            );
        }
    }

    #[test]
    fn a_rectangle_of_the_other_image_is_as_large_as_it_is_said() {
        let shape = [2, 6, 8, 1];
        let values: Vec<f32> = [vec![1.0; 48], vec![2.0; 48]].concat();
        for n in 0..50 {
            let mut draws = Draws { key: n, n: 0 };
            let mut mixed = values.clone();
            let lambda = cut_in(&mut mixed, &values, shape, 0.4, &mut draws);
            let of_the_other = mixed[..48].iter().filter(|value| **value == 2.0).count();
            assert!((lambda - (1.0 - of_the_other as f64 / 48.0)).abs() < 1e-12);
            assert_eq!(of_the_other, mixed[48..].iter().filter(|value| **value == 1.0).count());
        }
        let mut mixed = values.clone();
        mix(&mut mixed, &values, shape, 0.75);
        assert_eq!((mixed[0], mixed[48]), (1.25, 1.75));
    }

    #[test]
    fn parts_cover_the_batch() {
        let parts: Vec<_> = (0..3).map(|part| part_of(10, part, 3)).collect();
        assert_eq!(parts, [(0, 3), (3, 6), (6, 10)]);
    }
}
