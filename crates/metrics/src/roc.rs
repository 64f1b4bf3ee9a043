//! The receiver operating characteristic of a binary classifier, and the area under it.

use crate::Error;

/// Scores of two classes, for the ROC curve and the area under it.
///
/// Keeps every score, 8 bytes per sample. The results do not depend on the order of the scores.
///
/// ```
/// let mut roc = metrics::Roc::new();
/// roc.update(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1])?;
/// assert_eq!(roc.value(), Some(0.75)); // 3 of the 4 pairs are in the right order
/// # Ok::<(), metrics::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roc {
    /// The score, and whether the sample is of class 1.
    samples: Vec<(f32, bool)>,
}

/// A point of the curve, for predicting class 1 when the score is at least `threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// The smallest score predicted as class 1; infinite at the first point.
    pub threshold: f32,
    /// The fraction of samples of class 0 that are predicted as class 1.
    pub false_positive_rate: f64,
    /// The fraction of samples of class 1 that are predicted as class 1.
    pub true_positive_rate: f64,
}

impl Roc {
    /// A metric with no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples: `scores` has one score per sample, larger for class 1 (a logit, a probability, or a
    /// difference of logits); `labels` are 0 or 1.
    ///
    /// # Errors
    /// When a score is NaN.
    ///
    /// # Panics
    /// When the numbers of scores and labels differ, or a label is neither 0 nor 1.
    #[track_caller]
    pub fn update(&mut self, scores: &[f32], labels: &[u32]) -> Result<(), Error> {
        assert!(
            scores.len() == labels.len(),
            "Roc::update: {} scores for {} labels, expected one for each: that of class 1",
            scores.len(),
            labels.len()
        );
        if let Some(label) = labels.iter().find(|&&label| label > 1) {
            panic!(
                "Roc::update: the label {label} is neither 0 nor 1; for more classes, ask of one against the rest"
            );
        }
        if let Some(sample) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::NotANumber { sample, class: 1 });
        }
        self.samples.extend(scores.iter().zip(labels).map(|(&score, &label)| (score, label == 1)));
        Ok(())
    }

    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.samples.extend_from_slice(&other.samples);
    }

    /// The area under the curve: the probability that a sample of class 1 has a larger score than one of
    /// class 0, with ties counted as one half (Hanley and McNeil, 1982). `None` unless there are samples of
    /// both classes.
    pub fn value(&self) -> Option<f64> {
        let [n_negative, n_positive] = self.n_samples();
        let (mut n_above, mut doubled) = (0_u128, 0_u128);
        for [n_negative, n_positive] in self.steps().map(|(_, counts)| counts.map(u128::from)) {
            doubled += n_negative * (2 * n_above + n_positive);
            n_above += n_positive;
        }
        let n_pairs = u128::from(n_negative) * u128::from(n_positive);
        (n_pairs > 0).then(|| doubled as f64 / (2 * n_pairs) as f64)
    }

    /// The curve from (0, 0) to (1, 1), with one point per distinct score, as in scikit-learn's `roc_curve`
    /// with `drop_intermediate=False`. `None` unless there are samples of both classes.
    pub fn curve(&self) -> Option<Vec<RocPoint>> {
        let [n_negative, n_positive] = self.n_samples();
        if n_negative == 0 || n_positive == 0 {
            return None;
        }
        let start = RocPoint { threshold: f32::INFINITY, false_positive_rate: 0.0, true_positive_rate: 0.0 };
        let mut points = vec![start];
        let mut taken = [0_u64; 2];
        for (threshold, counts) in self.steps() {
            taken = [taken[0] + counts[0], taken[1] + counts[1]];
            points.push(RocPoint {
                threshold,
                false_positive_rate: taken[0] as f64 / n_negative as f64,
                true_positive_rate: taken[1] as f64 / n_positive as f64,
            });
        }
        Some(points)
    }

    /// The numbers of samples of class 0 and of class 1.
    fn n_samples(&self) -> [u64; 2] {
        let n_positive = self.samples.iter().filter(|(_, is_positive)| *is_positive).count();
        [(self.samples.len() - n_positive) as u64, n_positive as u64]
    }

    /// The distinct scores, largest first, each with its numbers of samples of class 0 and of class 1.
    fn steps(&self) -> impl Iterator<Item = (f32, [u64; 2])> {
        let mut sorted = self.samples.clone();
        // 0 and −0 are equal, and no score is NaN.
        sorted.sort_unstable_by(|a, b| b.0.partial_cmp(&a.0).expect("no score is NaN"));
        let mut steps: Vec<(f32, [u64; 2])> = Vec::new();
        for (score, is_positive) in sorted {
            if steps.last().is_none_or(|step| step.0 != score) {
                steps.push((score, [0; 2]));
            }
            let step = steps.last_mut().expect("pushed above");
            step.1[usize::from(is_positive)] += 1;
        }
        steps.into_iter()
    }
}
