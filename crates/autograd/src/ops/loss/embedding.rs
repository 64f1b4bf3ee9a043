//! Losses of embeddings, row by row: of their angles and of their distances.

use tensor::Shape;

use super::reduction::Reduction;
use super::rows::{Row, shape_of_rows};
use crate::{Graph, ShapeError, Var};

/// The options of [`Graph::cosine_embedding_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbeddingOptions {
    /// The cosine up to which a dissimilar pair has no loss, in [−1, 1] (default 0).
    pub margin: f32,
    /// How the losses of the rows are reduced (default: the mean).
    pub reduction: Reduction,
}

/// The options of [`Graph::triplet_margin_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginOptions {
    /// How much farther away the negative must be than the positive (default 1).
    pub margin: f32,
    /// The norm of the distances, positive and finite (default 2).
    pub p: f32,
    /// The constant added to the differences (default 1e-6).
    pub eps: f32,
    /// Whether to use the distance from negative to positive if it is smaller than that from negative to
    /// anchor (default false). Balntas et al. 2016.
    pub swap: bool,
    /// How the losses of the rows are reduced (default: the mean).
    pub reduction: Reduction,
}

impl Default for TripletMarginOptions {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl Graph<'_> {
    /// For pairs of rows `[.., d]` and a target `[..]`: 1 − cos(x₁, x₂) where the target is 1, max(0, cos(x₁,
    /// x₂) − margin) where it is −1; `torch.nn.functional.cosine_embedding_loss`. The target gets no
    /// gradient.
    ///
    /// 1e-12 is added to the squared lengths, as in PyTorch.
    ///
    /// # Panics
    /// When the inputs differ in shape, or the target does not have an element for each row.
    #[track_caller]
    pub fn cosine_embedding_loss(
        &self,
        x1: Var,
        x2: Var,
        target: Var,
        options: impl Into<CosineEmbeddingOptions>,
    ) -> Var {
        let CosineEmbeddingOptions { margin, reduction } = options.into();
        let margin = f64::from(margin);
        let check = |inputs: &[Shape]| match inputs {
            [x1, x2, _] if x1 != x2 => Err(differing("inputs", &[*x1, *x2])),
            [x1, _, t] if *t != shape_of_rows(*x1) => Err(ShapeError::new(format!(
                "the inputs are {x1} and the target is {t}, expected {}, one element for each row",
                shape_of_rows(*x1)
            ))),
            _ => Ok(()),
        };
        let loss = move |row: Row<'_>| {
            let cosine = Cosine::of(row.of(0), row.of(1)).value;
            let beyond = if cosine - margin < 0.0 { 0.0 } else { cosine - margin };
            (match row.of(2)[0] {
                1.0 => 1.0 - cosine,
                -1.0 => beyond,
                _ => 0.0,
            }) as f32
        };
        let add_gradient = move |row: Row<'_>, i: usize, dloss: f32, dx: &mut [f32]| {
            let (own, other) = (row.of(i), row.of(1 - i));
            let cosine = Cosine::of(own, other);
            let slope = match row.of(2)[0] {
                1.0 => -1.0,
                -1.0 if cosine.value - margin < 0.0 => 0.0,
                -1.0 => 1.0,
                _ => 0.0,
            };
            let factor = f64::from(dloss) * slope;
            for (dx, (&own, &other)) in dx.iter_mut().zip(own.iter().zip(other)) {
                let share = f64::from(other) / cosine.lengths - cosine.value * f64::from(own) / cosine.square;
                *dx += (factor * share) as f32;
            }
        };
        let inputs = [x1, x2, self.detach(target)];
        self.row_loss("cosine_embedding_loss", &inputs, None, reduction, check, loss, add_gradient)
    }

    /// max(0, margin + |a − p| − |a − n|) for anchors a, positives p and negatives n, row by row of
    /// `[.., d]`; `torch.nn.functional.triplet_margin_loss`. Schroff, Kalenichenko and Philbin 2015 (with
    /// squared distances).
    ///
    /// # Panics
    /// When the shapes differ, or p is not a positive number.
    #[track_caller]
    pub fn triplet_margin_loss(
        &self,
        [anchor, positive, negative]: [Var; 3],
        options: impl Into<TripletMarginOptions>,
    ) -> Var {
        let TripletMarginOptions { margin, p, eps, swap, reduction } = options.into();
        assert!(p > 0.0 && p.is_finite(), "triplet_margin_loss{}: p is {p}, it must be positive", self.at());
        let distance = Distance { p: p.into(), eps: eps.into() };
        let check = |inputs: &[Shape]| match inputs.iter().all(|shape| *shape == inputs[0]) {
            _ if inputs[0].rank() == 0 => {
                Err(ShapeError::new("the inputs are scalars, expected rows [.., d]"))
            }
            true => Ok(()),
            false => Err(differing("anchors, positives and negatives", inputs)),
        };
        // The amount missing, and whether the negative's distance is that from the positive.
        let missing = move |row: Row<'_>| {
            let [a, p, n] = [0, 1, 2].map(|i| row.of(i));
            let (near, far) = (distance.between(a, p), distance.between(a, n));
            let from_positive = if swap { distance.between(p, n) } else { f64::INFINITY };
            let is_swapped = from_positive < far;
            (f64::from(margin) + near - if is_swapped { from_positive } else { far }, is_swapped)
        };
        let loss = move |row: Row<'_>| {
            let (missing, _) = missing(row);
            (if missing < 0.0 { 0.0 } else { missing }) as f32
        };
        let add_gradient = move |row: Row<'_>, i: usize, dloss: f32, dx: &mut [f32]| {
            let (missing, is_swapped) = missing(row);
            if missing < 0.0 {
                return;
            }
            let [a, p, n] = [0, 1, 2].map(|i| row.of(i));
            let dloss = f64::from(dloss);
            let (from, from_idx) = if is_swapped { (p, 1) } else { (a, 0) };
            match i {
                0 => distance.add_gradient(dx, [a, p], 0, dloss),
                1 => distance.add_gradient(dx, [a, p], 1, dloss),
                _ => distance.add_gradient(dx, [from, n], 1, -dloss),
            }
            if i == from_idx {
                distance.add_gradient(dx, [from, n], 0, -dloss);
            }
        };
        let inputs = [anchor, positive, negative];
        self.row_loss("triplet_margin_loss", &inputs, None, reduction, check, loss, add_gradient)
    }
}

