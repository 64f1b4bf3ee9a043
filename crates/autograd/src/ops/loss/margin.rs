//! Losses that are zero beyond a margin: for distances, ranked pairs and classes.

use tensor::Shape;

use super::reduction::Reduction;
use super::rows::Row;
use crate::{Graph, Indices, ShapeError, Var};

/// The options of [`Graph::hinge_embedding_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingOptions {
    /// The distance beyond which a dissimilar pair has no loss (default 1).
    pub margin: f32,
    /// How the losses of the elements are reduced (default: the mean).
    pub reduction: Reduction,
}

impl Default for HingeEmbeddingOptions {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

/// The options of [`Graph::margin_ranking_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRankingOptions {
    /// The difference beyond which a correctly ordered pair has no loss (default 0).
    pub margin: f32,
    /// How the losses of the elements are reduced (default: the mean).
    pub reduction: Reduction,
}

/// The options of [`Graph::multi_margin_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiMarginOptions {
    /// The power of each class's term, 1 or 2 (default 1).
    pub p: u32,
    /// How much higher the score of the label must be than those of the other classes (default 1).
    pub margin: f32,
    /// A factor for each class, `[classes]`; that of the label multiplies a row's loss (default none). They
    /// get no gradient.
    pub weight: Option<Var>,
    /// How the losses of the rows are reduced (default: the mean, not divided by weights).
    pub reduction: Reduction,
}

impl Default for MultiMarginOptions {
    fn default() -> Self {
        Self { p: 1, margin: 1.0, weight: None, reduction: Reduction::Mean }
    }
}

impl Graph<'_> {
    /// For distances x of pairs: x where the target is 1, max(0, margin − x) where it is −1, element by
    /// element; `torch.nn.functional.hinge_embedding_loss`. The target gets no gradient.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn hinge_embedding_loss(
        &self,
        x: Var,
        target: Var,
        options: impl Into<HingeEmbeddingOptions>,
    ) -> Var {
        let HingeEmbeddingOptions { margin, reduction } = options.into();
        let missing = move |x: f32| if margin - x < 0.0 { 0.0 } else { margin - x };
        let loss =
            move |x: f32, t: f32| (if t == 1.0 { 0.0 } else { missing(x) }) + if t == -1.0 { 0.0 } else { x };
        let slopes = move |x: f32, t: f32| {
            let of_missing = if t == 1.0 || margin - x < 0.0 { 0.0 } else { -1.0 };
            [of_missing + if t == -1.0 { 0.0 } else { 1.0 }, 0.0]
        };
        self.pairwise_loss("hinge_embedding_loss", (x, self.detach(target)), reduction, loss, slopes)
    }

    /// max(0, margin − t · (x₁ − x₂)), element by element: where t is 1, x₁ should be larger, where it is −1,
    /// x₂; `torch.nn.functional.margin_ranking_loss`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn margin_ranking_loss(
        &self,
        x1: Var,
        x2: Var,
        target: Var,
        options: impl Into<MarginRankingOptions>,
    ) -> Var {
        let MarginRankingOptions { margin, reduction } = options.into();
        let missing = move |[x1, x2, t]: [f32; 3]| margin - t * (x1 - x2);
        let loss = move |v: [f32; 3]| if missing(v) < 0.0 { 0.0 } else { missing(v) };
        let slopes = move |v: [f32; 3]| {
            let [x1, x2, t] = v;
            if missing(v) < 0.0 { [0.0; 3] } else { [-t, t, x2 - x1] }
        };
        let inputs = [("first input", x1), ("second input", x2), ("target", target)];
        self.element_loss("margin_ranking_loss", inputs, 3, reduction, loss, slopes)
    }

    /// Σ max(0, margin − x\[label\] + x\[class\])ᵖ / classes over the other classes, for each row of scores `[.., classes]`;
    /// `torch.nn.functional.multi_margin_loss`. Crammer and Singer 2001.
    ///
    /// # Panics
    /// When there is not one label per row, a label is not a class, the weight is not `[classes]`, or p is not 1 or 2.
    #[track_caller]
    pub fn multi_margin_loss(&self, x: Var, labels: Indices, options: impl Into<MultiMarginOptions>) -> Var {
        let MultiMarginOptions { p, margin, weight, reduction } = options.into();
        assert!(p == 1 || p == 2, "multi_margin_loss{}: p is {p}, it must be 1 or 2", self.at());
        self.expect_labels("multi_margin_loss", ("scores", x), labels, None);
        let check = |inputs: &[Shape]| match inputs {
            [x, ..] if x.rank() < 2 => {
                Err(ShapeError::new(format!("the scores are {x}, expected [n, .., classes]; reshape them")))
            }
            [x, w] if x[x.rank() - 1..] != w[..] => Err(ShapeError::new(format!(
                "the weight is {w}, expected [{}], a number for each class; reshape it",
                x[x.rank() - 1]
            ))),
            _ => Ok(()),
        };
        let weight_of =
            |row: Row<'_>, has_weight: bool| if has_weight { row.all_of(1)[row.label()] } else { 1.0 };
        let has_weight = weight.is_some();
        let missing = move |row: Row<'_>, class: usize| {
            let (x, label) = (row.of(0), row.label());
            let missing = margin - x[label] + x[class];
            if class == label || missing < 0.0 { 0.0 } else { missing }
        };
        let loss = move |row: Row<'_>| {
            let classes = row.of(0).len();
            let sum: f64 = (0..classes).map(|class| f64::from(missing(row, class)).powi(p as i32)).sum();
            (sum * f64::from(weight_of(row, has_weight)) / classes as f64) as f32
        };
        let add_gradient = move |row: Row<'_>, _: usize, dloss: f32, dx: &mut [f32]| {
            let factor = dloss * weight_of(row, has_weight) / dx.len() as f32;
            let mut of_label = 0.0;
            for (class, dx) in dx.iter_mut().enumerate() {
                let missing = missing(row, class);
                let slope = if p == 2 {
                    2.0 * missing
                } else if missing == 0.0 {
                    0.0
                } else {
                    1.0
                };
                *dx += factor * slope;
                of_label += f64::from(factor * slope);
            }
            dx[row.label()] -= of_label as f32;
        };
        let weight = self.detached(weight);
        let both = [x, weight.unwrap_or(x)];
        let inputs = &both[..if has_weight { 2 } else { 1 }];
        self.row_loss("multi_margin_loss", inputs, Some(labels), reduction, check, loss, add_gradient)
    }
}
