//! Answers of yes or no: binary and multi-label classification.

use crate::scores::ratio;
use crate::{Average, ClassScores, Error};

/// How often a yes or no is right, class by class: for a binary classifier with one score for each sample, and
/// for multi-label classification, where a sample may be of several classes or of none.
///
/// A score of at least the threshold is a yes, as at the points of a [`Roc`](crate::Roc) curve. Of logits the
/// usual threshold is 0, of probabilities 0.5.
///
/// ```
/// use metrics::{Average, Binary};
/// let mut spam = Binary::new(1, 0.0);
/// spam.update(&[2.5, -1.0, 0.5, -3.0], &[1, 1, 0, 0])?; // logits, and whether it is
/// assert_eq!(spam.accuracy(), Some(0.5));
/// assert_eq!((spam.class(0).precision, spam.class(0).recall), (0.5, 0.5));
///
/// let mut tags = Binary::new(3, 0.5); // probabilities of three tags
/// tags.update(&[0.9, 0.2, 0.7, /**/ 0.4, 0.1, 0.8], &[1.0, 0.0, 0.0, /**/ 1.0, 0.0, 1.0])?;
/// assert_eq!((tags.accuracy(), tags.exact_match()), (Some(4.0 / 6.0), Some(0.0)));
/// assert_eq!(tags.average(Average::Micro).recall, 2.0 / 3.0);
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    threshold: f32,
    counts: Vec<BinaryCounts>,
    n_exact: u64,
}

/// The answers for one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryCounts {
    /// Rightly yes.
    pub true_positives: u64,
    /// Wrongly yes.
    pub false_positives: u64,
    /// Wrongly no.
    pub false_negatives: u64,
    /// Rightly no.
    pub true_negatives: u64,
}

impl BinaryCounts {
    fn add(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
        self.true_negatives += other.true_negatives;
    }

    fn n_right(&self) -> u64 {
        self.true_positives + self.true_negatives
    }

    fn n_samples(&self) -> u64 {
        self.n_right() + self.false_positives + self.false_negatives
    }

    fn scores(&self) -> ClassScores {
        let n_right = self.true_positives;
        ClassScores::of(n_right, n_right + self.false_positives, n_right + self.false_negatives)
    }
}

impl Binary {
    /// A metric with no samples yet.
    ///
    /// # Panics
    /// When there are no classes, or the threshold is NaN.
    #[track_caller]
    pub fn new(n_classes: usize, threshold: f32) -> Self {
        assert!(n_classes > 0, "Binary::new: no classes, expected 1 or more");
        assert!(!threshold.is_nan(), "Binary::new: the threshold is NaN");
        Self { threshold, counts: vec![BinaryCounts::default(); n_classes], n_exact: 0 }
    }

    /// Adds samples: `scores` are logits or probabilities, n × classes; `labels` are as many zeros and ones of
    /// any number type.
    ///
    /// # Errors
    /// When a score is NaN.
    ///
    /// # Panics
    /// When the lengths do not match, or a label is neither 0 nor 1.
    #[track_caller]
    pub fn update<L: Copy + Into<f64>>(&mut self, scores: &[f32], labels: &[L]) -> Result<(), Error> {
        let n_classes = self.counts.len();
        assert!(
            scores.len() == labels.len() && scores.len().is_multiple_of(n_classes),
            "Binary::update: {} scores and {} labels, expected one of each for each sample and each of the \
             {n_classes} classes",
            scores.len(),
            labels.len()
        );
        if let Some(label) =
            labels.iter().map(|&label| label.into()).find(|label| ![0.0, 1.0].contains(label))
        {
            panic!("Binary::update: the label {label} is neither 0 nor 1");
        }
        if let Some(at) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::NotANumber { sample: at / n_classes, class: at % n_classes });
        }
        for (scores, labels) in scores.chunks_exact(n_classes).zip(labels.chunks_exact(n_classes)) {
            let mut is_exact = true;
            for (counts, (&score, &label)) in self.counts.iter_mut().zip(scores.iter().zip(labels)) {
                let (answer, truth) = (score >= self.threshold, label.into() == 1.0);
                is_exact &= answer == truth;
                *match (answer, truth) {
                    (true, true) => &mut counts.true_positives,
                    (true, false) => &mut counts.false_positives,
                    (false, true) => &mut counts.false_negatives,
                    (false, false) => &mut counts.true_negatives,
                } += 1;
            }
            self.n_exact += u64::from(is_exact);
        }
        Ok(())
    }

    /// Adds the samples of `other`.
    ///
    /// # Panics
    /// When `other` has a different number of classes or another threshold.
    #[track_caller]
    pub fn merge(&mut self, other: &Self) {
        let of = |metric: &Self| (metric.counts.len(), metric.threshold);
        let (own, others) = (of(self), of(other));
        assert!(own == others, "Binary::merge: (classes, threshold) are {own:?} and {others:?}");
        self.counts.iter_mut().zip(&other.counts).for_each(|(counts, other)| counts.add(*other));
        self.n_exact += other.n_exact;
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.counts.len()
    }

    /// The number of samples.
    pub fn n_samples(&self) -> u64 {
        self.counts[0].n_samples()
    }

    /// The counts of each class.
    pub fn value(&self) -> &[BinaryCounts] {
        &self.counts
    }

    /// The fraction of right answers over all samples and classes, which is 1 less the Hamming loss; `None`
    /// without samples.
    pub fn accuracy(&self) -> Option<f64> {
        let all = self.sum();
        (all.n_samples() > 0).then(|| ratio(all.n_right(), all.n_samples()))
    }

    /// The fraction of samples with the right answer for every class, which is scikit-learn's `accuracy_score`
    /// of several labels; `None` without samples.
    pub fn exact_match(&self) -> Option<f64> {
        (self.n_samples() > 0).then(|| ratio(self.n_exact, self.n_samples()))
    }

    /// The fraction of right answers for one class; `None` without samples.
    ///
    /// # Panics
    /// When `class` is not one of the classes.
    #[track_caller]
    pub fn class_accuracy(&self, class: usize) -> Option<f64> {
        let counts = &self.counts[class];
        (counts.n_samples() > 0).then(|| ratio(counts.n_right(), counts.n_samples()))
    }

    /// Precision, recall and F1 of the yes for one class; 0 when the divisor is 0.
    ///
    /// # Panics
    /// When `class` is not one of the classes.
    #[track_caller]
    pub fn class(&self, class: usize) -> ClassScores {
        self.counts[class].scores()
    }

    /// Precision, recall and F1 over all classes; 0 without samples.
    pub fn average(&self, average: Average) -> ClassScores {
        let (micro, n_classes) = (self.sum().scores(), self.counts.len() as f64);
        let classes = self.counts.iter().map(BinaryCounts::scores);
        match average {
            Average::Micro => micro,
            Average::Macro => ClassScores::mean(classes.map(|class| (1.0 / n_classes, class))),
            Average::Weighted => {
                ClassScores::mean(classes.map(|class| (ratio(class.support, micro.support), class)))
            }
        }
    }

    /// The counts of all classes together.
    fn sum(&self) -> BinaryCounts {
        let mut sum = BinaryCounts::default();
        self.counts.iter().for_each(|counts| sum.add(*counts));
        sum
    }
}
