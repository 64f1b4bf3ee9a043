//! loss = `−ln softmax(logits)[label]`, the mean or the sum over the rows.

use tensor::loss::{cross_entropy_backward, cross_entropy_forward};
use tensor::reduce::{Reduction, reduce_rows};
use tensor::{Beta, Shape, scratch};

use crate::{Backward, Forward, Graph, Indices, Op, ShapeError, Var};

/// The options of [`Graph::cross_entropy_with`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropyOptions {
    /// What is taken from the label's probability and spread evenly over all classes, in [0, 1]; 0.
    pub label_smoothing: f32,
    /// How the losses of the rows are joined; the mean.
    pub reduction: Reduction,
}

struct CrossEntropy(CrossEntropyOptions);

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let logits = inputs[0];
        match logits.rank() {
            2 => Ok(Shape::scalar()),
            _ => {
                Err(ShapeError::new(format!("the logits are {logits}, expected [n, classes]; reshape them")))
            }
        }
    }

    fn forward(&self, f: Forward<'_>) {
        let (labels, logits, classes) = (f.indices, f.inputs.value(0), f.inputs.shape(0)[1]);
        let log_probs = &mut f.saved.floats;
        log_probs.resize(logits.len(), 0.0);
        scratch::with(labels.len(), |losses| {
            cross_entropy_forward(losses, log_probs, logits, labels, classes, self.0.label_smoothing);
            let (n, shards) = (losses.len(), f.inputs.shards(0));
            reduce_rows(f.output, losses, n, 1, self.0.reduction, &shards, Beta::Zero);
        });
    }

    /// dlogits = softmax(logits) − expected, where the label is expected with probability
    /// 1 − s + s / classes and every other class with s / classes; divided by the rows for the mean.
    fn backward(&self, mut b: Backward<'_>) {
        let (labels, classes) = (b.indices, b.inputs.shape(0)[1]);
        let n = b.inputs.shards(0).rows_of_batch(labels.len());
        let dloss = b.dy[0] * self.0.reduction.factor(n);
        let (log_probs, smoothing) = (&b.saved.floats, self.0.label_smoothing);
        if let Some(dx) = b.grads.get(0) {
            cross_entropy_backward(dx.data, dloss, log_probs, labels, classes, smoothing, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// The mean cross-entropy of logits `[n, classes]` with n class labels, a scalar;
    /// `torch.nn.functional.cross_entropy`.
    ///
    /// # Panics
    /// When the logits are not `[n, classes]` with as many rows as there are labels, or a label is not a class.
    #[track_caller]
    pub fn cross_entropy(&self, logits: Var, labels: Indices) -> Var {
        self.cross_entropy_with(logits, labels, CrossEntropyOptions::default())
    }

    /// [`cross_entropy`](Self::cross_entropy) with label smoothing or another reduction.
    ///
    /// With label smoothing s, the loss of a row is −(1 − s) · ln p(label) − s / classes · Σ ln p, p the
    /// softmax of the row. Szegedy et al. 2016.
    ///
    /// # Panics
    /// When the logits are not `[n, classes]` with as many rows as there are labels, a label is not a class,
    /// or s does not lie in [0, 1].
    #[track_caller]
    pub fn cross_entropy_with(&self, logits: Var, labels: Indices, options: CrossEntropyOptions) -> Var {
        let (shape, n_labels) = (self.shape(logits), self.n_indices("cross_entropy", labels));
        let smoothing = options.label_smoothing;
        assert!(
            (0.0..=1.0).contains(&smoothing),
            "cross_entropy{}: label_smoothing is {smoothing}, it must lie in [0, 1]",
            self.at()
        );
        if let &[n_rows, classes] = shape.dims() {
            assert!(
                n_rows == n_labels,
                "cross_entropy{}: the logits {shape} have {n_rows} rows, there are {n_labels} labels; \
                 pass one label per row",
                self.at()
            );
            self.expect_below("cross_entropy", "label", labels, classes);
        }
        self.apply_indexed(CrossEntropy(options), &[logits], labels)
    }
}
