//! Losses of class scores `[n, .., classes]`, row by row: cross-entropy and negative log-likelihood.

use tensor::loss::{
    Expected, Targets, cross_entropy_backward, cross_entropy_forward, nll_backward, nll_forward,
    target_backward,
};
use tensor::reduce::sums_of_rows;
use tensor::{Shape, scratch};

use super::reduction::{LossGradient, Reduction};
use super::rows::shape_of_rows;
use crate::{Backward, Forward, Graph, Images, Indices, Inputs, Op, Operands, ShapeError, Var};

/// The options of [`Graph::cross_entropy_with`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropyOptions {
    /// A factor for each class, `[classes]` (default none). It gets no gradient.
    pub weight: Option<Var>,
    /// Rows with this label contribute no loss and are not counted, whether or not it is a class (default
    /// none). PyTorch uses −100; labels cannot be negative here, so use `u32::MAX`.
    pub ignore_index: Option<u32>,
    /// The share of the target's probability that is spread evenly over all classes, in [0, 1] (default 0).
    pub label_smoothing: f32,
    /// How the losses of the rows are reduced (default: the mean, which for labels with weights divides by
    /// the sum of the weights).
    pub reduction: Reduction,
}

/// The options of [`Graph::nll_loss`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NllOptions {
    /// A factor for each class, `[classes]` (default none). It gets no gradient.
    pub weight: Option<Var>,
    /// Rows with this label contribute no loss and are not counted, whether or not it is a class (default
    /// none).
    pub ignore_index: Option<u32>,
    /// How the losses of the rows are reduced (default: the mean, which divides by the sum of the weights).
    pub reduction: Reduction,
}

/// The target of rows of class scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A class for each row.
    Labels(Indices),
    /// A probability for each class, with the shape of the scores.
    Probabilities(Var),
}

impl From<Indices> for Target {
    fn from(labels: Indices) -> Self {
        Self::Labels(labels)
    }
}

impl From<Var> for Target {
    fn from(probabilities: Var) -> Self {
        Self::Probabilities(probabilities)
    }
}

/// The common part of both losses. The inputs are the scores, the target's probabilities if it has no labels,
/// and the weight if there is one.
struct Rows {
    /// The name of the scores in errors.
    scores: &'static str,
    is_labelled: bool,
    options: CrossEntropyOptions,
}