fn differing(what: &str, shapes: &[Shape]) -> ShapeError {
    let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
    ShapeError::new(format!(
        "the {what} are {}; losses do not broadcast, so reshape them",
        shapes.join(" and ")
    ))
}

/// The cosine of the angle between two rows, in f64.
struct Cosine {
    value: f64,
    /// The square of the first row's length, and the product of both lengths.
    square: f64,
    lengths: f64,
}

impl Cosine {
    fn of(a: &[f32], b: &[f32]) -> Self {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let (square, other) = (dot(a, a) + 1e-12, dot(b, b) + 1e-12);
        let lengths = (square * other).sqrt();
        Self { value: dot(a, b) / lengths, square, lengths }
    }
}

/// The p-norm of the differences plus `eps`, in f64. They are divided by the largest of them unless p is 2, so
/// that no power overflows or underflows; squares of f32 cannot.
#[derive(Clone, Copy)]
struct Distance {
    p: f64,
    eps: f64,
}

impl Distance {
    fn between(self, a: &[f32], b: &[f32]) -> f64 {
        if self.p == 2.0 {
            return self.differences(a, b).map(|d| d * d).sum::<f64>().sqrt();
        }
        let largest = self.differences(a, b).fold(0.0, |largest: f64, d| largest.max(d.abs()));
        let scale = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
        let sum: f64 = self.differences(a, b).map(|d| (d.abs() / scale).powf(self.p)).sum();
        scale * sum.powf(1.0 / self.p)
    }

    /// Adds to dx the derivative of the distance with respect to either row, times a factor; 0 where the
    /// distance is 0.
    fn add_gradient(self, dx: &mut [f32], [a, b]: [&[f32]; 2], which: usize, factor: f64) {
        let distance = self.between(a, b);
        if distance == 0.0 {
            return;
        }
        let factor = if which == 0 { factor } else { -factor };
        for (dx, d) in dx.iter_mut().zip(self.differences(a, b)) {
            // (|d| / distance)^(p − 1), with the sign of d; 0 where d is 0.
            let share = match self.p {
                2.0 => d / distance,
                _ if d == 0.0 => 0.0,
                p => (d.abs() / distance).powf(p - 1.0).copysign(d),
            };
            *dx += (factor * share) as f32;
        }
    }

    fn differences(self, a: &[f32], b: &[f32]) -> impl Iterator<Item = f64> {
        a.iter().zip(b).map(move |(&a, &b)| f64::from(a) - f64::from(b) + self.eps)
    }
}
