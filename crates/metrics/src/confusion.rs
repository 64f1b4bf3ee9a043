//! The confusion matrix, with precision, recall and F1.

use crate::Error;
use crate::scores::{argmax, ratio, samples};

/// The number of samples of each class that were predicted as each class.
///
/// ```
/// use metrics::{Average, ConfusionMatrix};
/// let mut confusion = ConfusionMatrix::new(2);
/// confusion.update(&[0.9, 0.1, /**/ 0.2, 0.8, /**/ 0.3, 0.7], &[0, 0, 1])?;
/// assert_eq!(confusion.row(0), [1, 1]); // of class 0, one taken for each
/// assert_eq!(confusion.class(1).precision, 0.5);
/// assert_eq!(confusion.average(Average::Macro).recall, 0.75);
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    n_classes: usize,
    counts: Vec<u64>,
}

/// Precision, recall and F1 of a class, or their average. 0 / 0 counts as 0, as in scikit-learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// The fraction of samples predicted as the class that belong to it: TP / (TP + FP).
    pub precision: f64,
    /// The fraction of samples of the class that were predicted as it: TP / (TP + FN).
    pub recall: f64,
    /// The harmonic mean of the two: 2 TP / (2 TP + FP + FN).
    pub f1: f64,
    /// The number of samples of the class, or of all classes for an average.
    pub support: u64,
}

/// How to average the scores of classes, with scikit-learn's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The mean over all classes, including those without samples.
    Macro,
    /// From TP, FP and FN summed over the classes: in a [`ConfusionMatrix`] all three scores are the accuracy.
    Micro,
    /// The mean over the classes, each weighted by its number of samples.
    Weighted,
}

impl ClassScores {
    /// Of a class to which `n_right` of its `support` samples, and `n_taken` samples in all, were assigned.
    pub(crate) fn of(n_right: u64, n_taken: u64, support: u64) -> Self {
        Self {
            precision: ratio(n_right, n_taken),
            recall: ratio(n_right, support),
            f1: ratio(2 * n_right, n_taken + support),
            support,
        }
    }

    /// The sum of classes with their weights.
    pub(crate) fn mean(classes: impl Iterator<Item = (f64, Self)>) -> Self {
        let mut mean = Self { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 };
        for (weight, class) in classes {
            mean.precision += weight * class.precision;
            mean.recall += weight * class.recall;
            mean.f1 += weight * class.f1;
            mean.support += class.support;
        }
        mean
    }
}

impl ConfusionMatrix {
    /// A matrix with no samples yet.
    ///
    /// # Panics
    /// When there are no classes.
    #[track_caller]
    pub fn new(n_classes: usize) -> Self {
        assert!(n_classes > 0, "ConfusionMatrix::new: no classes, expected 1 or more");
        Self { n_classes, counts: vec![0; n_classes * n_classes] }
    }

    /// Adds samples, predicting the class with the largest score (the first among equals): `scores` are
    /// logits or probabilities, n × classes; `labels` has n entries.
    ///
    /// # Errors
    /// When a score is NaN.
    ///
    /// # Panics
    /// When the lengths do not match, or a label is not one of the classes.
    #[track_caller]
    pub fn update(&mut self, scores: &[f32], labels: &[u32]) -> Result<(), Error> {
        assert!(
            scores.len() == labels.len() * self.n_classes,
            "ConfusionMatrix::update: {} scores for {} labels and {} classes",
            scores.len(),
            labels.len(),
            self.n_classes
        );
        for (scores, label) in samples("ConfusionMatrix", scores, labels)? {
            self.count(label, argmax(scores));
        }
        Ok(())
    }

    /// Adds one sample of class `label` that was predicted as `predicted`.
    ///
    /// # Panics
    /// When either is not one of the classes.
    #[track_caller]
    pub fn count(&mut self, label: usize, predicted: usize) {
        let n_classes = self.n_classes;
        assert!(
            label < n_classes && predicted < n_classes,
            "ConfusionMatrix::count: label {label} and prediction {predicted} of {n_classes} classes"
        );
        self.counts[label * n_classes + predicted] += 1;
    }

    /// Adds the samples of `other`.
    ///
    /// # Panics
    /// When `other` has a different number of classes.
    #[track_caller]
    pub fn merge(&mut self, other: &Self) {
        assert!(
            self.n_classes == other.n_classes,
            "ConfusionMatrix::merge: {} classes and {} classes",
            self.n_classes,
            other.n_classes
        );
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The number of samples.
    pub fn n_samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All counts, row-major: row `l`, column `p` is the number of samples of class `l` predicted as class
    /// `p`.
    pub fn value(&self) -> &[u64] {
        &self.counts
    }

    /// The number of samples of class `label` predicted as each class.
    ///
    /// # Panics
    /// When `label` is not one of the classes.
    pub fn row(&self, label: usize) -> &[u64] {
        &self.counts[label * self.n_classes..][..self.n_classes]
    }

    /// The fraction of samples on the diagonal; `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        let n_samples = self.n_samples();
        let n_right: u64 = (0..self.n_classes).map(|class| self.row(class)[class]).sum();
        (n_samples > 0).then(|| ratio(n_right, n_samples))
    }

    /// Precision, recall and F1 of one class; 0 when the divisor is 0.
    ///
    /// # Panics
    /// When `class` is not one of the classes.
    pub fn class(&self, class: usize) -> ClassScores {
        let support: u64 = self.row(class).iter().sum();
        let n_taken: u64 = self.counts.iter().skip(class).step_by(self.n_classes).sum();
        ClassScores::of(self.row(class)[class], n_taken, support)
    }

    /// Precision, recall and F1 over all classes; 0 without samples.
    pub fn average(&self, average: Average) -> ClassScores {
        let (n_samples, n_classes) = (self.n_samples(), self.n_classes as f64);
        let classes = (0..self.n_classes).map(|class| self.class(class));
        match average {
            Average::Macro => ClassScores::mean(classes.map(|class| (1.0 / n_classes, class))),
            Average::Weighted => {
                ClassScores::mean(classes.map(|class| (ratio(class.support, n_samples), class)))
            }
            Average::Micro => {
                // Each misclassified sample is one FP and one FN.
                let accuracy = self.accuracy().unwrap_or(0.0);
                ClassScores { precision: accuracy, recall: accuracy, f1: accuracy, support: n_samples }
            }
        }
    }
}