impl Rows {
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, what) = (inputs[0], self.scores);
        if x.rank() < 2 {
            return Err(ShapeError::new(format!(
                "the {what} are {x}, expected [n, .., classes]; reshape them"
            )));
        }
        if let Some(t) = inputs[1..].first().filter(|&&t| !self.is_labelled && t != x) {
            return Err(ShapeError::new(format!(
                "the {what} are {x} and the target's probabilities are {t}; give each row one probability \
                 per class"
            )));
        }
        let classes = x[x.rank() - 1];
        match self.options.weight.and(inputs.last()) {
            Some(w) if w.dims() != [classes] => Err(ShapeError::new(format!(
                "the weight is {w}, expected [{classes}], a number for each class; reshape it"
            ))),
            _ => Ok(self.options.reduction.output_shape(shape_of_rows(x))),
        }
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        if output.rank() > 0 { inputs.kept_of(0) } else { Images::Summed }
    }

    fn expected<'a>(&self, inputs: Inputs<'a>, labels: &'a [u32]) -> Expected<'a> {
        let CrossEntropyOptions { weight, ignore_index, label_smoothing, .. } = self.options;
        let shape = inputs.shape(0);
        Expected {
            targets: match self.is_labelled {
                true => Targets::Labels { labels, ignore_index },
                false => Targets::Probabilities(inputs.value(1)),
            },
            classes: shape[shape.rank() - 1],
            weight: weight.map(|_| inputs.value(inputs.len() - 1)),
            label_smoothing,
        }
    }

    /// Calls `f` with what the rows are compared with. The sum of their weights divides a weighted mean, so a factor
    /// of all weights is of no effect: weights that are all tiny or huge are multiplied by a power of two, since
    /// their sum or its inverse may be beyond the range of f32.
    fn with_expected<R>(&self, inputs: Inputs<'_>, labels: &[u32], f: impl FnOnce(&Expected<'_>) -> R) -> R {
        let expected = self.expected(inputs, labels);
        let largest = expected.weight.iter().copied().flatten().fold(0.0, |largest, w| w.abs().max(largest));
        let is_usual = largest == 0.0 || (1e-30..1e30).contains(&largest) || !largest.is_finite();
        match expected.weight {
            Some(weight) if self.is_weighted_mean() && !is_usual => scratch::with(weight.len(), |scaled| {
                let factor = (-f64::from(largest).log2().round()).exp2();
                let scale = |(scaled, w): (&mut f32, &f32)| *scaled = (f64::from(*w) * factor) as f32;
                scaled.iter_mut().zip(weight).for_each(scale);
                f(&Expected { weight: Some(scaled), ..expected })
            }),
            _ => f(&expected),
        }
    }

    /// Whether the mean divides by the sum of the rows' weights.
    fn is_weighted_mean(&self) -> bool {
        let CrossEntropyOptions { weight, ignore_index, reduction, .. } = self.options;
        self.is_labelled && reduction == Reduction::Mean && (weight.is_some() || ignore_index.is_some())
    }

    /// Reduces the losses that `write` fills in; `factor` is set to the factor of each in a weighted mean.
    fn join(
        &self,
        output: &mut [f32],
        inputs: Inputs<'_>,
        expected: &Expected<'_>,
        factor: &mut f32,
        write: impl FnOnce(&mut [f32]),
    ) {
        let (shape, shards) = (shape_of_rows(inputs.shape(0)), inputs.shards(0));
        // Without classes there is nothing to sum over, and `write` sees no rows.
        let write = |losses: &mut [f32]| match expected.classes {
            0 => losses.fill(0.0),
            _ => write(losses),
        };
        if !self.is_weighted_mean() {
            return self.options.reduction.join(output, shape, &shards, write);
        }
        scratch::with(2 * shape.numel(), |memory| {
            let (losses, weights) = memory.split_at_mut(shape.numel());
            write(losses);
            weights.iter_mut().enumerate().for_each(|(row, weight)| *weight = expected.row_weight(row));
            let [sum, total] = sums_of_rows([losses, weights], &shards);
            output[0] = (sum / total) as f32;
            *factor = (1.0 / total) as f32;
        });
    }

    /// The gradient of each row's loss.
    fn gradient<'a>(&self, dy: &'a [f32], inputs: Inputs<'_>, factor: f32) -> LossGradient<'a> {
        match self.is_weighted_mean() {
            true => LossGradient::All(dy[0] * factor),
            false => self.options.reduction.gradient(dy, shape_of_rows(inputs.shape(0)), &inputs.shards(0)),
        }
    }
}

struct CrossEntropy(Rows);

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        self.0.output_shape(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        self.0.images(inputs, output)
    }

    /// Saves the logarithms of the probabilities, and the factor of a weighted mean.
    fn forward(&self, f: Forward<'_>) {
        let logits = f.inputs.value(0);
        f.saved.floats.resize(logits.len() + 1, 0.0);
        let (log_probs, factor) = f.saved.floats.split_at_mut(logits.len());
        self.0.with_expected(f.inputs, f.indices, |expected| {
            self.0.join(f.output, f.inputs, expected, &mut factor[0], |losses| {
                cross_entropy_forward(losses, log_probs, logits, expected);
            });
        });
    }

    /// dlogits = dloss · (softmax(logits) · Σ e − e) with e = weight · ((1 − s) · target + s / classes);
    /// dtarget = −dloss · (1 − s) · weight · ln softmax(logits).
    fn backward(&self, mut b: Backward<'_>) {
        let (log_probs, factor) = b.saved.floats.split_at(b.inputs.value(0).len());
        let dloss = self.0.gradient(b.dy, b.inputs, factor[0]);
        self.0.with_expected(b.inputs, b.indices, |expected| {
            if let Some(dx) = b.grads.get(0) {
                cross_entropy_backward(dx.data, |row| dloss.at(row), log_probs, expected, dx.beta);
            }
            if self.0.is_labelled {
                return;
            }
            if let Some(dt) = b.grads.get(1) {
                target_backward(dt.data, |row| dloss.at(row), log_probs, expected, dt.beta);
            }
        });
    }
}

struct NllLoss(Rows);

impl Op for NllLoss {
    fn name(&self) -> &'static str {
        "nll_loss"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        self.0.output_shape(inputs)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        self.0.images(inputs, output)
    }

    /// Saves the factor of a weighted mean.
    fn forward(&self, f: Forward<'_>) {
        f.saved.floats.resize(1, 0.0);
        self.0.with_expected(f.inputs, f.indices, |expected| {
            self.0.join(f.output, f.inputs, expected, &mut f.saved.floats[0], |losses| {
                nll_forward(losses, f.inputs.value(0), expected);
            });
        });
    }

    /// dx = −dloss · weight at the label, 0 elsewhere.
    fn backward(&self, mut b: Backward<'_>) {
        let dloss = self.0.gradient(b.dy, b.inputs, b.saved.floats[0]);
        self.0.with_expected(b.inputs, b.indices, |expected| {
            if let Some(dx) = b.grads.get(0) {
                nll_backward(dx.data, |row| dloss.at(row), expected, dx.beta);
            }
        });
    }
}

impl Graph<'_> {
    /// The mean cross-entropy of logits `[n, .., classes]` with a label for each row, or with a probability
    /// for each class, a scalar; `torch.nn.functional.cross_entropy`, except that classes are the last axis.
    ///
    /// # Panics
    /// When the logits are not one row of scores per label, a label is not a class, or the probabilities do
    /// not have the shape of the logits.
    #[track_caller]
    pub fn cross_entropy(&self, logits: Var, target: impl Into<Target>) -> Var {
        self.cross_entropy_with(logits, target, CrossEntropyOptions::default())
    }

    /// [`cross_entropy`](Self::cross_entropy) with its options, or another reduction.
    ///
    /// The loss of a row is −Σ w · ((1 − s) · t + s / classes) · ln p over the classes, with p the softmax of the row, t
    /// the target (1 for the label, 0 elsewhere; or the probabilities), w the weight and s the label smoothing
    /// (Szegedy et al. 2016).
    ///
    /// For labels, the mean divides by the sum of the weights of their classes, where rows with the ignored
    /// label have weight 0; if all rows are ignored, it is NaN. For probabilities, the mean divides by the
    /// number of rows.
    ///
    /// # Panics
    /// As [`cross_entropy`](Self::cross_entropy), and when the weight is not `[classes]`, s is not in [0, 1],
    /// or the target is probabilities and `ignore_index` is set.
    #[track_caller]
    pub fn cross_entropy_with(
        &self,
        logits: Var,
        target: impl Into<Target>,
        options: impl Into<CrossEntropyOptions>,
    ) -> Var {
        let (target, options) = (target.into(), options.into());
        let CrossEntropyOptions { ignore_index, label_smoothing: smoothing, .. } = options;
        assert!(
            (0.0..=1.0).contains(&smoothing),
            "cross_entropy{}: label_smoothing is {smoothing}, it must lie in [0, 1]",
            self.at()
        );
        let rows = |is_labelled| CrossEntropy(Rows { scores: "logits", is_labelled, options });
        match target {
            Target::Labels(labels) => {
                self.expect_labels("cross_entropy", ("logits", logits), labels, Some(ignore_index));
                self.apply_present_indexed(rows(true), logits, [self.detached(options.weight)], labels)
            }
            Target::Probabilities(target) => {
                assert!(
                    ignore_index.is_none(),
                    "cross_entropy{}: ignore_index needs labels, but the target is probabilities",
                    self.at()
                );
                self.apply_present(rows(false), logits, [Some(target), self.detached(options.weight)])
            }
        }
    }

    /// The negative log-likelihood of labels under log-probabilities `[n, .., classes]`, −w · x at the label
    /// of each row; `torch.nn.functional.nll_loss`, except that classes are the last axis.
    /// [`cross_entropy`](Self::cross_entropy) is the same after a [`log_softmax`](Self::log_softmax). Takes
    /// options, or just a reduction.
    ///
    /// # Panics
    /// When the input is not one row per label, a label is not a class, or the weight is not `[classes]`.
    #[track_caller]
    pub fn nll_loss(&self, log_probs: Var, labels: Indices, options: impl Into<NllOptions>) -> Var {
        let NllOptions { weight, ignore_index, reduction } = options.into();
        let options = CrossEntropyOptions { weight, ignore_index, label_smoothing: 0.0, reduction };
        let scores = "log-probabilities";
        self.expect_labels("nll_loss", (scores, log_probs), labels, Some(ignore_index));
        let op = NllLoss(Rows { scores, is_labelled: true, options });
        self.apply_present_indexed(op, log_probs, [self.detached(weight)], labels)
    }

    /// The weight, through which no gradient flows, if there is one.
    #[track_caller]
    pub(super) fn detached(&self, weight: Option<Var>) -> Option<Var> {
        weight.map(|weight| self.detach(weight))
    }
}
